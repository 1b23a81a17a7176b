"""Where examples are in what operators give that only lay elements out in another shape."""

from ..graph.dims import divide, multiply
from ..graph.ir import Value
from ..graph.types import ANONYMOUS
from ..standard.schemas import attribute
from .axes import axes_of
from .registry import Call, Mixed, Result, Rows, parting, parting_alone, rank_of, shape_of, size_at


@parting_alone("Transpose")
def transpose(call: Call, x: Value, rows: Rows) -> Result:
    """The axes change places."""
    perm = call.node.attributes.get("perm") or list(range(rank_of(x)))[::-1]
    return Rows(list(perm).index(rows.axis), rows.outer)


@parting_alone("Squeeze")
def squeeze(call: Call, x: Value, rows: Rows) -> Result:
    """Axes of one element go."""
    if call.node.input(1) is None:
        raise Mixed("takes away the axis of the examples where there is but one")
    axes = axes_of(call.node, rank_of(x))
    if rows.axis in axes:
        raise Mixed("takes the examples for one")
    return Rows(rows.axis - sum(axis < rows.axis for axis in axes), rows.outer)


@parting_alone("Unsqueeze")
def unsqueeze(call: Call, x: Value, rows: Rows) -> Result:
    """Axes of one element come."""
    y = call.node.output()
    axes = axes_of(call.node, rank_of(y))
    others = [axis for axis in range(rank_of(y)) if axis not in axes]
    return Rows(others[rows.axis], rows.outer)


@parting("Reshape", "Flatten")
def reshape(call: Call) -> Result:
    """The elements stay in their order."""
    found = call.first()
    return None if found is None else reshaped(call, *found, call.node.output())


def reshaped(call: Call, x: Value, rows: Rows, y: Value) -> Rows:
    """Give where examples are in y, which holds the elements of x in their order.

    Before the examples in x there are `before` steps of all axes together, and so there are in y.

    Raises:
        Mixed: sizes do not prove that an axis of y holds whole examples.
    """
    shape = shape_of(y)
    before = multiply([*shape_of(x)[: rows.axis], rows.outer])
    for axis, size in enumerate(shape):
        outer = divide(before, multiply(shape[:axis]))
        if outer is not None and divide(size, multiply([outer, call.symbol])) is not None:
            return Rows(axis, outer)
        if outer == 1 and isinstance(size, str) and ANONYMOUS in size:
            whole = divide(multiply(shape_of(x)), multiply([call.symbol, *shape[axis + 1 :]]))
            if whole is not None:
                return Rows(axis)
    raise Mixed(f"gives '{y.name}', {y.type}, no axis of which is known to hold whole examples")


@parting_alone("Expand")
def expand(call: Call, x: Value, rows: Rows) -> Result:
    """Axes come at the left, and axes of one element grow."""
    y = call.node.output()
    return Rows(rows.axis + rank_of(y) - rank_of(x), rows.outer)


@parting_alone("Tile")
def tile(call: Call, x: Value, rows: Rows) -> Result:
    """The examples themselves are not repeated."""
    y = call.node.output()
    if size_at(x, rows.axis) != size_at(y, rows.axis):
        raise Mixed("repeats the batch")
    return rows


@parting("DepthToSpace", "SpaceToDepth")
def images(call: Call) -> Result:
    """Axis 0 stays."""
    found = call.first()
    if found is not None and found[1].axis != 0:
        raise Mixed("takes the examples for something else than images")
    return None if found is None else found[1]


@parting_alone("CenterCropPad")
def crop(call: Call, x: Value, rows: Rows) -> Result:
    """The axes that it lists change their sizes."""
    axes = call.node.attributes.get("axes") or list(range(rank_of(x)))
    if rows.axis in [axis % rank_of(x) for axis in axes]:
        raise Mixed("crops or pads the batch")
    return rows


@parting_alone("OneHot")
def one_hot(call: Call, x: Value, rows: Rows) -> Result:
    """An axis of the classes comes."""
    y = call.node.output()
    axis = attribute(call.node, "axis") % rank_of(y)
    return Rows(rows.axis + (axis <= rows.axis), rows.outer)
