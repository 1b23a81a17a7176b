"""Which windows hold something: compiled, as told by NumPy array by array."""

import numpy as np
import pytest

from onnxgrad.backends.compiled.winograd import IN_REGISTERS
from onnxgrad.backends.kernels.windows import windows
from onnxgrad.backends.kernels.winograd import IN_NUMPY


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 3)])
@pytest.mark.parametrize("odd", [1.0, 40.0, 1e-30, 1e25, np.nan, -np.inf, 1e-200])
@np.errstate(all="ignore")
def test_windows_are_told_as_by_numpy(dtype: str, dilations: tuple[int, int], odd: float) -> None:
    """An odd number among few others stands at every place once."""
    over = windows((9, 11), (3, 3), None, dilations, (0, 2, 1, 3), "NOTSET")
    rng = np.random.default_rng(0)
    told = []
    for place in range(99):
        x = rng.normal(size=(2, 9, 11, 3)) * (rng.uniform(size=(2, 9, 11, 1)) < 0.2)
        x[1, place // 11, place % 11, 1] = odd
        x = x.astype(dtype)
        found, wanted = (t.reach(np, x, over) for t in (IN_REGISTERS, IN_NUMPY))
        assert (found is None) == (wanted is None)
        told.append(found is None)
        if found is not None:
            np.testing.assert_array_equal(found, wanted)
    assert all(told) or np.isfinite(odd)
    assert not all(told) or odd not in (1.0, 1e-30)
