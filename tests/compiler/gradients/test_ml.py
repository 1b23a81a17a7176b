"""Gradients and types of ai.onnx.ml's operators, and how those without a gradient are refused."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from old_calls import ROWS
from old_calls.ml import FOREST, KERNEL, ML, TREE, VECTORS, X

import onnxgrad as og
from onnxgrad.compiler.composites.expand import has_body
from onnxgrad.compiler.gradients import RULES, ZERO_GRADIENT
from onnxgrad.compiler.graph.ir import Node
from onnxgrad.compiler.standard.schemas import find_schema

NUMBERS = ("LinearRegressor", "LinearClassifier", "Normalizer", "Scaler", "SVMRegressor")

MAPS = {"CastMap", "DictVectorizer", "ZipMap"}
"""They read or make maps, which no graph holds: models that have them are refused."""


def graph_of(op_type: str, dtype: Any, attributes: dict[str, Any], outputs: int = 1) -> og.Graph:
    b = og.Builder("ml")
    x = b.input("x", dtype, ("N", X.shape[1]))
    results = getattr(b.op, op_type)(x, outputs=outputs, domain=ML, **attributes)
    for k, y in enumerate([results] if outputs == 1 else results):
        b.output(y, f"y{k}")
    return b.build()


def test_every_operator_is_classified() -> None:
    schemas: Any = onnx.defs.get_all_schemas()
    live = {s.name for s in schemas if s.domain == ML and find_schema(s.name, ML)}
    unknown = {
        op
        for op in live
        if (ML, op) not in {**RULES, **ZERO_GRADIENT} and not has_body(Node(op, (), (), {}, ML))
    }
    assert unknown == MAPS


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.int32])
@pytest.mark.parametrize("op_type", NUMBERS)
def test_other_numbers_are_computed_as_float32_is(op_type: str, dtype: Any) -> None:
    """Whole numbers give in any dtype what onnxruntime gives of float32, in float32."""
    x = np.rint(3 * X)
    call = next(call for call, _ in ROWS if (call.domain, call.op) == (ML, op_type))
    count = len(call.model(1, np.float32).graph.output)
    attributes = dict(call.attributes)
    actual = og.compile(graph_of(op_type, dtype, attributes, count)).run({"x": x.astype(dtype)})
    single = graph_of(op_type, np.float32, attributes, count)
    session = onnxruntime.InferenceSession(og.to_onnx(single).SerializeToString())
    expected: Any = session.run(None, {"x": x.astype(np.float32)})
    for name, array in zip(actual, expected, strict=True):
        assert actual[name].dtype == array.dtype
        np.testing.assert_allclose(actual[name], array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op_type", NUMBERS)
def test_gradients_are_checked_in_doubles(op_type: str) -> None:
    call = next(call for call, _ in ROWS if (call.domain, call.op) == (ML, op_type))
    count = len(call.model(1, np.float32).graph.output)
    graph = graph_of(op_type, np.float32, dict(call.attributes), count)
    report = og.check_gradients(graph, f"y{count - 1}", "x", {"x": X.astype(np.float32)})
    assert report, report


def test_a_gradient_of_doubles_is_of_doubles() -> None:
    graph = og.vjp(graph_of("Scaler", np.float64, {"offset": [1.0], "scale": [3.0]}), "y0", "x")
    found = og.compile(graph).run({"x": X, "y0.grad": X.astype(np.float32)})
    assert found["x.grad"].dtype == np.float64
    np.testing.assert_allclose(found["x.grad"], 3 * X, rtol=1e-6)


def test_second_order_of_a_machine() -> None:
    """d²/dx² Σ c·exp(−γ·|x − v|²) along u, in closed form."""
    settings = {**KERNEL, **VECTORS, "kernel_type": "RBF"}
    forward = graph_of("SVMRegressor", np.float64, settings)
    first = og.vjp(forward, "y0", "x")
    second = og.vjp(first, "x.grad", "x", names={"x": "second"})
    feeds = {"x": X, "y0.grad": np.ones((3, 1), np.float32), "x.grad.grad": np.ones_like(X)}
    actual = og.compile(second).run(feeds)["second"]
    gamma, vectors = KERNEL["kernel_params"][0], np.reshape(VECTORS["support_vectors"], (2, 4))
    away = X[:, None] - vectors
    weights = np.asarray(VECTORS["coefficients"]) * np.exp(-gamma * (away**2).sum(-1))
    along = away.sum(-1, keepdims=True)
    curved = weights[..., None] * (4 * gamma**2 * along * away - 2 * gamma)
    np.testing.assert_allclose(actual, curved.sum(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("op_type", "attributes", "reason"),
    [
        ("SVMClassifier", {"classlabels_ints": [0, 1]}, "how its classes vote"),
        ("LinearRegressor", {"coefficients": [1.0] * 4, "post_transform": "PROBIT"}, "of PROBIT"),
    ],
)
def test_what_has_no_formula_is_refused(
    op_type: str, attributes: dict[str, Any], reason: str
) -> None:
    outputs = 2 if op_type == "SVMClassifier" else 1
    graph = graph_of(op_type, np.float32, attributes, outputs)
    with pytest.raises(og.OnnxgradError, match=reason):
        og.vjp(graph, f"y{outputs - 1}", "x")


def test_no_model_holds_trees_of_both_kinds() -> None:
    """TreeEnsemble came with the version in which the other kind is gone."""
    b = og.Builder("forest")
    x = b.input("x", "float32", X.shape)
    votes = {"target_treeids": [0], "target_nodeids": [1], "target_ids": [0]}
    old = {**FOREST, **votes, "target_weights": [1.0], "n_targets": 1}
    b.output(b.op.TreeEnsembleRegressor(x, domain=ML, **old), "old")
    graph = b.build()
    (opset,) = (o.version for o in og.to_onnx(graph).opset_import if o.domain == ML)
    assert opset == 4
    new = {
        k: onnx.numpy_helper.to_array(a) if isinstance(a, onnx.TensorProto) else a
        for k, a in TREE.items()
    }
    b.output(b.op.TreeEnsemble(x, domain=ML, **new), "new")
    with pytest.raises(og.UnsupportedOpError, match="no model can hold"):
        og.to_onnx(b.build())
