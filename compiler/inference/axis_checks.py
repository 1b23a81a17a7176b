"""Checks of attributes that count axes; each is refused by the rank that it does not fit."""

from collections.abc import Callable, Sequence
from functools import partial

from ..graph.ir import Node, Value
from ..graph.types import SequenceType, TensorType, Type
from ..standard.schemas import attribute
from ..standard.traits import REDUCTIONS
from .refusal import require
from .shapes import elements_of


def _rank(type_: Type | None) -> int | None:
    """Give the rank of a tensor, or of a sequence's elements."""
    while isinstance(type_, SequenceType):
        type_ = type_.element
    shape = type_.shape if isinstance(type_, TensorType) else None
    return None if shape is None else len(shape)


def _input(node: Node, index: int) -> Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _rank_of(node: Node, index: int) -> int | None:
    value = _input(node, index)
    return None if value is None else _rank(value.type)


def _within(node: Node, name: str, axis: int, rank: int | None, extra: tuple[int, int]) -> None:
    if rank is None:
        return
    low, high = -rank - extra[0], rank - 1 + extra[1]
    require(node, low <= axis <= high, f"{name} must lie from {low} to {high}, for rank {rank}")


def _one(more: tuple[int, int] = (0, 0)) -> Callable[[Node], None]:
    """Check `axis`, which may lie beyond the rank of the input by `more`, below and above."""

    def check(node: Node) -> None:
        if (axis := node.attributes.get("axis")) is not None:
            _within(node, "axis", axis, _rank_of(node, 0), more)

    return check


def _several(node: Node) -> None:
    """Check `axes`: each an axis of the input, none named twice."""
    rank, axes = _rank_of(node, 0), attribute(node, "axes") or []
    named = node.op_type != "Resize" or node.attributes.get("axes") != []
    require(node, named, "axes must not be empty; leave them out, and they are all")
    for axis in axes:
        _within(node, "each of axes", axis, rank, (0, 0))
    _differ(node, "axes", [a if rank is None else a % max(rank, 1) for a in axes])


def _differ(node: Node, name: str, axes: Sequence[int]) -> None:
    require(node, len(set(axes)) == len(axes), f"{name} must differ from each other")


def _of_input(node: Node, index: int = 1) -> None:
    """Check the axes that an input names, where they are known."""
    elements, rank = elements_of(_input(node, index)), _rank_of(node, 0)
    axes = [a for a in elements or () if isinstance(a, int)]
    for axis in axes:
        _within(node, "each of axes", axis, rank, (0, 0))
    _differ(node, "axes", [a if rank is None else a % max(rank, 1) for a in axes])


def _permutation(node: Node) -> None:
    perm, rank = node.attributes.get("perm"), _rank_of(node, 0)
    if perm is not None:
        wanted = list(range(len(perm) if rank is None else rank))
        require(node, sorted(perm) == wanted, f"perm must hold each of {wanted} once")


def _per_channel(node: Node) -> None:
    """Check the axis of a quantization, which counts only where there are several scales."""
    if (_rank_of(node, 1) or 0) > 0:
        _one()(node)


def _batch_dims(node: Node) -> None:
    dims = attribute(node, "batch_dims")
    require(node, dims >= 0, "batch_dims must be 0 or more")
    for rank in (_rank_of(node, 0), _rank_of(node, 1)):
        fits = rank is None or dims < rank
        require(node, fits, "batch_dims must be less than the rank of both inputs")


def _along_sequence(node: Node) -> None:
    new = attribute(node, "new_axis")
    _one((new, new))(node)


def _of_cells(node: Node) -> None:
    """Check the axis of a cache: any but the batch."""
    _one()(node)
    axis, rank = node.attributes.get("axis"), _rank_of(node, 0)
    is_batch = axis == 0 or rank is not None and axis == -rank
    require(node, not is_batch, "axis cannot be the batch's, which is the first")


def _transformed(node: Node) -> None:
    """Check the axis of a DFT: any but the last, which holds real and imaginary parts."""
    elements, rank = elements_of(_input(node, 2)), _rank_of(node, 0)
    if elements and isinstance(elements[0], int):
        _within(node, "axis", elements[0], rank, (0, -1))
        require(node, elements[0] != -1, "axis must not be the last, which holds the parts")


def _reversal(node: Node) -> None:
    batch, time = (attribute(node, name) for name in ("batch_axis", "time_axis"))
    require(node, batch != time, "batch_axis and time_axis must differ")


AXIS_CHECKS: dict[str, Callable[[Node], None]] = {
    **dict.fromkeys(
        [
            "ArgMax", "ArgMin", "Compress", "Concat", "Gather", "GatherElements", "Hardmax",
            "LayerNormalization", "LogSoftmax", "LpNormalization", "RMSNormalization",
            "ScatterElements", "Softmax", "Split", "SplitToSequence", "TopK", "Unique",
        ],
        _one(),
    ),
    **dict.fromkeys(REDUCTIONS, _of_input),
    **dict.fromkeys(["CenterCropPad", "MeanVarianceNormalization", "Resize"], _several),
    **dict.fromkeys(["DequantizeLinear", "QuantizeLinear"], _per_channel),
    "ConcatFromSequence": _along_sequence,
    "DFT": _transformed,
    "Flatten": _one((0, 1)),
    "GatherND": _batch_dims,
    "OneHot": _one((1, 1)),
    "ReverseSequence": _reversal,
    "Slice": partial(_of_input, index=3),
    "Squeeze": _of_input,
    "TensorScatter": _of_cells,
    "Transpose": _permutation,
}  # fmt: skip
