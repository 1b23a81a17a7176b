"""Checks of what lists, single numbers and indices hold, and of places that other inputs name."""

from collections.abc import Callable

from ..graph.dims import may_equal, multiply
from ..graph.ir import Node
from ..graph.types import Dim
from ..graph.wording import counted
from ..standard.schemas import attribute
from .layer_checks import require_shape, shape_of
from .refusal import require
from .shapes import elements_of


def _same_rank(node: Node) -> None:
    """Check that indices have the rank of what they point into."""
    x, indices = shape_of(node, 0), shape_of(node, 1)
    if x is not None and indices is not None:
        reason = f"indices must have the rank of data, {len(x)}, not {len(indices)}"
        require(node, len(x) == len(indices), reason)


def _along_axis(node: Node) -> None:
    """Check that indices lie beside data: along all axes but one they are no more."""
    _same_rank(node)
    x, indices = shape_of(node, 0), shape_of(node, 1)
    if x is None or indices is None:
        return
    along = attribute(node, "axis") % max(len(x), 1)
    for axis, (size, count) in enumerate(zip(x, indices, strict=True)):
        if axis != along and isinstance(size, int) and isinstance(count, int):
            reason = f"indices have the size {count} along axis {axis}, where data has {size}"
            require(node, count <= size, reason)


def _scatter_elements(node: Node) -> None:
    _along_axis(node)
    indices = shape_of(node, 1)
    if indices is not None:
        require_shape(node, 2, indices, "updates")


def _scatter_nd(node: Node) -> None:
    """Check that there is a slice of data for each tuple of indices."""
    x, indices = shape_of(node, 0), shape_of(node, 1)
    if indices is None:
        return
    if x is None or not isinstance(indices[-1], int):
        return
    fits = indices[-1] <= len(x)
    require(node, fits, f"indices name {indices[-1]} axes, but data has rank {len(x)}")
    require_shape(node, 2, [*indices[:-1], *x[indices[-1] :]], "updates")


def _gather_nd(node: Node) -> None:
    """Check that data and indices have as many examples, and that there is what they name."""
    x, indices, dims = shape_of(node, 0), shape_of(node, 1), attribute(node, "batch_dims")
    if x is None or indices is None:
        return
    fits = all(map(may_equal, x[:dims], indices[:dims]))
    require(node, fits, f"data and indices must share their first {counted(dims, 'size')}")
    depth, count = indices[-1], multiply(indices[:-1])
    if isinstance(depth, int) and isinstance(count, int) and count:
        named = x[dims : dims + depth]
        require(node, 0 not in named, f"indices point into axes of {[*named]}, without elements")


def _one_hot(node: Node) -> None:
    require_shape(node, 2, [2], "values")
    _within(node, 1, "depth", 0, "any")


def _labels(node: Node) -> None:
    """Check that there is a label for each row of scores."""
    scores = shape_of(node, 0)
    if scores is not None and len(scores) > 1:
        require_shape(node, 1, [scores[0], *scores[2:]], "the labels")
        require_shape(node, 2, [scores[1]], "the weights of the classes")


def _chosen(node: Node) -> None:
    """Check that there is something for each condition; what has none is left out."""
    x, condition, axis = shape_of(node, 0), shape_of(node, 1), attribute(node, "axis")
    if x is None or not condition:
        return
    (count,), size = condition, multiply(x) if axis is None else x[axis]
    if isinstance(count, int) and isinstance(size, int):
        require(node, count <= size, f"there are {count} conditions for {size} elements")


def _like_data(node: Node) -> None:
    x = shape_of(node, 0)
    if x is not None:
        require_shape(node, 1, x, "indices")


def _lengths(node: Node) -> None:
    """Check that there is a length for each sequence, none longer than what there is."""
    x = shape_of(node, 0)
    if x is None:
        return
    require(node, len(x) > 1, f"x must have rank 2 or more, not {len(x)}")
    require_shape(node, 1, [x[attribute(node, "batch_axis")]], "sequence_lens")
    _within(node, 1, "sequence_lens", 0, x[attribute(node, "time_axis")])


def _sequence_lengths(node: Node) -> None:
    x = shape_of(node, 0)
    if x is not None and len(x) == 3:
        _within(node, 4, "sequence_lens", 0, x[1 if attribute(node, "layout") else 0])


def _write_places(node: Node) -> None:
    """Check that what is written into a cache fits between its start and the end."""
    cache, update = shape_of(node, 0), shape_of(node, 1)
    if cache is None or update is None:
        return
    require(node, len(cache) == len(update), f"the ranks {len(cache)} and {len(update)} differ")
    rank, axis = len(cache), attribute(node, "axis")
    require(node, -rank <= axis < rank, f"axis={axis} is none of what has rank {rank}")
    require(node, axis % rank > 0, f"axis={axis} is the first one, which counts the examples")
    require_shape(node, 2, [cache[0]], "write_indices")
    places = [d if k == axis % rank else cache[k] for k, d in enumerate(update)]
    require_shape(node, 1, places, "update")
    size, added = cache[axis], update[axis]
    room: Dim = "room"
    if isinstance(size, int) and isinstance(added, int):
        room = size - added if attribute(node, "mode") == "linear" else size - 1
    _within(node, 2, "write_indices", 0, room)


def _within(node: Node, index: int, name: str, low: int, high: Dim) -> None:
    """Check numbers that are known."""
    given = elements_of(node.inputs[index]) if index < len(node.inputs) else None
    for number in given or ():
        if isinstance(number, int):
            fits = low <= number and (isinstance(high, str) or number <= high)
            limits = f"{low} or more" if isinstance(high, str) else f"from {low} to {high}"
            require(node, fits, f"{name} must be {limits}, not {number}")


def _axis(node: Node) -> None:
    x = shape_of(node, 0)
    if x is not None:
        _within(node, 1, "axis", -len(x), len(x) - 1)


def _sliced(node: Node) -> None:
    """Check that there is an end for each start, and an axis and a step if there are any."""
    starts = shape_of(node, 1)
    if starts is not None:
        for index, name in ((2, "ends"), (3, "axes"), (4, "steps")):
            require_shape(node, index, starts, name)


def _top(node: Node) -> None:
    x, axis = shape_of(node, 0), attribute(node, "axis")
    require_shape(node, 1, [1], "K")
    _within(node, 1, "K", 0, "size" if x is None else x[axis])


def _transformed(node: Node) -> None:
    _parts(node)
    _within(node, 1, "dft_length", 1, "any")


def _parts(node: Node) -> None:
    """Check that a signal's last axis holds real parts, or real and imaginary ones."""
    x = shape_of(node, 0)
    reason = f"the last axis of a signal has 1 or 2 elements, not {x and x[-1]}"
    require(node, not x or not isinstance(x[-1], int) or x[-1] in (1, 2), reason)


def _frames(node: Node) -> None:
    """Check the steps and the length of frames, which lie within the signal."""
    x, window = shape_of(node, 0), shape_of(node, 2)
    if x is not None and len(x) == 3:
        _parts(node)
        halves = attribute(node, "onesided") and x[2] == 2
        require(node, not halves, "a complex signal has no onesided transform")
    _within(node, 1, "frame_step", 1, "any")
    _within(node, 3, "frame_length", 1, x[1] if x is not None else "any")
    if x is not None and window is not None:
        longer = isinstance(window[0], int) and isinstance(x[1], int) and window[0] > x[1]
        require(node, not longer, f"the window of {window[0]} is longer than the signal of {x[1]}")
    given = elements_of(node.input(3))
    if window is not None and given:
        require_shape(node, 2, [given[0]], "the window")


def _tiled(node: Node) -> None:
    x = shape_of(node, 0)
    if x is not None:
        require_shape(node, 1, [len(x)], "repeats")


def _cached(node: Node) -> None:
    q = shape_of(node, 0)
    if q:
        require_shape(node, 6, [q[0]], "nonpad_kv_seqlen")
    _within(node, 6, "nonpad_kv_seqlen", 0, "any")


def _gated(node: Node) -> None:
    """Check that neither input is stretched."""
    if (shape := shape_of(node, 0)) is not None:
        require_shape(node, 1, shape, "B")


def _unpooled(node: Node) -> None:
    _like_data(node)
    x = shape_of(node, 0)
    require_shape(node, 2, ["rank"] if x is None else [len(x)], "output_shape")
    _within(node, 2, "output_shape", 0, "any")


def _image(node: Node) -> None:
    """Check that image and block have as many axes, and that a block has elements."""
    image, block = shape_of(node, 1), shape_of(node, 2)
    if image and block:
        reason = f"block_shape has {block[0]} sizes, image_shape {image[0]}"
        require(node, may_equal(image[0], block[0]), reason)
    _within(node, 2, "block_shape", 1, "any")


def _grid(node: Node) -> None:
    """Check that the size has an entry for each axis, and theta's examples."""
    theta, sizes = shape_of(node, 0), elements_of(node.inputs[1])
    if theta is None or sizes is None:
        return
    rank = {2: 4, 3: 5}.get(theta[1]) if len(theta) == 3 and isinstance(theta[1], int) else None
    fits = rank is None or len(sizes) == rank
    require(node, fits, f"size must hold {rank} numbers for a theta of the shape {theta}")
    same = len(theta) != 3 or not sizes or may_equal(sizes[0], theta[0])
    require(node, same, f"size asks for {sizes[:1]} examples, theta holds {theta[:1]}")
    _within(node, 1, "size", 0, "any")


def _sampled(node: Node) -> None:
    """Check that each place of a grid has a number for each spatial axis of its image."""
    x, grid = shape_of(node, 0), shape_of(node, 1)
    if x is not None:
        places = ["any"] * (len(x) - 2)
        require_shape(node, 1, [x[0], *places, len(places)], "grid")
    elif grid is not None:
        require_shape(node, 1, [*grid[:-1], len(grid) - 2], "grid")


def _cropped(node: Node) -> None:
    """Check that there is a size for each axis that is named."""
    x, axes = shape_of(node, 0), node.attributes.get("axes")
    if axes is not None or x is not None:
        require_shape(node, 1, [len(axes if axes is not None else x or ())], "shape")
    _within(node, 1, "shape", 0, "any")


def _joined(node: Node) -> None:
    """Check that tensors have the same sizes along all axes but the one that joins them."""
    first, axis = shape_of(node, 0), node.attributes["axis"]
    for index in range(1, len(node.inputs)):
        if first:
            wanted = ["any" if k == axis % len(first) else d for k, d in enumerate(first)]
            require_shape(node, index, wanted, f"input {index}")


def _regions(node: Node) -> None:
    """Check that each region has as many numbers as it takes, and of RoiAlign an image."""
    rois = shape_of(node, 1)
    if rois is not None:
        width = 4 if node.op_type == "RoiAlign" else 5
        require_shape(node, 1, ["regions", width], "rois")
        require_shape(node, 2, rois[:1], "batch_indices")


LIST_CHECKS: dict[str, Callable[[Node], None]] = {
    "AffineGrid": _grid,
    "Attention": _cached,
    "CenterCropPad": _cropped,
    "Col2Im": _image,
    "Concat": _joined,
    "CumProd": _axis,
    "CumSum": _axis,
    "DFT": _transformed,
    "GRU": _sequence_lengths,
    "GatherElements": _along_axis,
    "GatherND": _gather_nd,
    "GridSample": _sampled,
    "LSTM": _sequence_lengths,
    "MaxRoiPool": _regions,
    "MaxUnpool": _unpooled,
    "NegativeLogLikelihoodLoss": _labels,
    "OneHot": _one_hot,
    "RNN": _sequence_lengths,
    "ReverseSequence": _lengths,
    "RoiAlign": _regions,
    "STFT": _frames,
    "Slice": _sliced,
    "SwiGLU": _gated,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Compress": _chosen,
    "SoftmaxCrossEntropyLoss": _labels,
    "TensorScatter": _write_places,
    "Tile": _tiled,
    "TopK": _top,
}
