"""Training steps of whole models: what is trained by default, statistics, two backends."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

MODELS = Path(__file__).parents[1] / "fixtures" / "torch_models"


def with_loss(name: str) -> tuple[og.Graph, dict[str, np.ndarray]]:
    """A stored model with its mean square distance from a stored array as loss, and its inputs."""
    with np.load(MODELS / f"{name}.npz") as file:
        stored = dict(file)
    graph = og.load(MODELS / f"{name}.onnx")
    b = og.Builder.extend(graph)
    output = graph.outputs[0].name
    apart = b.value(output) - b.constant(stored[f"cotangent/{output}"])
    b.output(b.op.ReduceMean(apart * apart, keepdims=0), "distance")
    feeds = {k.removeprefix("input/"): v for k, v in stored.items() if k.startswith("input/")}
    return b.build(), feeds


@pytest.mark.parametrize("name", ["bert", "llama", "resnet_training_old", "unet", "vit_old"])
def test_exported_models_train_alike_on_two_backends(name: str) -> None:
    """Constants that exporters write as initializers (scalars, scales of Resize) stay."""
    graph, feeds = with_loss(name)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="what may be constants")
        step = og.train_step(graph, "distance", og.optim.Adam(1e-3))
    assert all(step.find(v).rank for v in og.initial_state(step) if v != "step")
    losses = {}
    for backend in ("numpy", "onnxruntime"):
        stepper = og.compile(step, backend).stepper()
        losses[backend] = [float(stepper.run(feeds)["distance"]) for _ in range(5)]
    assert losses["numpy"][-1] < losses["numpy"][0]
    np.testing.assert_allclose(losses["numpy"], losses["onnxruntime"], rtol=1e-5)


def test_scalars_are_left_out_with_a_warning() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2,)) * b.parameter("w", np.ones(2, np.float32))
    b.output(b.op.ReduceSum(x * b.parameter("half", np.float32(0.5)), keepdims=0), "loss")
    graph = b.build()
    with pytest.warns(UserWarning, match="not trained: half; name what to train"):
        step = og.train_step(graph, optimizer=og.optim.SGD(1.0))
    assert list(og.initial_state(step)) == ["w"]
    step = og.train_step(graph, optimizer=og.optim.SGD(1.0), parameters=["half", "w"])
    assert list(og.initial_state(step)) == ["half", "w"]


def normalization() -> og.Graph:
    b = og.Builder()
    arrays: dict[str, Any] = {"scale": [1, 2], "bias": [0, 1], "mean": [0, 0], "variance": [1, 1]}
    inputs = [b.parameter(name, np.array(a, np.float32)) for name, a in arrays.items()]
    y, mean, variance = b.op.BatchNormalization(
        b.input("x", "float32", ("N", 2)), *inputs, training_mode=1, momentum=0.75, outputs=3
    )
    b.output(b.op.ReduceSum(y * y * y, keepdims=0), "loss")
    b.output(mean, "running_mean")
    b.output(variance, "running_variance")
    return b.build()


def test_running_statistics_are_state() -> None:
    """mean ← 0.75·mean + 0.25·batch mean at each step; scale and bias are trained, they are not."""
    step = og.train_step(normalization(), optimizer=og.optim.SGD(0.01))
    assert list(og.initial_state(step)) == ["scale", "bias", "mean", "variance"]
    stepper = og.compile(step).stepper()
    mean, variance = np.zeros(2), np.ones(2)
    for k in range(3):
        x = np.random.default_rng(k).normal(size=(8, 2)).astype(np.float32)
        stepper(x=x)
        mean = 0.75 * mean + 0.25 * x.mean(axis=0)
        variance = 0.75 * variance + 0.25 * x.var(axis=0)
        np.testing.assert_allclose(stepper.state()["mean"], mean, rtol=1e-5)
        np.testing.assert_allclose(stepper.state()["variance"], variance, rtol=1e-5)
    assert not np.array_equal(stepper.state()["scale"], [1, 2])
