"""Arrays of other libraries: what can be brought to NumPy is, the rest is refused or stays."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.feeds import check_feeds

X = np.arange(1, 4, dtype=np.float32)


class Labelled:
    """An array that adds up by labels, as those of pandas do."""

    dtype, shape = X.dtype, X.shape

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return self.data

    def __add__(self, other: "Labelled") -> "Labelled":
        return Labelled(self.data + other.data[::-1])


class Elsewhere:
    """An array of a device: its library brings it to NumPy when asked by name only."""

    shape = X.shape

    def __init__(self, dtype: Any = X.dtype, error: Exception | None = None) -> None:
        self.dtype = dtype
        self.error = error or TypeError("implicit conversion is not allowed")

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise self.error


class Sparse:
    """What has a dtype and a shape and is no array for NumPy."""

    dtype, shape = X.dtype, X.shape


def total() -> og.Graph:
    b = og.Builder()
    x, z = b.input("x", "float32", ("N",)), b.input("z", "float32", ("N",))
    b.output(x + z, "y")
    return b.build()


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_kernels_meet_arrays_of_numpy(backend: str) -> None:
    found = og.compile(total(), backend)(x=Labelled(X), z=Labelled(X * 10))["y"]
    np.testing.assert_array_equal(found, X * 11)


def test_arrays_of_a_device_stay_there() -> None:
    x = Elsewhere()
    assert check_feeds(total().inputs, {"x": x, "z": X})[0] is x


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (Elsewhere("torch.float32", RuntimeError("use detach")), "no array of NumPy: use detach"),
        (Sparse(), "it holds neither numbers nor texts"),
        (np, "it holds neither numbers nor texts"),
    ],
)
def test_what_is_no_array_is_refused(given: Any, why: str) -> None:
    for call in (og.compile(total()), og.compile(total(), "onnxruntime")):
        with pytest.raises(og.GraphError, match=f"'x' wants float32.*{why}"):
            call(x=given, z=X)
    for check in (og.validate, lambda g, feeds: og.check_gradients(g, "y", "x", feeds)):
        with pytest.raises(og.GraphError, match=why.rpartition(": ")[2]):
            check(total(), {"x": given, "z": X})


def test_constants_say_why_an_array_is_none() -> None:
    given = Elsewhere(error=RuntimeError("use detach"))
    with pytest.raises(og.GraphError, match="cannot be a tensor: use detach"):
        og.Builder().constant(given)


def test_what_is_checked_is_what_runs() -> None:
    """Lists are rounded to the input's dtype before both runs, in float64 and as it is."""
    b = og.Builder()
    x = b.op.Cast(b.input("x", "float32", (1,)), to=11)
    b.output(b.op.Sin(x * b.constant(np.float64(1e6))), "y")
    assert og.check_gradients(b.build(), "y", "x", {"x": [0.1]})
