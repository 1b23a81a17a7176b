"""Products of matrices of few elements, in which NaN and infinities must not get lost."""

from itertools import product
from typing import Any

import numpy as np
import pytest

import onnxgrad as og


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("attributes", [{}, {"alpha": -1.0}, {"transA": 1, "transB": 1}], ids=str)
def test_nan_times_0_is_nan(dtype: str, attributes: dict[str, Any]) -> None:
    for m, k, n in product((1, 2, 5), repeat=3):
        harmed, zeros = np.ones((m, k), dtype), np.zeros((k, n), dtype)
        harmed[0, 0] = np.nan
        for a, b in ((harmed, zeros), (zeros.T.copy(), harmed.T.copy())):
            builder = og.Builder()
            turns = "transA" in attributes
            given = [x.T.copy() if turns else x for x in (a, b)]
            inputs = [builder.input(s, dtype, x.shape) for s, x in zip("ab", given, strict=True)]
            builder.output(builder.op.Gemm(*inputs, **attributes), "y")
            found = og.compile(builder.build()).run(dict(zip("ab", given, strict=True)))["y"]
            assert found.dtype == dtype and found.shape == (len(a), b.shape[1])
            np.testing.assert_array_equal(found, np.einsum("ij,jk->ik", a, b))
