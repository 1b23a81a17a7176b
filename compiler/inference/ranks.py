"""Ranks of outputs whose sizes only run time tells; it gives no sizes, which are shapes.py's."""

from collections.abc import Callable, Sequence

from ..graph.ir import Node, Value
from ..graph.types import TensorType, Type, fresh_dim
from ..standard.schemas import attribute
from ..standard.traits import REDUCTIONS


def with_ranks(node: Node, types: Sequence[Type | None]) -> list[Type | None]:
    """Give outputs of unknown shape a rank where the inputs' types determine it."""
    if node.operator not in _RANKS or all(map(_has_rank, types)):
        return list(types)
    rank, x = _RANKS[node.operator](node), node.inputs[0]
    if rank is None or x is None:
        return list(types)
    ranks = rank if isinstance(rank, tuple) else (rank,) * len(types)
    return [
        type_
        if _has_rank(type_)
        else TensorType(
            type_.dtype if isinstance(type_, TensorType) else x.dtype,
            tuple(fresh_dim() for _ in range(count)),
        )
        for type_, count in zip(types, ranks, strict=False)
    ]


def _has_rank(type_: Type | None) -> bool:
    return type_ is not None and (not isinstance(type_, TensorType) or type_.shape is not None)


def _input(node: Node, index: int) -> Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _length(node: Node, index: int) -> int | None:
    """Give the length of an input of rank 1."""
    value = _input(node, index)
    length = value.shape[0] if value is not None and value.shape else None
    return length if isinstance(length, int) else None


def _rank_of_input(node: Node) -> int | None:
    x = node.inputs[0]
    return None if x is None else x.rank


def _reduced(node: Node) -> int | None:
    """Axes go where they are not kept; an empty list of them means all, or none by an attribute."""
    rank, count = _rank_of_input(node), _length(node, 1)
    if attribute(node, "keepdims"):
        return rank
    if count == 0:
        return rank if attribute(node, "noop_with_empty_axes") else 0
    return None if rank is None or count is None else rank - count


def _changed_by_axes(sign: int) -> Callable[[Node], int | None]:
    def rank_of(node: Node) -> int | None:
        rank, count = _rank_of_input(node), _length(node, 1)
        return None if rank is None or count is None else rank + sign * count

    return rank_of


_RANKS: dict[str, Callable[[Node], int | tuple[int, ...] | None]] = {
    **dict.fromkeys(["CenterCropPad", "MaxUnpool", "Pad", "Split"], _rank_of_input),
    **dict.fromkeys(REDUCTIONS, _reduced),
    "MelWeightMatrix": lambda node: 2,
    "Squeeze": _changed_by_axes(-1),
    "Unsqueeze": _changed_by_axes(1),
    # a class for each row, and a score for each row and class
    "ai.onnx.ml.SVMClassifier": lambda node: (1, 2),
    "ai.onnx.ml.TreeEnsembleClassifier": lambda node: (1, 2),
}
"""The rank of every output, or of each in order."""
