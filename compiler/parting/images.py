"""Where examples are in layers that take each item of their first axis by itself."""

from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from .axes import axes_of
from .registry import Call, Mixed, Result, Rows, apart, common, parting, rank_of, shape_of

_ELSEWHERE = "takes the examples for something else than items of its first axis"


@parting("Conv", "ConvTranspose", "AveragePool", "LpPool", "LRN", "Col2Im", "STFT")
@parting("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
@parting("InstanceNormalization", "GroupNormalization")
def layer(call: Call) -> Result:
    """f([N, C, …], weights that all share)."""
    if call.of(0) is None or not call.only(0):
        raise Mixed("has weights that are computed of examples")
    return _first(call)


@parting("MaxPool", "BatchNormalization")
def with_more(call: Call) -> Result:
    """What else they give is not told example by example.

    BatchNormalization in training mode normalizes each part by itself, as is said of it.
    """
    more = [v for v in list(call.node.writes())[1:] if call.read(v)]
    if more:
        raise Mixed(f"gives '{more[0].name}', which is of the whole batch")
    rows = layer(call)
    assert isinstance(rows, Rows)
    return [rows, *[None] * (len(call.node.outputs) - 1)]


@parting("ConvInputGrad", composite=True)
def conv_input_grad(call: Call) -> Result:
    """Of dy and weights that all share; the third input is a shape."""
    return layer(call)


@parting("GridSample")
def sampled(call: Call) -> Result:
    """Images and grids are of the same examples."""
    if call.of(0) is None or call.of(1) is None:
        raise Mixed(_ELSEWHERE)
    return _first(call)


@parting("AffineGrid")
def grid(call: Call) -> Result:
    """The size that is asked for has as many examples as there are."""
    size = elements_of(call.node.input(1))
    if not size or size[0] != shape_of(call.node.first_input)[0]:
        raise Mixed("is told how many examples there are by a number")
    return _first(call)


@parting("DeformConv")
def deformed(call: Call) -> Result:
    """Offsets and masks are of each example, weights of all."""
    node = call.node
    offsets = [k for k in (2, 4) if node.input(k) is not None]
    if not call.only(0, 2, 4) or any(call.of(k) is None for k in (0, *offsets)):
        raise Mixed("has weights that are computed of examples")
    return _first(call)


@parting("DFT")
def spectrum(call: Call) -> Result:
    """It works along an axis, by default the last but one, and pairs numbers along the last."""
    x = call.node.first_input
    axes = [rank_of(x) - 2] if call.node.input(2) is None else axes_of(call.node, rank_of(x), 2)
    found = call.first()
    if found is None:
        return None
    return apart(found[1], [*axes, rank_of(x) - 1], "works along the axis of the examples")


@parting("Resize", "Upsample")
def resize(call: Call) -> Result:
    """The axis of the examples keeps its size."""
    found, node = call.first(), call.node
    if found is None:
        raise Mixed("is told its sizes by the examples")
    x, rows = found
    if attribute(node, "coordinate_transformation_mode") == "tf_crop_and_resize":
        raise Mixed("crops as it resizes")
    axes, scales = node.attributes.get("axes"), node.input(2 if node.op_type == "Resize" else 1)
    if axes is not None and rows.axis not in [axis % len(shape_of(x)) for axis in axes]:
        return rows
    given = None if scales is None else scales.constant
    place = rows.axis if axes is None else list(axes).index(rows.axis)
    known = given is not None and given.size and given.flat[place] == 1
    if not known and shape_of(x)[rows.axis] != shape_of(node.output())[rows.axis]:
        raise Mixed("resizes the batch")
    return rows


@parting("RNN", "GRU", "LSTM")
def recurrent(call: Call) -> Result:
    """Sequences (time, batch, …), states (directions, batch, …); with a layout of 1 batch first."""
    node, first = call.node, attribute(call.node, "layout") == 1
    axis = 0 if first else 1
    for k, place in ((0, axis), (4, 0), (5, axis), (6, axis)):
        if node.input(k) is not None and call.of(k) != Rows(place):
            raise Mixed(_ELSEWHERE)
    if not call.only(0, 4, 5, 6):
        raise Mixed("has weights that are computed of examples")
    return [Rows(0 if first else 2), *[Rows(axis)] * (len(node.outputs) - 1)]


def _first(call: Call) -> Rows:
    if (rows := common(call.rows.values())).axis != 0:
        raise Mixed(_ELSEWHERE)
    return rows
