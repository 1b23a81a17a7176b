"""Python's operators that ONNX spells in several ways: //, %, &, | and ~; it holds no tensor."""

from typing import Any

import numpy as np

from onnxgrad.compiler.errors import GraphError


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
