"""Upgrades of operators whose axes, shapes and counts were attributes and are inputs now."""

from ...emission.ops import Ops
from ...graph.ir import Value
from ...standard.traits import REDUCTIONS
from .registry import Call, upgrade


@upgrade("ReduceSum", before=13)
@upgrade(*REDUCTIONS - {"ReduceSum"}, before=18)
def reduction(op: Ops, call: Call) -> None:
    """The axes become an input; none given means all."""
    axes = call.take("axes")
    call.inputs = [call.inputs[0], _integers(op, axes) if axes else None]


@upgrade("Squeeze", "Unsqueeze", before=13)
def squeeze(op: Ops, call: Call) -> None:
    """The axes become an input; none given means all of size 1, to every runtime."""
    axes = call.take("axes")
    call.inputs = [call.inputs[0], _integers(op, axes) if axes else None]


@upgrade("Reshape", before=5)
def reshape(op: Ops, call: Call) -> None:
    """The shape becomes an input."""
    call.inputs = [call.inputs[0], _integers(op, call.take("shape", []))]


@upgrade("Slice", before=10)
def slice_(op: Ops, call: Call) -> None:
    """Starts, ends and axes become inputs."""
    starts, ends, axes = call.take("starts"), call.take("ends"), call.take("axes")
    given = [_integers(op, starts), _integers(op, ends)]
    call.inputs = [call.inputs[0], *given, None if axes is None else _integers(op, axes)]


@upgrade("Split", before=2)
def split_of_version_1(op: Ops, call: Call) -> None:
    """The sizes were an attribute or an input of the data's type."""
    call.attributes.setdefault("axis", 0)
    if call.input(1) is not None:
        call.inputs[1] = op.Cast(call.tensor(1), to="int64")


@upgrade("Split", before=13)
def split_sizes(op: Ops, call: Call) -> None:
    """The sizes become an input."""
    sizes = call.take("split")
    if sizes is not None:
        call.inputs = [call.inputs[0], _integers(op, sizes)]


@upgrade("Split", before=18)
def split_evenly(op: Ops, call: Call) -> None:
    """Without sizes the number of outputs was counted, and all had the same length.

    What only run time tells is written as sizes: num_outputs lets the last one be shorter.
    """
    if call.input(1) is not None:
        return
    parts, x = len(call.outputs), call.tensor(0)
    axis = call.attributes.get("axis", 0)
    length = None if x.shape is None or not -len(x.shape) <= axis < len(x.shape) else x.shape[axis]
    if isinstance(length, int):
        if length % parts:
            raise call.refusal(f"{length} elements cannot be split into {parts} equal parts")
        call.attributes["num_outputs"] = parts
    else:
        each = op.Div(op.Gather(op.Shape(x), [axis]), parts)
        call.inputs = [x, op.Concat(*[each] * parts, axis=0)]


@upgrade("TopK", before=10)
def top_k(op: Ops, call: Call) -> None:
    """K becomes an input."""
    call.inputs = [call.inputs[0], _integers(op, [call.take("k")])]


@upgrade("Pad", before=2)
def pad_of_version_1(op: Ops, call: Call) -> None:
    """`paddings` was renamed."""
    call.attributes["pads"] = call.take("paddings")


@upgrade("Pad", before=11)
def pad(op: Ops, call: Call) -> None:
    """Pads and value become inputs."""
    pads, value = call.take("pads"), call.take("value", 0.0)
    filling = op.like(value, call.tensor(0)) if value else None
    call.inputs = [call.inputs[0], _integers(op, pads), filling]


@upgrade("Tile", before=6)
def tile(op: Ops, call: Call) -> None:
    """`tiles` repeats along one `axis` become repeats of every axis."""
    x, tiles, axis = (call.tensor(k) for k in range(3))
    tiles = op.Reshape(op.Cast(tiles, to="int64"), [1])
    axis = op.Reshape(op.Cast(axis, to="int64"), [1])
    ones = op.ConstantOfShape([call.rank(0)], value=[1])
    call.inputs = [x, op.ScatterElements(ones, axis, tiles)]


@upgrade("Flatten", before=11)
def flatten(op: Ops, call: Call) -> None:
    """The axis counted from the front; of other operators everyone took both."""
    if (axis := call.attributes.get("axis", 1)) < 0:
        raise call.refusal(f"its axis counts from the front, and is {axis}")


@upgrade("Concat", before=4)
def concat(op: Ops, call: Call) -> None:
    """The axis was 1 where none was given."""
    call.attributes.setdefault("axis", 1)


@upgrade("DFT", before=20)
def dft(op: Ops, call: Call) -> None:
    """The axis becomes an input."""
    axis = op.constant(call.take("axis", 1))
    call.inputs = [call.inputs[0], call.input(1), axis]


def _integers(op: Ops, numbers: list[int]) -> Value:
    return op.constant(numbers, "int64")
