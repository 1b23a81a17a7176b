"""Upgrades of elementwise operators: broadcasting, in-place hints, bounds."""

import numpy as np

from ...emission.ops import Ops
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
    """`axis` is where the dimensions of B start in A: B gets ones behind its own."""
    axis, broadcast = call.take("axis"), call.take("broadcast", 0)
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


@upgrade("PRelu", before=7)
def prelu(op: Ops, call: Call) -> None:
    """A slope of several numbers is one per channel, axis 1."""
    slope, rank = call.tensor(1), call.rank(0)
    if slope.shape != (1,) and slope.rank == 1 and rank > 2:
        call.inputs[1] = op.Unsqueeze(slope, list(range(1, rank - 1)))


@upgrade("Gemm", before=7)
def gemm(op: Ops, call: Call) -> None:
    """C always broadcasts now."""
    call.take("broadcast")


@upgrade("Clip", before=11)
def clip(op: Ops, call: Call) -> None:
    """The bounds become inputs."""
    least, most = call.take("min"), call.take("max")
    dtype = call.tensor(0).dtype
    bounds = [None if b is None else op.constant(np.asarray(b, dtype)) for b in (least, most)]
    call.inputs = [call.inputs[0], *bounds]
