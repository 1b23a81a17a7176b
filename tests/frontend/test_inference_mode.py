"""Training-mode BatchNormalization and Dropout go back to inference."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

MODELS = Path(__file__).parents[1] / "fixtures" / "torch_models"
X = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)


def training(use_flag: bool = False, statistics: bool = True) -> og.Graph:
    b = og.Builder()
    arrays: dict[str, Any] = {"scale": [1, 2], "bias": [0, 1], "mean": [3, 4], "variance": [4, 9]}
    inputs = [b.parameter(name, np.array(a, np.float32)) for name, a in arrays.items()]
    x = b.input("x", "float32", ("N", 2))
    y, mean, variance = b.op.BatchNormalization(x, *inputs, training_mode=1, outputs=3)
    flag = b.input("training", "bool", ()) if use_flag else True
    dropped, mask = b.op.Dropout(y, 0.5, flag, outputs=2)
    b.output(dropped, "y")
    b.output(mask, "mask")
    if statistics:
        b.output(mean, "mean.new")
        b.output(variance, "variance.new")
    return b.build()


def expected() -> np.ndarray:
    return np.asarray((X - [3, 4]) / np.sqrt(np.array([4, 9]) + 1e-5) * [1, 2] + [0, 1])


@pytest.mark.parametrize("use_flag", [False, True])
@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_running_statistics_are_used_and_nothing_is_dropped(use_flag: bool, backend: str) -> None:
    g = og.to_inference(training(use_flag))
    assert [v.name for v in g.inputs] == ["x"]
    assert [v.name for v in g.outputs] == ["y", "mask"]
    found = og.compile(g, backend).run({"x": X})
    np.testing.assert_allclose(found["y"], expected(), rtol=1e-5, atol=1e-6)
    assert found["mask"].all()


def test_statistics_that_are_read_are_the_old_ones() -> None:
    b = og.Builder.extend(training())
    b.output(b.value("mean.new") * 2.0, "twice")
    found = og.compile(og.to_inference(b.build())).run({"x": X})
    np.testing.assert_array_equal(found["twice"], [6, 8])


def test_bodies_too() -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2))
    body = b.subgraph(
        lambda i, go, s: (go, b.op.Dropout(s, 0.9, True) * 2.0), ("int64", ()), ("bool", ()), x
    )
    b.output(b.op.Loop(2, None, x, body=body), "y")
    found = og.compile(og.to_inference(b.build())).run({"x": X})
    np.testing.assert_array_equal(found["y"], 4 * X)


def test_a_model_that_torch_exported_for_training() -> None:
    """In inference mode the runtime gives the same twice, on any batch; the weights stay."""
    g = og.load(MODELS / "resnet_training_old.onnx")
    with np.load(MODELS / "resnet_training_old.npz") as file:
        feeds = {k[6:]: v for k, v in file.items() if k.startswith("input/")}
    after = og.to_inference(g)
    assert [v.name for v in after.parameters] == [v.name for v in g.parameters]
    runs = [og.compile(after, backend).run(feeds) for backend in ("numpy", "onnxruntime")]
    for name, value in runs[0].items():
        np.testing.assert_allclose(value, runs[1][name], rtol=1e-4, atol=1e-5)
    assert not any(n.attributes.get("training_mode") for n in after.nodes())


def test_a_graph_of_inference_stays_and_a_step_is_refused() -> None:
    g = og.load(MODELS / "resnet.onnx")
    assert len(og.to_inference(g).nodes()) == len(g.nodes())
    b = og.Builder.extend(training(statistics=False))
    b.output(b.op.ReduceSum(b.value("y"), keepdims=0), "loss")
    step = og.train_step(b.build(), "loss", og.optim.SGD(0.1))
    with pytest.raises(og.GraphError, match="holds gradients of its training mode"):
        og.to_inference(step)
