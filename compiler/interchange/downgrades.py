"""How calls are said at older opsets where relabelling is not enough and ONNX has no body."""

from collections.abc import Callable

import numpy as np

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from ..standard.traits import REDUCTIONS

MEANING_SINCE = {
    "BatchNormalization": 9,
    "DFT": 20,
    "Dropout": 12,
    "GridSample": 20,
    "GroupNormalization": 21,
    "Hardmax": 13,
    "LogSoftmax": 13,
    "OneHot": 11,
    "Resize": 11,
    "RoiAlign": 16,
    "Scan": 9,
    "Softmax": 13,
}
"""The first opset at which an operator means what it does now, where no signature tells."""

Downgrade = Callable[[Ops, Node], bool]
"""Changes a node so that it fits an older opset; tells whether it could."""

DOWNGRADES: dict[str, list[tuple[int, Downgrade]]] = {}
"""For each operator its downgrades, each with the first opset that needs none."""


def downgrade(*op_types: str, before: int) -> Callable[[Downgrade], Downgrade]:
    """Register a downgrade for opsets older than `before`."""

    def register(function: Downgrade) -> Downgrade:
        for op_type in op_types:
            DOWNGRADES.setdefault(op_type, []).append((before, function))
        return function

    return register


def _constant(node: Node, index: int) -> list[int] | None:
    """Give the integers of an input that is known, None where it is not."""
    value = node.inputs[index] if index < len(node.inputs) else None
    elements = elements_of(value)
    if elements is None or not all(isinstance(e, int) for e in elements):
        return None
    return [int(e) for e in elements]


def _omitted(node: Node, index: int) -> bool:
    return index >= len(node.inputs) or node.inputs[index] is None


def _as_attribute(node: Node, name: str) -> bool:
    """Make the second input, the last, an attribute, if it is known."""
    known = _constant(node, 1)
    if known is not None:
        node.inputs = node.inputs[:1]
        node.attributes[name] = known
    return known is not None


@downgrade(*REDUCTIONS - {"ReduceSum"}, before=18)
@downgrade("ReduceSum", before=13)
def reduction(op: Ops, node: Node) -> bool:
    """Axes that are known were an attribute."""
    axes = [] if _omitted(node, 1) else _constant(node, 1)
    nothing = attribute(node, "noop_with_empty_axes") and not axes
    if axes is None or nothing:
        return False
    node.inputs = node.inputs[:1]
    node.attributes.pop("noop_with_empty_axes", None)
    if axes:
        node.attributes["axes"] = axes
    return True


@downgrade("Squeeze", "Unsqueeze", before=13)
def squeeze(op: Ops, node: Node) -> bool:
    """Axes that are known were an attribute."""
    return _omitted(node, 1) or _as_attribute(node, "axes")


@downgrade("Split", before=18)
def split_evenly(op: Ops, node: Node) -> bool:
    """Outputs of ceil(length / number) each, the last one shorter, are written as sizes."""
    count = node.attributes.pop("num_outputs", None)
    if count is None:
        return True
    x = node.first_input
    axis = attribute(node, "axis")
    if x.rank is None:
        return False
    length = op.Shape(x, start=axis % x.rank, end=axis % x.rank + 1)
    each = op.Div(op.Add(length, [count - 1]), [count])
    last = op.Sub(length, op.Mul(each, [count - 1]))
    node.inputs = (x, op.Concat(*[each] * (count - 1), last, axis=0))
    return True


@downgrade("Split", before=13)
def split_sizes(op: Ops, node: Node) -> bool:
    """Sizes that are known were an attribute."""
    return _as_attribute(node, "split")


@downgrade("Reshape", before=14)
def reshape(op: Ops, node: Node) -> bool:
    """allowzero changes nothing where no size can be 0."""
    shape = elements_of(node.inputs[1])
    if shape is None or not all(isinstance(d, int) and d for d in shape):
        return False
    node.attributes.pop("allowzero", None)
    return True


@downgrade("Shape", before=15)
def shape(op: Ops, node: Node) -> bool:
    """start and end are a Slice of the whole shape."""
    if not {"start", "end"} & node.attributes.keys():
        return False
    start, end = node.attributes.pop("start", 0), node.attributes.pop("end", None)
    whole = op.Shape(node.inputs[0])
    bound = int(np.iinfo(np.int64).max) if end is None else end
    node.op_type, node.inputs = "Slice", (whole, op.constant([start]), op.constant([bound]))
    return True


@downgrade("Pad", before=18)
def pad(op: Ops, node: Node) -> bool:
    """Pads of some axes are pads of all axes, with zeros elsewhere."""
    x, pads = node.required(2)
    rest = node.inputs[2:]
    axes = None if _omitted(node, 3) else _constant(node, 3)
    if axes is None or x.rank is None:
        return _omitted(node, 3)
    places = [a % x.rank for a in axes]
    places += [x.rank + p for p in places]
    zeros = op.constant(np.zeros(2 * x.rank, np.int64))
    node.inputs = (x, op.ScatterElements(zeros, op.constant(places), pads), *rest[:1])
    while node.inputs[-1] is None:
        node.inputs = node.inputs[:-1]
    return True


@downgrade("DFT", before=20)
def dft(op: Ops, node: Node) -> bool:
    """An axis that is known was an attribute."""
    axis = [-2] if _omitted(node, 2) else _constant(node, 2)
    x = node.inputs[0]
    if axis is None or x is None or x.rank is None:
        return False
    node.attributes["axis"] = axis[0] % x.rank
    node.inputs = node.inputs[:2] if not _omitted(node, 1) else node.inputs[:1]
    return True


@downgrade("GridSample", before=20)
def grid_sample(op: Ops, node: Node) -> bool:
    """The modes of pictures had a "bi"; volumes came later."""
    x = node.inputs[0]
    mode = attribute(node, "mode")
    if x is None or x.rank != 4:
        return False
    node.attributes["mode"] = mode if mode == "nearest" else f"bi{mode}"
    return True


@downgrade("Softmax", "LogSoftmax", "Hardmax", before=13)
def softmax(op: Ops, node: Node) -> bool:
    """The last axis, alone or moved there, is the same."""
    x = node.first_input
    if x.rank is None:
        return False
    axis = attribute(node, "axis") % max(x.rank, 1)
    if axis == x.rank - 1:
        node.attributes["axis"] = axis
        return True
    order = [a for a in range(x.rank) if a != axis] + [axis]
    moved = op.emit(node.op_type, op.Transpose(x, perm=order), axis=-1)
    node.op_type, node.inputs = "Transpose", (moved,)
    node.attributes = {"perm": [order.index(a) for a in range(x.rank)]}
    return True


@downgrade("RoiAlign", before=16)
def roi_align(op: Ops, node: Node) -> bool:
    """Boxes were never shifted."""
    return node.attributes.pop("coordinate_transformation_mode", "") == "output_half_pixel"


@downgrade("CumProd", before=26)
def cumulative_product(op: Ops, node: Node) -> bool:
    """y[i] = Π x[j] over the j up to i; where the axis is known at run time only, one for each."""
    x, place = node.required(2)
    if x.rank is None:
        return False
    known = _constant(node, 1)
    axes = range(x.rank) if known is None else [known[0] % x.rank]
    y = _products_along(op, node, x, axes[0])
    for axis in axes[1:]:
        chosen = op.Or(op.Equal(place, axis), op.Equal(place, axis - x.rank))
        y = op.Where(op.Reshape(chosen, [1]), _products_along(op, node, x, axis), y)
    node.op_type, node.inputs, node.attributes = "Identity", (y,), {}
    return True


def _products_along(op: Ops, node: Node, x: Value, axis: int) -> Value:
    """Multiply the rows of x under a triangular mask."""
    last, reverse = x.known_rank - 1, attribute(node, "reverse")
    order = list(range(x.known_rank))
    order[axis], order[last] = last, axis
    rows = op.Unsqueeze(op.Transpose(x, perm=order), [last])
    length = op.Squeeze(op.Shape(rows, start=last + 1), [0])
    count = op.Range(op.constant(0), length, op.constant(1))
    i, j = op.Unsqueeze(count, [1]), op.Unsqueeze(count, [0])
    compare = op.GreaterOrEqual if not attribute(node, "exclusive") else op.Greater
    mask = compare(j, i) if reverse else compare(i, j)
    products = op.ReduceProd(op.Where(mask, rows, op.like(1, x)), [last + 1], keepdims=0)
    return op.Transpose(products, perm=order)
