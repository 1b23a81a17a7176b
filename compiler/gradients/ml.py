"""Gradients of ai.onnx.ml that are zero or unknown; all others are those of their bodies."""

from ..differentiation.rules import ZeroKind, refused_gradient, zero_gradient

DOMAIN = "ai.onnx.ml"

zero_gradient(
    ZeroKind.STEP,
    "a step: constant between its jumps",
    "Binarizer",
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    domain=DOMAIN,
)
zero_gradient(
    ZeroKind.INDEPENDENT,
    "it looks whole elements up in a table",
    "CategoryMapper",
    "LabelEncoder",
    "OneHotEncoder",
    domain=DOMAIN,
)
refused_gradient(
    "the standard gives no formula of how its classes vote",
    "SVMClassifier",
    domain=DOMAIN,
)
