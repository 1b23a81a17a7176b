"""Checks of the rank of each input where ONNX's inference takes any; sizes are other files'."""

from collections.abc import Callable, Mapping

from ..graph.ir import Node
from ..graph.types import TensorType
from ..standard.schemas import get_schema
from .refusal import require

_RANKS: dict[str, Mapping[int, tuple[int, int | None]]] = {
    "AffineGrid": {0: (3, 3)},
    "BatchNormalization": {0: (1, None)},
    "DFT": {0: (2, None)},
    "GatherND": {0: (1, None), 1: (1, None)},
    "Gemm": {0: (2, 2), 1: (2, 2), 2: (0, 2)},
    **dict.fromkeys(["GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"], {0: (2, None)}),
    "GridSample": {0: (3, None), 1: (3, None)},
    "GroupNormalization": {0: (2, None)},
    "InstanceNormalization": {0: (3, None)},
    "LRN": {0: (2, None)},
    "LpNormalization": {0: (1, None)},
    "Multinomial": {0: (2, 2)},
    "Resize": {0: (1, None)},
    "STFT": {0: (2, 3), 2: (1, 1)},  # a real signal comes without the axis of its parts, too
    "ScatterND": {0: (1, None), 1: (1, None)},
    "SoftmaxCrossEntropyLoss": {0: (2, None)},
    "TopK": {0: (1, None)},
}
"""The least and the most axes of inputs, by operator and place."""


def check_ranks(node: Node) -> None:
    """Refuse an input of a rank that its operator does not take.

    Raises:
        GraphError: it has fewer or more axes.
    """
    for index, (least, most) in _RANKS[node.operator].items():
        value = node.input(index)
        shape = value.type.shape if value and isinstance(value.type, TensorType) else None
        if shape is not None:
            wanted = str(least) if least == most else f"{least} or more"
            if most not in (None, least):
                wanted = f"from {least} to {most}"
            name = get_schema(node.op_type).inputs[index].name
            fits = least <= len(shape) <= (len(shape) if most is None else most)
            require(node, fits, f"{name} must have rank {wanted}, not {len(shape)}")


RANK_CHECKS: dict[str, Callable[[Node], None]] = dict.fromkeys(_RANKS, check_ranks)
