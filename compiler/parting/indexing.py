"""Where examples are in what is read or written by index."""

from ..standard.schemas import attribute
from .registry import Call, Mixed, Result, Rows, apart, common, parting, rank_of, size_at

_BY_PLACE = "reads or writes examples by their places in the batch"


@parting("Gather")
def gather(call: Call) -> Result:
    """The axes of the indices stand where the axis was along which is gathered."""
    x, indices = call.node.required(2)
    axis = attribute(call.node, "axis") % rank_of(x)
    of, by = call.of(0), call.of(1)
    if of is not None and by is not None:
        raise Mixed("compares examples with each other")
    if by is not None:
        return Rows(by.axis + axis, by.outer)
    if of is None:
        return ()
    apart(of, [axis], _BY_PLACE)
    return Rows(of.axis + (rank_of(indices) - 1 if axis < of.axis else 0), of.outer)


@parting("GatherElements", "ScatterElements")
def elements(call: Call) -> Result:
    """All operands hold the same examples."""
    given = call.node.given()
    if any(v not in call.rows for v in given):
        raise Mixed("indexes examples by what is the same for all, or the other way round")
    rows = common(call.rows[v] for v in given)
    if len({size_at(v, rows.axis) for v in given}) > 1:
        raise Mixed("is not known to have as many indices as there are examples")
    axis = attribute(call.node, "axis") % rank_of(given[0])
    return apart(rows, [axis], _BY_PLACE)


@parting("TensorScatter")
def cache(call: Call) -> Result:
    """Into each example of the first axis its own is written, from its own place on."""
    x = call.node.first_input
    if any(v not in call.rows for v in call.node.given()):
        raise Mixed(_BY_PLACE)
    axis = attribute(call.node, "axis") % rank_of(x)
    if (rows := common(call.rows[v] for v in call.node.given())).axis != 0 or axis == 0:
        raise Mixed(_BY_PLACE)
    return rows


@parting("GatherND")
def gather_nd(call: Call) -> Result:
    """Indices of each example into what all share, or into the same example."""
    x, indices = call.node.required(2)
    of, by, batch = call.of(0), call.of(1), attribute(call.node, "batch_dims")
    depth = indices.shape[-1] if indices.shape else None
    if by is not None:
        apart(by, [rank_of(indices) - 1], _BY_PLACE)
        if of is None and by.axis >= batch:
            return by
        if of == by and by.axis < batch:
            return by
        raise Mixed(_BY_PLACE)
    if of is None:
        return ()
    if not isinstance(depth, int) or of.axis < batch + depth:
        raise Mixed(_BY_PLACE)
    return Rows(of.axis - batch - depth + rank_of(indices) - 1, of.outer)


@parting("ScatterND")
def scatter_nd(call: Call) -> Result:
    """What is the same for all tells where in each example is written."""
    x, indices, updates = call.node.required(3)
    depth = indices.shape[-1] if indices.shape else None
    rows = call.of(0)
    if rows is None or call.of(1) is not None or not isinstance(depth, int) or rows.axis < depth:
        raise Mixed(_BY_PLACE)
    place = rows.axis - depth + rank_of(indices) - 1
    if call.of(2) != Rows(place, rows.outer):
        raise Mixed("writes into each example what is none of it")
    return rows


@parting("ReverseSequence")
def reverse(call: Call) -> Result:
    """Each sequence is turned by its own length."""
    node = call.node
    batch, time = attribute(node, "batch_axis"), attribute(node, "time_axis")
    rows, by = call.of(0), call.of(1)
    if rows is None or by is None or rows.axis == time or (rows.axis, by.axis) != (batch, 0):
        raise Mixed(_BY_PLACE)
    return rows


@parting("Compress")
def compress(call: Call) -> Result:
    """Places along another axis are taken, the same for all."""
    found, axis = call.first(), call.node.attributes.get("axis")
    if found is None or axis is None:
        raise Mixed("takes as many numbers as they tell themselves")
    return apart(found[1], [axis % rank_of(found[0])], _BY_PLACE)
