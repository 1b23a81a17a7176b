"""Upgrades of network layers: normalisation, dropout, pooling and recurrent operators."""

from ..ir import Value
from ..ops import Ops
from ..types import onnx_dtype
from .registry import Call, upgrade


@upgrade("BatchNormalization", before=14)
def batch_normalization(op: Ops, call: Call) -> None:
    """Training was asked for by is_test = 0 (to version 6) or by more outputs (to version 13)."""
    several = any(call.outputs[1:])
    training = not call.take("is_test", 0) if call.version < 7 else several
    if not call.take("spatial", 1):
        _per_activation(op, call, training)
        return
    if not training:
        call.outputs = call.outputs[:1]
        return
    call.attributes["training_mode"] = 1
    saved, call.outputs = call.outputs[3:], call.outputs[:3]
    if any(saved):
        rank = call.rank(0)
        _statistics(op, call.tensor(0), [0, *range(2, rank)], saved)


def _per_activation(op: Ops, call: Call, training: bool) -> None:
    """spatial = 0: each activation has statistics of its own, over the batch."""
    if training:
        raise call.refusal("training with spatial=0 was dropped from ONNX")
    x, scale, bias, mean, variance = (call.tensor(k) for k in range(5))
    epsilon = op.like(call.take("epsilon", 1e-5), x)
    deviation = op.Sqrt(op.Add(variance, epsilon))
    normal = op.Div(op.Sub(x, mean), deviation)
    call.op_type, call.inputs = "Add", [op.Mul(normal, scale), bias]
    call.outputs, call.attributes = call.outputs[:1], {}


def _statistics(op: Ops, x: Value, axes: list[int], names: list[str]) -> None:
    """Emit the batch's mean and variance under the names of outputs that were dropped."""
    mean = op.ReduceMean(x, axes, keepdims=1)
    square = op.Mul(op.Sub(x, mean), op.Sub(x, mean))
    if names[0]:
        op.emit("Squeeze", mean, axes, outputs=[names[0]])
    if names[1:] and names[1]:
        op.emit("ReduceMean", square, axes, keepdims=0, outputs=[names[1]])


@upgrade("Dropout", before=12)
def dropout(op: Ops, call: Call) -> None:
    """The ratio becomes an input; from version 7 to 10 Dropout was for inference only."""
    ratio = op.constant(call.take("ratio", 0.5), "float32")
    training = call.version < 7 and not call.take("is_test", 0)
    call.inputs = [call.inputs[0], ratio, op.constant(True) if training else None]
    if call.version < 10 and any(call.outputs[1:]):
        _float_mask(op, call)


def _float_mask(op: Ops, call: Call) -> None:
    """The mask had the type of the data."""
    x, name = call.tensor(0), call.outputs[1]
    y, mask = op.emit("Dropout", *call.inputs, outputs=2, **call.attributes)
    op.emit("Cast", mask, to=onnx_dtype(x.dtype), outputs=[name])
    call.op_type, call.inputs, call.outputs = "Identity", [y], call.outputs[:1]
    call.attributes = {}


@upgrade("GroupNormalization", before=21)
def group_normalization(op: Ops, call: Call) -> None:
    """Scale and bias were one number a group, now one a channel."""
    x, groups = call.tensor(0), int(call.attributes["num_groups"])
    each = op.Div(op.Shape(x, start=1, end=2), op.constant([groups]))
    for k in (1, 2):
        column = op.Reshape(call.tensor(k), [groups, 1])
        wide = op.Expand(column, op.Concat(op.constant([groups]), each, axis=0))
        call.inputs[k] = op.Reshape(wide, [-1])


@upgrade("GlobalLpPool", "LpPool", before=2)
def lp_pool(op: Ops, call: Call) -> None:
    """The exponent was a float."""
    p = call.attributes.get("p", 2.0)
    if p != int(p):
        raise call.refusal(f"the exponent p={p} must be a whole number since version 2")
    call.attributes["p"] = int(p)


@upgrade("LSTM", "GRU", "RNN", before=7)
def recurrent(op: Ops, call: Call) -> None:
    """`output_sequence` said whether Y is wanted; now an output that has no name is not."""
    call.take("output_sequence")
    if call.attributes.get("direction") == "foward":  # version 1 misspelt its own default
        call.attributes["direction"] = "forward"
