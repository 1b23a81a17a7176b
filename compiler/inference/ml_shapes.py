"""Output shapes of ai.onnx.ml's operators, which ONNX's inference leaves open."""

from collections.abc import Callable

from ..graph.ir import Node
from ..graph.types import Dim, Shape, fresh_dim
from ..standard.schemas import attribute


def _as_input(node: Node) -> Shape | None:
    return node.inputs[0].shape if node.inputs[0] is not None else None


def _columns(count: Callable[[Node], Dim]) -> Callable[[Node], Shape | None]:
    """Give (batch, count)."""

    def rule(node: Node) -> Shape | None:
        shape = _as_input(node)
        return None if not shape or len(shape) != 2 else (shape[0], count(node))

    return rule


def _width(node: Node) -> Dim:
    widths = node.attributes.get("inputdimensions")
    return sum(widths) if widths else fresh_dim()


def _targets(node: Node) -> Dim:
    return int(node.attributes.get("n_targets", 1))


_SAME = ("Binarizer", "CategoryMapper", "Imputer", "LabelEncoder", "Normalizer", "Scaler")

ML_SHAPES: dict[str, Callable[[Node], Shape | None]] = {
    **dict.fromkeys([f"ai.onnx.ml.{op_type}" for op_type in _SAME], _as_input),
    "ai.onnx.ml.FeatureVectorizer": _columns(_width),
    "ai.onnx.ml.LinearRegressor": _columns(lambda n: int(attribute(n, "targets"))),
    "ai.onnx.ml.SVMRegressor": _columns(lambda n: 1),
    "ai.onnx.ml.TreeEnsemble": _columns(_targets),
    "ai.onnx.ml.TreeEnsembleRegressor": _columns(_targets),
}
