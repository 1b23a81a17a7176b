"""Checks of single numbers: bounds that kernels trust, some of which onnxruntime dies without."""

from collections.abc import Callable

from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .refusal import require


def _dropout(node: Node) -> None:
    """Check the share that is dropped, in training: what is left is divided by what it is of 1."""
    ratio, training = _number(node.input(1)), _number(node.input(2))
    if ratio is not None and training:
        require(node, 0 <= ratio < 1, f"ratio must be at least 0 and less than 1, not {ratio:g}")


def _number(value: Value | None) -> float | None:
    """Give the one number that a value is known to be."""
    if value is None or value.constant is None or value.constant.size != 1:
        return None
    return float(value.constant.reshape(()))


def _uniform(node: Node) -> None:
    low, high = attribute(node, "low"), attribute(node, "high")
    require(node, low <= high, f"low must be at most high; {low:g} is more than {high:g}")


def _normal(node: Node) -> None:
    scale = attribute(node, "scale")
    require(node, scale >= 0, f"scale, a standard deviation, must be at least 0, not {scale:g}")


NUMBER_CHECKS: dict[str, Callable[[Node], None]] = {
    "Dropout": _dropout,
    "RandomNormal": _normal,
    "RandomNormalLike": _normal,
    "RandomUniform": _uniform,
    "RandomUniformLike": _uniform,
}
