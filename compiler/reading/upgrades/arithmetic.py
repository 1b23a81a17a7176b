"""Upgrades of elementwise operators: broadcasting, in-place hints, bounds."""

import numpy as np

from ...emission.ops import Ops
from ...graph.types import Shape, is_float, is_static
from .registry import Call, upgrade

_IN_PLACE = (
    "Abs", "Add", "BatchNormalization", "Ceil", "Clip", "Div", "Dropout", "Elu", "Exp", "Floor",
    "HardSigmoid", "InstanceNormalization", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mul", "Neg",
    "PRelu", "Reciprocal", "Relu", "Reshape", "Selu", "Sigmoid", "Sqrt", "Sub", "Sum", "Tanh",
)  # fmt: skip

_BROADCASTING = (
    "Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less",
)  # fmt: skip


@upgrade("Selu", before=6)
def selu(op: Ops, call: Call) -> None:
    """The constants of version 1 had fewer digits."""
    call.attributes.setdefault("alpha", 1.6732)
    call.attributes.setdefault("gamma", 1.0507)


@upgrade(*_IN_PLACE, before=6)
def in_place(op: Ops, call: Call) -> None:
    """`consumed_inputs` allowed a runtime to overwrite inputs; it never changed a number."""
    call.take("consumed_inputs")


@upgrade(*_BROADCASTING, before=7)
def broadcasting(op: Ops, call: Call) -> None:
    """`axis` is where the dimensions of B start in A: B gets ones after its own."""
    axis, broadcast = call.take("axis"), call.take("broadcast", 0)
    a, b = call.tensor(0).shape, call.tensor(1).shape
    if not broadcast and differ(a, b):
        raise call.refusal(f"it does not broadcast {b} to {a} without broadcast=1")
    if a is not None and b is not None and len(b) > len(a):
        raise call.refusal(f"it broadcasts its second input to its first, and {b} is larger")
    if not broadcast or axis is None:
        return
    rank, inner = call.rank(0), call.rank(1)
    axis += rank if axis < 0 else 0
    behind = rank - axis - inner
    if axis < 0 or behind < 0:
        raise call.refusal(f"no axis of rank {rank} lets the {inner} of B begin there")
    if behind > 0:
        axes = list(range(inner, inner + behind))
        call.inputs[1] = op.Unsqueeze(call.tensor(1), axes)


@upgrade("Sum", "Max", "Mean", "Min", before=8)
def variadic(op: Ops, call: Call) -> None:
    """All inputs had the same shape."""
    first = call.tensor(0).shape
    for k in range(1, len(call.inputs)):
        if differ(first, other := call.tensor(k).shape):
            raise call.refusal(f"it does not broadcast {other} to {first}")


def differ(a: Shape | None, b: Shape | None) -> bool:
    """Tell whether two shapes certainly differ."""
    if a is None or b is None:
        return False
    numbers = (p != q for p, q in zip(a, b, strict=False) if is_static((p, q)))
    return len(a) != len(b) or any(numbers)


@upgrade("PRelu", before=7)
def prelu(op: Ops, call: Call) -> None:
    """A slope of several numbers is one per channel, axis 1."""
    slope, rank = call.tensor(1), call.rank(0)
    if slope.shape != (1,) and slope.rank == 1 and rank > 2:
        call.inputs[1] = op.Unsqueeze(slope, list(range(1, rank - 1)))


@upgrade("Gemm", before=7)
def gemm(op: Ops, call: Call) -> None:
    """C always broadcasts now."""
    broadcast, (a, b, c) = call.take("broadcast", 0), (call.tensor(k).shape for k in range(3))
    if broadcast or a is None or b is None:
        return
    rows, columns = (call.attributes.get(name, 0) for name in ("transA", "transB"))
    if differ(product := (a[-1 if rows else 0], b[0 if columns else -1]), c):
        raise call.refusal(f"it does not broadcast {c} to {product} without broadcast=1")


@upgrade("Clip", before=11)
def clip(op: Ops, call: Call) -> None:
    """The bounds become inputs; since version 6 there were two, which cut off infinity."""
    largest = float(np.finfo(np.float32).max) if call.version >= 6 else None
    least = call.take("min", None if largest is None else -largest)
    most = call.take("max", largest)
    dtype = call.tensor(0).dtype
    if least is not None and most is not None and least > most:
        raise call.refusal(f"its bounds {least} and {most} leave nothing between them")
    if dtype == np.float16:  # of which all numbers are smaller
        least, most = (None if b in (largest, -(largest or 0)) else b for b in (least, most))
    bounds = [None if b is None else op.constant(np.asarray(b, dtype)) for b in (least, most)]
    call.inputs = [call.inputs[0], *bounds]


@upgrade("Mod", before=28)
def modulo(op: Ops, call: Call) -> None:
    """The remainder of a quotient rounded down was for integers only."""
    if is_float(call.tensor(0).dtype) and not call.attributes.get("fmod", 0):
        raise call.refusal("of floats it needs fmod=1")
