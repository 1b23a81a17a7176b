"""What stock onnxruntime fuses into Gemm and Conv has the gradients of the graph as it was."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

DRAW = np.random.default_rng(2)

ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    ("Elu", {"alpha": 0.4}),
    ("HardSigmoid", {"alpha": 0.5, "beta": 0.3}),
    ("LeakyRelu", {"alpha": 0.3}),
    ("Relu", {}),
    ("Selu", {}),
    ("Selu", {"alpha": 2.0, "gamma": 0.5}),
    ("Sigmoid", {}),
    ("Softplus", {}),
    ("Softsign", {}),
    ("Tanh", {}),
    ("ThresholdedRelu", {"alpha": 0.2}),
]


def drawn(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape).astype(np.float32)


def layer(operator: str, activation: str, numbers: dict[str, Any]) -> og.Graph:
    b = og.Builder()
    if operator == "Gemm":
        x = b.op.Gemm(b.input("x", "float32", ("N", 4)), drawn(4, 5), drawn(5), alpha=0.5, beta=2.0)
    else:
        x = b.op.Conv(b.input("x", "float32", ("N", 2, 5)), drawn(3, 2, 2), drawn(3))
    b.output(getattr(b.op, activation)(x, **numbers), "y")
    return b.build()


@pytest.mark.parametrize(("activation", "numbers"), ACTIVATIONS)
@pytest.mark.parametrize("operator", ["Gemm", "Conv"])
def test_fused(operator: str, activation: str, numbers: dict[str, Any], tmp_path: Path) -> None:
    graph, fused = layer(operator, activation, numbers), tmp_path / "fused.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(fused)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3  # it tells that such files are for this machine
    model = og.to_onnx(graph, 13).SerializeToString()
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = drawn(3, 4) if operator == "Gemm" else drawn(3, 2, 5)
    before, after = (og.vjp(g, "y", "x") for g in (graph, og.load(fused)))
    dy = np.ones_like(og.compile(graph)(x=x)["y"])
    wanted = og.compile(before).run({"x": x, "y.grad": dy})
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(after, backend).run({"x": x, "y.grad": dy})
        for name, array in wanted.items():
            np.testing.assert_allclose(found[name], array, rtol=2e-5, atol=2e-6)
