"""What a run returns belongs to the caller: no output shares memory with anything else."""

from typing import Any

import numpy as np

import onnxgrad as og


def test_outputs_own_their_memory() -> None:
    b = og.Builder("net")
    op = b.op
    x = b.input("x", "float32", (3,))
    negative = op.Neg(x)
    for name, y in {
        "same": op.Identity(x),
        "negative": negative,
        "again": op.Identity(negative),
        "view": op.Reshape(negative, b.constant(np.array([3, 1]))),
        "wide": op.Expand(op.Exp(x), b.constant(np.array([2, 3]))),
    }.items():
        b.output(y, name)
    feeds = {"x": np.ones(3, np.float32)}
    results = og.compile(b.build()).run(feeds)
    arrays: list[Any] = [feeds["x"], *results.values()]
    for array in arrays:  # raises where an array is read-only
        array += 1
    expected = [2.0, 2.0, 0.0, 0.0, 0.0, float(np.e) + 1]
    for array, value in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, value, rtol=1e-6)
