"""Python's operators on tensors; ONNX has most of them, and spells some in several nodes."""

from typing import Any, Self

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Value


class PythonOperators:
    """Python's operators as nodes that the builder of a tensor adds."""

    __slots__ = ()
    __hash__ = object.__hash__

    builder: Any
    value: Value

    def __add__(self, other: Any) -> Self:
        return self.builder.op.Add(self, other)

    def __radd__(self, other: Any) -> Self:
        return self.builder.op.Add(other, self)

    def __sub__(self, other: Any) -> Self:
        return self.builder.op.Sub(self, other)

    def __rsub__(self, other: Any) -> Self:
        return self.builder.op.Sub(other, self)

    def __mul__(self, other: Any) -> Self:
        return self.builder.op.Mul(self, other)

    def __rmul__(self, other: Any) -> Self:
        return self.builder.op.Mul(other, self)

    def __truediv__(self, other: Any) -> Self:
        return self.builder.op.Div(self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self.builder.op.Div(other, self)

    def __floordiv__(self, other: Any) -> Self:
        return divide(self.builder, self, other)[0]

    def __rfloordiv__(self, other: Any) -> Self:
        return divide(self.builder, other, self)[0]

    def __mod__(self, other: Any) -> Self:
        return divide(self.builder, self, other)[1]

    def __rmod__(self, other: Any) -> Self:
        return divide(self.builder, other, self)[1]

    def __and__(self, other: Any) -> Self:
        return bitwise(self.builder, "And", self, other)

    def __rand__(self, other: Any) -> Self:
        return bitwise(self.builder, "And", other, self)

    def __or__(self, other: Any) -> Self:
        return bitwise(self.builder, "Or", self, other)

    def __ror__(self, other: Any) -> Self:
        return bitwise(self.builder, "Or", other, self)

    def __xor__(self, other: Any) -> Self:
        return bitwise(self.builder, "Xor", self, other)

    def __rxor__(self, other: Any) -> Self:
        return bitwise(self.builder, "Xor", other, self)

    def __invert__(self) -> Self:
        return bitwise(self.builder, "Not", self)

    def __pow__(self, other: Any) -> Self:
        return self.builder.op.Pow(self, other)

    def __rpow__(self, other: Any) -> Self:
        base = self.builder.constant(other, dtype=self.value.dtype)  # Pow gives the base's dtype
        return self.builder.op.Pow(base, self)

    def __matmul__(self, other: Any) -> Self:
        return self.builder.op.MatMul(self, other)

    def __rmatmul__(self, other: Any) -> Self:
        return self.builder.op.MatMul(other, self)

    def __neg__(self) -> Self:
        return self.builder.op.Neg(self)

    def __abs__(self) -> Self:
        return self.builder.op.Abs(self)

    def __lt__(self, other: Any) -> Self:
        return self.builder.op.Less(self, other)

    def __le__(self, other: Any) -> Self:
        return self.builder.op.LessOrEqual(self, other)

    def __gt__(self, other: Any) -> Self:
        return self.builder.op.Greater(self, other)

    def __ge__(self, other: Any) -> Self:
        return self.builder.op.GreaterOrEqual(self, other)

    def __eq__(self, other: Any) -> Self:  # type: ignore[override]  # element by element
        return self.builder.op.Equal(self, other)

    def __ne__(self, other: Any) -> Self:  # type: ignore[override]  # element by element
        return self.builder.op.Not(self == other)


def divide(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Give floor(x / y) and the rest, which has the sign of y, as Python and NumPy have them.

    The rest is computed first, exactly, and the quotient of it: 1 // 0.1 is 9, as x / y rounds.
    """
    op = builder.op
    dtype = _dtype(x, y)
    # a number takes part in what knows no tensor beside it, such as its sign
    x, y = (v if hasattr(v, "dtype") else builder.constant(v, dtype=dtype) for v in (x, y))
    if dtype.kind in "iu":
        rest = op.Mod(x, y)
        return op.Div(op.Sub(x, rest), y), rest
    if dtype.kind == "b":
        raise GraphError("// and % are not for tensors of bool; use op.Cast first")
    rest = op.Mod(x, y, fmod=1)
    turned = op.And(op.Not(op.Equal(rest, 0)), op.Less(op.Mul(op.Sign(rest), op.Sign(y)), 0))
    rest = op.Where(turned, op.Add(rest, y), rest)
    return op.Round(op.Div(op.Sub(x, rest), y)), rest


def bitwise(builder: Any, name: str, *operands: Any) -> Any:
    """Apply And, Or, Xor or Not to bools, and to the bits of integers."""
    dtype = _dtype(*operands)
    if dtype.kind not in "biu":
        raise GraphError(
            f"{name} is for bools and integers, not for {dtype}; compare or cast first"
        )
    prefix = "" if dtype.kind == "b" else "Bitwise"
    return getattr(builder.op, f"{prefix}{name}")(*operands)


def _dtype(*operands: Any) -> np.dtype:
    """Give the dtype of the tensor among the operands."""
    return next(np.dtype(x.dtype) for x in operands if hasattr(x, "builder"))
