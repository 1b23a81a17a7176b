"""Upgrades of network layers: normalization, dropout, pooling and recurrent operators."""

from math import inf, prod

from ...emission.ops import Ops
from ...graph.ir import Value
from .registry import Call, upgrade


@upgrade("BatchNormalization", before=14)
def batch_normalization(op: Ops, call: Call) -> None:
    """Training was asked for by is_test = 0 (to version 6) or by more outputs (to version 13)."""
    several = any(call.outputs[1:])
    training = not call.take("is_test", 0) if call.version < 7 else several
    spatial = call.take("spatial", 1)
    saved, call.outputs = call.outputs[3:], call.outputs[: 3 if training else 1]
    if training:
        call.attributes["training_mode"] = 1
        _name_running(op, call)
    if training and any(saved):
        axes = [0, *range(2, call.rank(0))] if spatial else [0]
        _statistics(op, call.tensor(0), axes, saved)
    if not spatial:
        _per_activation(op, call)


def _name_running(op: Ops, call: Call) -> None:
    """Ask for the running statistics: onnxruntime crashes where one is omitted."""
    stems = ("y", "running_mean", "running_variance")
    names = [*call.outputs, "", ""][:3]
    call.outputs = [
        name or op.graph.names.fresh(op.prefix + stem)
        for name, stem in zip(names, stems, strict=True)
    ]


def _per_activation(op: Ops, call: Call) -> None:
    """spatial = 0: each activation is a channel, with statistics over the batch alone."""
    x, *parameters = (call.tensor(k) for k in range(5))
    shapes = [op.Shape(x), *[op.Shape(parameters[0])] * 2]
    flat = [op.Flatten(x), *(op.Reshape(p, [-1]) for p in parameters)]
    outputs = len(call.outputs)
    results = op.emit("BatchNormalization", *flat, outputs=outputs, **call.attributes)
    results = results if outputs > 1 else [results]
    call.give(op, [op.Reshape(r, s) for r, s in zip(results, shapes, strict=False)])


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
    op.emit("Cast", mask, to=x.dtype, outputs=[name])
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
    """The exponent was a float: a fractional one is (Σ |x|ᵖ)^(1/p) by other operators."""
    p = call.take("p", 2.0)
    if not 1 <= p < inf:
        raise call.refusal(f"its attribute 'p' must be 1 or more, got {p}")
    if p == int(p):
        call.attributes["p"] = int(p)
        return
    x = call.tensor(0)
    powers = op.Pow(op.Abs(x), op.like(p, x))
    if call.op_type == "GlobalLpPool":
        total = op.ReduceSum(powers, list(range(2, call.rank(0))))
    else:
        mean = op.AveragePool(powers, count_include_pad=1, **call.attributes)
        total = op.Mul(mean, op.like(prod(call.attributes["kernel_shape"]), x))
    call.op_type, call.attributes = "Pow", {}
    call.inputs = [total, op.like(1 / p, x)]


@upgrade("LSTM", "GRU", "RNN", before=7)
def recurrent(op: Ops, call: Call) -> None:
    """`output_sequence` said whether Y is wanted; now an output that has no name is not."""
    call.take("output_sequence")
    if call.attributes.get("direction") == "foward":  # version 1 misspelt its own default
        call.attributes["direction"] = "forward"
