"""Bodies of ai.onnx.ml's smooth operators, of any numbers; results are float32, as it prescribes.

ONNX's reference computes some in integers, and does not know all their settings. Where the
standard names a transformation and gives no formula of it, there is no body.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from ..emission.ops import Ops
from ..emission.positions import dimension, from_front
from ..errors import UnsupportedOpError
from ..graph.ir import Node, Value
from ..graph.types import is_float
from ..standard.schemas import attribute
from .registry import standard_body

DOMAIN = "ai.onnx.ml"


def _numbers(op: Ops, x: Value) -> Value:
    """Give numbers to compute with: floats as they are, integers as doubles."""
    return x if is_float(x.dtype) else op.Cast(x, to="float64")


def _rows(op: Ops, x: Value) -> Value:
    """Give a batch of rows: a vector is one row."""
    return op.Unsqueeze(x, [0]) if x.rank == 1 else x


def _single(op: Ops, y: Value) -> Value:
    return op.Cast(y, to="float32")


def _given(op: Ops, node: Node, name: str, like: Value, default: Sequence[float] = ()) -> Value:
    """Give an attribute that is a list of floats as a constant, in the dtype of `like`."""
    return op.constant(np.asarray(node.attributes.get(name) or default, like.dtype))


@standard_body(f"{DOMAIN}.ArrayFeatureExtractor")
def array_feature_extractor(op: Ops, node: Node) -> Value:
    """y[…, j] = x[…, indices[j]], as a row where x is a vector"""
    x, indices = node.required(2)
    if x.rank is None:
        raise UnsupportedOpError("the rank of its input is unknown", [node.operator])
    listed = from_front(op, op.Reshape(indices, [-1]), dimension(op, x, -1))
    return op.Gather(_rows(op, x), listed, axis=-1)


@standard_body(f"{DOMAIN}.Binarizer")
def binarizer(op: Ops, node: Node) -> Value:
    """1 where x > threshold, else 0"""
    x = node.first_input
    threshold = op.constant(np.asarray(attribute(node, "threshold"), np.float32))
    above = op.Greater(op.Cast(x, to="float64"), op.Cast(threshold, to="float64"))
    return op.CastLike(above, x)


@standard_body(f"{DOMAIN}.CategoryMapper")
def category_mapper(op: Ops, node: Node) -> Value:
    """A LabelEncoder from strings to integers, or back."""
    x = node.first_input
    strings, integers = (node.attributes[f"cats_{kind}"] for kind in ("strings", "int64s"))
    settings = {"keys_strings": strings, "values_int64s": integers}
    settings["default_int64"] = attribute(node, "default_int64")
    if x.dtype.kind == "i":
        settings = {"keys_int64s": integers, "values_strings": strings}
        settings["default_string"] = attribute(node, "default_string")
    return op.emit("LabelEncoder", x, domain=DOMAIN, **settings)


@standard_body(f"{DOMAIN}.FeatureVectorizer")
def feature_vectorizer(op: Ops, node: Node) -> Value:
    """Features side by side; a vector is one row."""
    inputs = [v for v in node.inputs if v is not None]
    widths = node.attributes.get("inputdimensions") or []
    rows = [_rows(op, v) for v in inputs]
    known = [v.shape[1] if v.shape else None for v in rows]
    if any(isinstance(a, int) and a != b for a, b in zip_longest(known, widths)):
        raise UnsupportedOpError("inputdimensions are not the inputs' own", [node.operator])
    for k, (row, width) in enumerate(zip(rows, widths, strict=False)):
        if known[k] != width:  # only running tells: another width does not fit
            rows[k] = op.Reshape(row, op.Concat(op.Shape(row, end=1), [width], axis=0))
    return op.Concat(*(_single(op, v) for v in rows), axis=1)


@standard_body(f"{DOMAIN}.Imputer")
def imputer(op: Ops, node: Node) -> Value:
    """The imputed value where x is the replaced one, which may be NaN"""
    x = node.first_input
    kind = "float" if is_float(x.dtype) else "int64"
    imputed = node.attributes.get(f"imputed_value_{kind}s")
    if not imputed:
        raise UnsupportedOpError(f"it lacks imputed_value_{kind}s", [node.operator])
    replaced = node.attributes.get(f"replaced_value_{kind}", 0)
    missing = op.IsNaN(x) if replaced != replaced else op.Equal(x, op.like(replaced, x))
    y = op.Where(missing, op.constant(np.asarray(imputed, x.dtype)), x)
    as_many = len(imputed) == 1 or x.shape is not None and x.shape[-1] == len(imputed)
    return y if as_many else op.Reshape(y, op.Shape(x), allowzero=1)  # refused at run time


@standard_body(f"{DOMAIN}.LinearRegressor")
def linear_regressor(op: Ops, node: Node) -> Value:
    """y = f(x·Cᵀ + b)"""
    x = _numbers(op, node.first_input)
    scores = _scores(op, node, x, int(attribute(node, "targets")))
    return _single(op, _transformed(op, node, scores))


@standard_body(f"{DOMAIN}.LinearClassifier")
def linear_classifier(op: Ops, node: Node) -> tuple[Value, Value]:
    """The class of the highest score, and f(s), s = x·Cᵀ + b; one row of C gives (−s, s)

    Without a logistic f onnxruntime has 1 − s there, and the standard says nothing.
    """
    x = _rows(op, _numbers(op, node.first_input))
    labels = node.attributes.get("classlabels_ints") or node.attributes.get("classlabels_strings")
    if not labels or len(labels) < 2:
        raise UnsupportedOpError("it has less than two labels", [node.operator])
    rows = len(node.attributes.get("intercepts") or labels)
    scores = _scores(op, node, x, rows)
    if rows == 1:
        if len(labels) > 2 or attribute(node, "post_transform") != "LOGISTIC":
            raise UnsupportedOpError("one row of scores is not a probability", [node.operator])
        scores = op.Concat(op.Neg(scores), scores, axis=1)
    scores = _transformed(op, node, scores)
    kind = np.int64 if isinstance(labels[0], int) else object
    top = op.ArgMax(scores, axis=1, keepdims=0)
    return op.Gather(op.constant(np.asarray(labels, kind)), top), _single(op, scores)


def _scores(op: Ops, node: Node, x: Value, rows: int) -> Value:
    coefficients = _given(op, node, "coefficients", x)
    scores: Value = op.MatMul(x, op.Transpose(op.Reshape(coefficients, [rows, -1]), perm=[1, 0]))
    if node.attributes.get("intercepts"):
        scores = op.Add(scores, _given(op, node, "intercepts", x))
    return scores


def _transformed(op: Ops, node: Node, scores: Value) -> Value:
    transform = attribute(node, "post_transform")
    if transform == "LOGISTIC":
        scores = op.Sigmoid(scores)
    elif transform == "SOFTMAX":
        scores = op.Softmax(scores, axis=-1)
    elif transform != "NONE":
        raise UnsupportedOpError(f"the standard gives no formula of {transform}", [node.operator])
    return scores


@standard_body(f"{DOMAIN}.Normalizer")
def normalizer(op: Ops, node: Node) -> Value:
    """y = x / d, d = max(x), Σ |x| or √Σ x² of a row; y = x where that is 0

    The standard writes Σ x and √(x²/Σ x²); its reference and onnxruntime have it as here.
    """
    x = _numbers(op, node.first_input)
    axes = op.constant([-1])
    match attribute(node, "norm"):
        case "MAX":
            divisor = op.ReduceMax(x, axes, keepdims=1)
        case "L1":
            divisor = op.ReduceL1(x, axes, keepdims=1)
        case _:
            divisor = op.ReduceL2(x, axes, keepdims=1)
    nothing = op.Equal(divisor, op.like(0, x))
    return _single(op, op.Div(x, op.Where(nothing, op.like(1, x), divisor)))


@standard_body(f"{DOMAIN}.Scaler")
def scaler(op: Ops, node: Node) -> Value:
    """y = (x − offset)·scale"""
    x = _numbers(op, node.first_input)
    moved = op.Sub(x, _given(op, node, "offset", x, [0.0]))
    return _single(op, op.Mul(moved, _given(op, node, "scale", x, [1.0])))


@standard_body(f"{DOMAIN}.SVMRegressor")
def svm_regressor(op: Ops, node: Node) -> Value:
    """y = Σᵢ cᵢ·k(x, vᵢ) + ρ; without support vectors x·c + ρ. One class: its sign, −1 at 0"""
    x = _numbers(op, node.first_input)
    count = int(attribute(node, "n_supports"))
    column = op.Unsqueeze(_given(op, node, "coefficients", x), [1])
    features = _kernel(op, node, x, count) if count else x
    y = op.Add(op.MatMul(features, column), _given(op, node, "rho", x, [0.0]))
    if attribute(node, "one_class"):
        y = op.Where(op.Greater(y, op.like(0, y)), op.like(1, y), op.like(-1, y))
    return _single(op, _transformed(op, node, y))


@standard_body(f"{DOMAIN}.SVMClassifier")
def svm_classifier(op: Ops, node: Node) -> Sequence[Value | None]:
    """The same of rows of float32; the standard gives no formula of how classes vote."""
    x = node.first_input
    if x.dtype == np.float32 and x.rank != 1:
        raise UnsupportedOpError("the standard gives no formula of its scores", [node.operator])
    results: Sequence[Value | None] = op.emit(
        "SVMClassifier", _rows(op, _single(op, x)), outputs=2, domain=DOMAIN, **node.attributes
    )
    return results


def _kernel(op: Ops, node: Node, x: Value, count: int) -> Value:
    """x·vᵀ, (γ·x·vᵀ + c)ᵈ, exp(−γ·|x − v|²) or tanh(γ·x·vᵀ + c): (batch, vectors)"""
    vectors = op.Reshape(_given(op, node, "support_vectors", x), [count, -1])
    gamma, constant, degree = (node.attributes.get("kernel_params") or [0.0, 0.0, 0.0])[:3]
    kind = attribute(node, "kernel_type")
    if kind == "RBF":
        distances = op.ReduceSumSquare(op.Sub(op.Unsqueeze(x, [1]), vectors), [2], keepdims=0)
        return op.Exp(op.Mul(distances, -gamma))
    products: Value = op.MatMul(x, op.Transpose(vectors, perm=[1, 0]))
    if kind == "LINEAR":
        return products
    products = op.Add(op.Mul(products, gamma), constant)
    return op.Tanh(products) if kind == "SIGMOID" else op.Pow(products, op.like(degree, x))
