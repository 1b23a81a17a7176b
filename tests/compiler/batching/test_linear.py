"""Batches of matrix products whose operands tell no rank."""

import numpy as np
import pytest

import onnxgrad as og


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (2, 3)], ids=str)
def test_a_batch_of_summands_without_a_rank(shape: tuple[int, ...]) -> None:
    b = og.Builder("summand")
    x, w, c = (b.input(n, "float64", s) for n, s in (("x", (2, 4)), ("w", (4, 3)), ("c", None)))
    b.output(b.op.Gemm(x, w, c, alpha=0.5, beta=2.0), "y")
    rng = np.random.default_rng(0)
    feeds = {n: rng.normal(size=s) for n, s in (("x", (2, 4)), ("w", (4, 3)), ("c", (5, *shape)))}
    found = og.compile(og.vmap(b.build(), ["c"])).run(feeds)["y"]
    product = 0.5 * feeds["x"] @ feeds["w"]
    np.testing.assert_allclose(found, [product + 2 * one for one in feeds["c"]])
