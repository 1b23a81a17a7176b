"""Where examples are in what joins values along an axis, or takes values apart.

Two batches that are joined, such as anchors and their partners, hold examples in two blocks.
"""

from ..graph.dims import add, divide, multiply, negate, sum_of
from ..graph.ir import Value
from ..graph.types import Dim
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from .axes import axes_of
from .registry import Call, Mixed, Result, Rows, common, parting, parting_alone, rank_of, size_at

_END = 2**31 - 1
"""A slice that ends here or later ends at the end."""

_BY_PLACE = "takes examples by their places in the batch"


@parting("Concat")
def concat(call: Call) -> Result:
    """Blocks of examples add up; beside examples stand others of the same, or none."""
    values, node = call.node.given(), call.node
    rank = rank_of(values[0])
    axis = node.attributes["axis"] % rank
    if any(v not in call.rows for v in values):
        raise Mixed("joins examples with what is none of them")
    places = [call.rows[v] for v in values]
    if axis != common(Rows(rows.axis) for rows in places).axis:
        return common(places)
    inner = {call.inner(v, call.rows[v]) for v in values}
    if len(inner) > 1 or None in inner:
        raise Mixed("joins examples of different sizes")
    return Rows(axis, sum_of(rows.outer for rows in places))


@parting_alone("Split")
def split(call: Call, x: Value, rows: Rows) -> Result:
    """Along the axis of the examples only whole blocks of them come apart."""
    node = call.node
    axis = attribute(node, "axis") % rank_of(x)
    if axis != rows.axis:
        return rows
    count = node.attributes.get("num_outputs")
    if count is None:
        return [
            None if v is None else Rows(axis, _blocks(call, size_at(v, axis))) for v in node.outputs
        ]
    if not isinstance(rows.outer, int) or rows.outer % count:
        raise Mixed(_BY_PLACE)
    return Rows(axis, rows.outer // count)


def _blocks(call: Call, size: Dim) -> Dim:
    """Count the blocks of examples in a part of their axis."""
    found = call.first()
    assert found is not None
    inner = call.inner(*found)
    each = None if inner is None else divide(size, multiply([inner, call.symbol]))
    each = 0 if size == 0 else each
    if each is None:
        raise Mixed(_BY_PLACE)
    return each


@parting_alone("Slice")
def slice_(call: Call, x: Value, rows: Rows) -> Result:
    """Of examples all are taken, or whole blocks of them."""
    node = call.node
    starts, ends, steps = (elements_of(node.input(k)) for k in (1, 2, 4))
    axes = axes_of(node, rank_of(x), 3)
    if rows.axis not in axes:
        return rows
    k = axes.index(rows.axis)
    if starts is not None and node.input(3) is None and k >= len(starts):
        return rows
    if starts is None or ends is None or node.input(4) is not None and (not steps or steps[k] != 1):
        raise Mixed(_BY_PLACE)
    end = ends[k]
    size = size_at(x, rows.axis)
    if isinstance(end, int) and end >= _END:
        end = size
    if starts[k] == 0 and end == size:
        return rows
    first, last = _blocks(call, starts[k]), _blocks(call, end)
    outer = add(last, negate(first))
    if not all(isinstance(o, int) for o in (first, last, rows.outer)):
        raise Mixed(_BY_PLACE)
    return Rows(rows.axis, outer)
