"""How calls are written at older opsets where relabelling is not enough and ONNX has no body."""

from collections.abc import Callable
from functools import reduce

import numpy as np

from ..emission.ops import Ops
from ..emission.scanning import scan
from ..graph.ir import Node, Value
from ..graph.types import is_float
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from ..standard.traits import REDUCTIONS

MEANING_SINCE = {
    "BatchNormalization": 9,
    "Clip": 11,
    "DFT": 20,
    "DequantizeLinear": 13,
    "Dropout": 12,
    "GridSample": 20,
    "GroupNormalization": 21,
    "Hardmax": 13,
    "If": 11,
    "LogSoftmax": 13,
    "Max": 8,
    "Mean": 8,
    "Min": 8,
    "Mod": 28,
    "OneHot": 11,
    "QuantizeLinear": 13,
    "Resize": 11,
    "RoiAlign": 16,
    "Scan": 9,
    "Softmax": 13,
    "Sum": 8,
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
    axes = node.input(3)
    if axes is None or x.rank is None:
        return axes is None
    zeros = np.zeros(x.rank, np.int64)
    if axes.constant is not None:
        places = np.arange(x.rank)[axes.constant]
        both = op.constant(np.concatenate([places, places + x.rank]))
        every = op.ScatterElements(op.constant(np.tile(zeros, 2)), both, pads)
    else:  # in two halves, where an axis that is none is refused
        halves = op.Split(pads, axis=0, num_outputs=2)
        at = op.Cast(axes, to="int64")
        padded = [op.ScatterElements(op.constant(zeros), at, half) for half in halves]
        every = op.Concat(*padded, axis=0)
    node.inputs = (x, every, *node.inputs[2:3])
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


@downgrade("Sum", "Mean", "Max", "Min", before=8)
def variadic(op: Ops, node: Node) -> bool:
    """All shapes were equal; sums of others are additions, which broadcast."""
    if all(v is not None and v.shape == node.output().shape for v in node.inputs):
        return node.output().shape is not None
    if node.op_type not in ("Sum", "Mean"):
        return False
    count, total = len(node.inputs), reduce(op.Add, node.inputs)
    if node.op_type == "Mean":
        node.op_type, node.inputs = "Div", (total, op.constant(count, node.output().dtype))
    else:
        node.op_type, node.inputs = "Identity", (total,)
    return True


@downgrade("Mod", before=28)
def modulo(op: Ops, node: Node) -> bool:
    """Of floats there was only the remainder of the truncated quotient, with the sign of x."""
    x, y = node.required(2)
    if node.attributes.get("fmod", 0) or not is_float(x.dtype):
        return True
    rest, zero = op.Mod(x, y, fmod=1), op.like(0, x)
    opposed = op.Less(op.Mul(op.Sign(rest), op.Sign(y)), zero)
    node.op_type, node.attributes = "Where", {}
    node.inputs = (opposed, op.Add(rest, y), rest)
    return True


@downgrade("Clip", before=11)
def clip(op: Ops, node: Node) -> bool:
    """Bounds that are known were attributes; one that was missing cut off infinity."""
    bounds = [node.input(1), node.input(2)]
    if bounds == [None, None]:
        node.op_type, node.inputs = "Identity", node.inputs[:1]
        return True
    known = [None if v is None or v.parameter else v.constant for v in bounds]
    least, most = [None if a is None else float(a) for a in known]
    if least is None or most is None or not -np.inf < least <= most < np.inf:
        return False
    node.inputs, node.attributes = node.inputs[:1], {"min": least, "max": most}
    return True


@downgrade("If", before=11)
def same_shapes(op: Ops, node: Node) -> bool:
    """The branches gave the same shapes."""
    then, other = ([v.type for v in g.outputs] for g in node.subgraphs)
    return then == other


@downgrade("OneHot", before=11)
def one_hot(op: Ops, node: Node) -> bool:
    """Negative indices chose nothing; now they count from the end."""
    indices, depth, values = node.required(3)
    count = op.Cast(op.Reshape(depth, [1]), to=indices.dtype)
    counted = op.Where(op.Less(indices, op.like(0, indices)), op.Add(indices, count), indices)
    node.inputs = (op.Reshape(counted, op.Shape(indices)), depth, values)
    return True


@downgrade("QuantizeLinear", "DequantizeLinear", before=13)
def per_tensor(op: Ops, node: Node) -> bool:
    """The scale was one number."""
    return node.required(2)[1].rank == 0


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
    """Multiply entry by entry, along the axis that is brought to the front."""
    reverse, exclusive = attribute(node, "reverse"), attribute(node, "exclusive")
    order = list(range(x.known_rank))
    order[axis], order[0] = 0, axis

    def step(inner: Ops, so_far: Value, factor: Value) -> tuple[Value, Value]:
        product = inner.Mul(so_far, factor)
        return product, inner.Identity(so_far if exclusive else product)

    rows = op.Transpose(x, perm=order)
    one = op.Expand(op.like(1, x), op.Shape(rows, start=1))
    products = scan(op, one, rows, step=step, axis=0, backward=bool(reverse))
    return op.Transpose(products, perm=order)
