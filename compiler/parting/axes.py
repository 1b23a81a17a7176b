"""Where examples are in what operators give that work along axes."""

from ..graph.ir import Node, Value
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from ..standard.traits import REDUCTIONS
from .elementwise import aligned
from .registry import (
    Call,
    Mixed,
    Result,
    Rows,
    Total,
    apart,
    common,
    parting,
    parting_alone,
    rank_of,
    size_at,
)

_SUMS = {
    "ReduceSum": Total.SUM,
    "ReduceSumSquare": Total.SUM,
    "ReduceL1": Total.SUM,
    "ReduceMean": Total.MEAN,
}

_OF_SUMS = {"ReduceL2", "ReduceLogSum"}
"""Reductions that are made of a sum."""


def axes_of(node: Node, rank: int, index: int = 1) -> list[int]:
    """Give the axes that an input lists, counted from the front; all where it is omitted.

    Raises:
        Mixed: they are not known.
    """
    given = node.input(index)
    if given is None:
        return list(range(rank))
    found = elements_of(given)
    axes = [d for d in found or () if isinstance(d, int)]
    if found is None or len(axes) < len(found):
        raise Mixed("works along axes that only run time tells")
    return [axis % rank for axis in axes]


@parting_alone(*REDUCTIONS)
def reduction(call: Call, x: Value, rows: Rows) -> Result:
    """A sum or a mean over examples is one of the batch, in whatever parts."""
    node = call.node
    axes = [] if node.input(1) is None else axes_of(node, rank_of(x))
    if not axes and not attribute(node, "noop_with_empty_axes"):
        axes = list(range(rank_of(x)))
    if rows.axis not in axes:
        gone = 0 if attribute(node, "keepdims") else sum(axis < rows.axis for axis in axes)
        return Rows(rows.axis - gone, rows.outer)
    if node.op_type in _OF_SUMS:
        return None
    if node.op_type not in _SUMS:
        raise Mixed("reduces over examples what is no sum of them")
    return _SUMS[node.op_type]


@parting_alone("ReduceToShape", composite=True)
def reduce_to_shape(call: Call, dy: Value, rows: Rows) -> Result:
    """dy is summed over what broadcasting had spread."""
    y = call.node.output()
    place = rows.axis - (rank_of(dy) - rank_of(y))
    if place < 0 or size_at(y, place) == 1:
        return Total.SUM
    if size_at(y, place) != size_at(dy, rows.axis):
        raise Mixed("is not known to sum over the examples or to leave them")
    return Rows(place, rows.outer)


@parting("ArgMax", "ArgMin")
def arg(call: Call) -> Result:
    """The axis is reduced."""
    x, rows = call.node.first_input, call.of(0)
    if rows is None:
        return None
    axis = attribute(call.node, "axis") % rank_of(x)
    apart(rows, [axis], "compares examples with each other")
    gone = not attribute(call.node, "keepdims") and axis < rows.axis
    return Rows(rows.axis - gone, rows.outer)


@parting_alone("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "TopK")
def along_axis(call: Call, x: Value, rows: Rows) -> Result:
    """Each line along the axis is for itself."""
    axis = attribute(call.node, "axis") % rank_of(x)
    return apart(rows, [axis], "works along the axis of the examples")


@parting("SoftmaxGrad", "LogSoftmaxGrad", composite=True)
def along_axis_backwards(call: Call) -> Result:
    """Each line along the axis is for itself."""
    rows = common(call.rows[v] for v in call.node.given())
    axis = attribute(call.node, "axis") % rank_of(call.node.first_input)
    return apart(rows, [axis], "works along the axis of the examples")


@parting_alone("CumSum", "CumProd")
def cumulative(call: Call, x: Value, rows: Rows) -> Result:
    """The axis is an input."""
    return apart(rows, axes_of(call.node, rank_of(x)), "adds up along the axis of the examples")


@parting("LayerNormalization", "RMSNormalization")
def layer(call: Call) -> Result:
    """The axes from one on are normalized together."""
    x, given = call.node.first_input, [v for v in call.node.inputs if v is not None]
    rows = aligned(call, given, rank_of(x))
    axes = range(attribute(call.node, "axis") % rank_of(x), rank_of(x))
    return apart(rows, axes, "normalizes over the examples")


@parting_alone("MeanVarianceNormalization")
def standardized(call: Call, x: Value, rows: Rows) -> Result:
    """The axes that it lists are normalized together."""
    axes = [axis % rank_of(x) for axis in attribute(call.node, "axes")]
    return apart(rows, axes, "normalizes over the examples")


@parting_alone("Det")
def determinant(call: Call, x: Value, rows: Rows) -> Result:
    """The last two axes are those of matrices."""
    return apart(rows, [rank_of(x) - 2, rank_of(x) - 1], "takes the examples for a matrix")


@parting_alone("Trilu")
def trilu(call: Call, x: Value, rows: Rows) -> Result:
    """It works on the last two axes."""
    axes = [rank_of(x) - 2, rank_of(x) - 1]
    return apart(rows, axes, "cuts off examples by their places in the batch")


@parting_alone("Pad")
def pad(call: Call, x: Value, rows: Rows) -> Result:
    """Nothing is put before or after the examples."""
    node = call.node
    axes, pads = axes_of(node, rank_of(x), 3), elements_of(node.input(1))
    if rows.axis not in axes:
        return rows
    if pads is None:
        raise Mixed("pads by numbers that only run time tells")
    k = axes.index(rows.axis)
    if pads[k] != 0 or pads[k + len(axes)] != 0:
        raise Mixed("pads the batch")
    return rows
