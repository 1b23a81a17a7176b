"""Where examples are in what is computed element by element."""

from collections.abc import Sequence

from ..graph.ir import Value
from ..standard.traits import ELEMENTWISE
from .registry import (
    Call,
    Mixed,
    Result,
    Rows,
    common,
    parting,
    parting_alone,
    rank_of,
    shape_of,
    size_at,
)


def aligned(
    call: Call, values: Sequence[Value], rank: int | None = None, at: Rows | None = None
) -> Rows:
    """Give where examples are once operands are aligned at the right, as broadcasting does.

    Args:
        call: the node.
        values: the operands.
        rank: of what they are broadcast to; by default the largest of theirs.
        at: where that holds examples, if another operand tells.

    Raises:
        Mixed: examples meet others there, or numbers of which there is one for each place.
    """
    rank = max(map(rank_of, values)) if rank is None else rank
    held = [(v, call.rows[v]) for v in values if v in call.rows]
    places = [Rows(r.axis + rank - rank_of(v), r.outer) for v, r in held]
    rows = common(places if at is None else [*places, at])
    for value in values:
        place = rows.axis - (rank - rank_of(value))
        if value not in call.rows and place >= 0 and size_at(value, place) != 1:
            raise by_place(value)
    return rows


def by_place(value: Value) -> Mixed:
    """Give what is wrong with a value that the whole batch reads and that no data tell."""
    return Mixed(
        f"reads '{value.name}', {value.type}, which has numbers for the examples by their places "
        "in the batch"
    )


@parting(*sorted(ELEMENTWISE - {"CastLike"}))
@parting("Dropout", "Bernoulli", "RandomNormalLike", "RandomUniformLike", "BitCast")
def elementwise(call: Call) -> Result:
    """f(x, y) with x and y aligned at the right."""
    return aligned(call, [v for v in call.node.inputs if v is not None])


@parting("ChosenGradient", "GeluGrad", "StopGradient", "StraightThrough", composite=True)
def elementwise_composite(call: Call) -> Result:
    """A composite of operands of one shape."""
    return aligned(call, [v for v in call.node.inputs if v is not None])


@parting("CastLike")
def cast_like(call: Call) -> Result:
    """Only the dtype of the second operand matters."""
    return call.of(0)


@parting_alone("QuantizeLinear", "DequantizeLinear")
def quantization(call: Call, x: Value, rows: Rows) -> Result:
    """Scales are of one axis or of all numbers; one of the examples' axis is by their places."""
    if set(shape_of(call.node.required(2)[1])) <= {1}:
        return rows
    axis = call.node.attributes.get("axis", 1) % rank_of(x)
    if axis == rows.axis or call.node.attributes.get("block_size"):
        raise Mixed("has scales for the examples by their places in the batch")
    return rows
