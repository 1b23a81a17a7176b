"""Upgrades of operators on whole tensors: names of types, flattened softmax, renamed operators."""

from onnx import TensorProto

from ...emission.ops import Ops
from .registry import ALWAYS, Call, upgrade


@upgrade("Cast", before=6)
def cast(op: Ops, call: Call) -> None:
    """The type was a name."""
    name = str(call.attributes["to"]).upper()
    if name not in TensorProto.DataType.keys():
        raise call.refusal(f"'{name}' is not a type")
    call.attributes["to"] = int(TensorProto.DataType.Value(name))


@upgrade("Softmax", "LogSoftmax", "Hardmax", before=13)
def softmax(op: Ops, call: Call) -> None:
    """The dimensions from `axis` on were taken as one; on the last axis that changes nothing."""
    x, axis = call.tensor(0), call.take("axis", 1)
    if x.rank is not None and axis in (-1, x.rank - 1):
        call.attributes["axis"] = -1
        return
    flat = op.emit(call.op_type, op.Flatten(x, axis=axis), axis=1)
    call.op_type, call.inputs = "Reshape", [flat, op.Shape(x)]
    call.attributes["allowzero"] = 1


@upgrade("Scatter", before=ALWAYS)
def scatter(op: Ops, call: Call) -> None:
    """Scatter was renamed in version 11; files of later versions have it all the same."""
    call.op_type = "ScatterElements"


@upgrade("Range", before=ALWAYS)
def range_(op: Ops, call: Call) -> None:
    """Runtimes take one element for a scalar, and so does ONNX's own body of AffineGrid."""
    call.inputs = [op.Squeeze(v, [0]) if v and v.shape == (1,) else v for v in call.inputs]


@upgrade("QuantizeLinear", "DequantizeLinear", before=ALWAYS)
def one_scale(op: Ops, call: Call) -> None:
    """One scale for all may lie in a list of one where it fits no axis, or its zero point does."""
    x, scale, zero = call.tensor(0), call.tensor(1), call.input(2)
    if x.rank is None or call.attributes.get("block_size"):
        return
    outside = not -x.rank <= call.attributes.get("axis", 1) < x.rank
    if (outside or zero is not None and zero.rank != scale.rank) and scale.shape in ((), (1,)):
        call.inputs[1:] = [
            op.Squeeze(v, [0]) if v is not None and v.shape == (1,) else v for v in call.inputs[1:]
        ]
        call.take("axis")


@upgrade("OneHot", before=11)
def one_hot(op: Ops, call: Call) -> None:
    """Negative indices chose nothing; now they count from the end."""
    indices, depth = call.tensor(0), call.tensor(1)
    outside = op.CastLike(op.Squeeze(depth), indices)
    zero = op.constant(0, indices.dtype)
    call.inputs[0] = op.Where(op.Less(indices, zero), outside, indices)
