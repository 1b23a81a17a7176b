"""Python's operators on tensors that ONNX spells in several ways, against NumPy's."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

FLOATS = np.array([7.0, -7.0, 7.5, -7.5, 1.0, 0.0, -6.0, 0.3], np.float32)
DIVISORS = np.array([2.0, 2.0, -2.0, -2.0, 0.1, 3.0, 3.0, 0.1], np.float32)
INTEGERS = np.array([7, -7, 7, -7, 6, -6, 0, 1])
WHOLE = np.array([2, 2, -2, -2, 3, 3, 5, -4])

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "~": lambda x, y: ~(x | y),
}


def check(function: Callable[[Any, Any], Any], x: np.ndarray, y: np.ndarray) -> None:
    b = og.Builder()
    b.output(function(b.input("x", x.dtype, x.shape), b.input("y", y.dtype, y.shape)), "both")
    b.output(function(b.value("x"), y[:1]), "right")
    b.output(function(x[:1], b.value("y")), "left")
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(b.build(), backend).run({"x": x, "y": y})
        np.testing.assert_array_equal(found["both"], function(x, y))
        np.testing.assert_array_equal(found["right"], function(x, y[:1]))
        np.testing.assert_array_equal(found["left"], function(x[:1], y))


@pytest.mark.parametrize("sign", ["//", "%"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_division_of_floats(sign: str, dtype: str) -> None:
    check(OPERATORS[sign], FLOATS.astype(dtype), DIVISORS.astype(dtype))


@pytest.mark.parametrize("sign", ["//", "%", "&", "|", "^", "~"])
@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_integers(sign: str, dtype: str) -> None:
    check(OPERATORS[sign], INTEGERS.astype(dtype), WHOLE.astype(dtype))


@pytest.mark.parametrize("sign", ["//", "%", "&", "|"])
def test_unsigned_integers(sign: str) -> None:
    check(OPERATORS[sign], np.abs(INTEGERS).astype("uint8"), np.abs(WHOLE).astype("uint8"))


@pytest.mark.parametrize("sign", ["&", "|", "^", "~"])
def test_bools(sign: str) -> None:
    check(OPERATORS[sign], INTEGERS > 0, WHOLE > 0)


@pytest.mark.parametrize("number", [2, -3, [2, 3, -4]])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("sign", ["//", "%"])
def test_numbers_take_the_dtype_of_the_tensor(sign: str, dtype: str, number: Any) -> None:
    """A sign has no tensor beside it, of which a whole number could learn that it is a float."""
    x = np.array([7.0, -7.0, 8.0], dtype)
    b = og.Builder()
    t = b.input("x", dtype, (3,))
    b.output(OPERATORS[sign](t, number), "right")
    b.output(OPERATORS[sign](number, t), "left")
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(b.build(), backend)(x=x)
        np.testing.assert_array_equal(found["right"], OPERATORS[sign](x, number))
        np.testing.assert_array_equal(found["left"], OPERATORS[sign](number, x))
        assert {array.dtype for array in found.values()} == {np.dtype(dtype)}


def test_transpose() -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2, 3))
    assert x.T.shape == (3, 2, "N")


def test_refusals() -> None:
    b = og.Builder()
    x, y = b.input("x", "float32", (2,)), b.input("y", "bool", (2,))
    with pytest.raises(og.GraphError, match="And is for bools and integers, not for float32"):
        _ = x & x
    with pytest.raises(og.GraphError, match="Not is for bools and integers"):
        _ = ~x
    with pytest.raises(og.GraphError, match="// and % are not for tensors of bool"):
        _ = y // y


@pytest.mark.parametrize(
    ("ask", "advice"),
    [
        (np.sin, "use op.Sin"),
        (np.tanh, "use op.Tanh"),
        (lambda x: np.add(x, 1), "use op.Add"),
        (np.hypot.reduce, "builder.op"),
        (np.mean, "builder.op"),
        (lambda x: np.concatenate([x, x]), "builder.op"),
    ],
)
def test_functions_of_numpys_name_the_operator(ask: Callable[[Any], Any], advice: str) -> None:
    x = og.Builder().input("x", "float32", (4,))
    with pytest.raises(og.GraphError, match=f"'x' has no value yet.*{advice}"):
        ask(x)


def test_methods_of_arrays_name_the_operator() -> None:
    x = og.Builder().input("x", "float32", (4,))
    with pytest.raises(AttributeError, match=r"no 'sum'; use op\.ReduceSum\(tensor, …\)"):
        x.sum()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="a Tensor has no 'nothing'$"):
        x.nothing  # type: ignore[attr-defined]  # noqa: B018  # the side effect is meant


FLOAT_OPERATORS = "add sub mul truediv floordiv mod pow matmul lt le gt ge eq ne".split()
INTEGER_OPERATORS = "add sub mul floordiv mod pow matmul lt le gt ge eq ne and_ or_ xor".split()


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        *(("float32", name) for name in FLOAT_OPERATORS),
        *(("int64", name) for name in INTEGER_OPERATORS),
    ],
)
def test_an_array_on_the_left(dtype: str, name: str) -> None:
    """As NumPy has it of two arrays."""
    function = getattr(operator, name)
    left = np.array([7 if name == "pow" else -7, 2, 5], dtype)
    right = np.array([2, 2, 3], dtype)
    b = og.Builder()
    b.output(function(left, b.input("x", dtype, (3,))), "y")
    given = og.compile(b.build()).run({"x": right})["y"]
    np.testing.assert_allclose(given, function(left, right), rtol=1e-6)
