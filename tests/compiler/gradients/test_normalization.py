"""LayerNormalization's mean and inverse deviation are differentiable outputs, of float32 always."""

import numpy as np
import pytest
from finite_differences import finite_differences

import onnxgrad as og

EPSILON = 0.125

Arrays = dict[str, np.ndarray]


def draw() -> Arrays:
    rng = np.random.default_rng(5)
    shapes = {"x": (2, 3, 4), "scale": (3, 4), "bias": (4,)}
    shapes |= {"y.grad": (2, 3, 4), "mean.grad": (2, 1, 1), "inverse.grad": (2, 1, 1)}
    return {name: rng.uniform(-1, 1, shape) for name, shape in shapes.items()}


def loss(arrays: Arrays) -> float:
    """Project the three outputs on their cotangents, in float64."""
    x = arrays["x"]
    mean = x.mean((1, 2), keepdims=True)
    inverse = 1 / np.sqrt(((x - mean) ** 2).mean((1, 2), keepdims=True) + EPSILON)
    y = (x - mean) * inverse * arrays["scale"] + arrays["bias"]
    outputs = {"y": y, "mean": mean, "inverse": inverse}
    return float(sum((output * arrays[f"{n}.grad"]).sum() for n, output in outputs.items()))


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("of", [["y"], ["mean"], ["inverse"], ["y", "mean", "inverse"]], ids=str)
def test_every_output_has_its_gradient(of: list[str], symbolic: bool, backend: str) -> None:
    arrays = draw()
    b = og.Builder("net")
    inputs = []
    for name in ("x", "scale", "bias"):
        shape = arrays[name].shape
        dims = [f"{name}{k}" for k in range(len(shape))] if symbolic else shape
        inputs.append(b.input(name, "float32", dims))
    outputs = b.op.LayerNormalization(*inputs, axis=1, epsilon=EPSILON, outputs=3)
    for output, name in zip(outputs, ("y", "mean", "inverse"), strict=True):
        b.output(output, name)
    wrt = ["x", "scale", "bias"] if "y" in of else ["x"]
    graph = og.vjp(b.build(), of, wrt)
    feeds = {v.name: arrays[v.name].astype("float32") for v in graph.inputs}
    actual = og.compile(graph, backend).run(feeds)
    for name in ("y", "mean", "inverse"):
        if name not in of:
            arrays[f"{name}.grad"] *= 0
    for name in wrt:
        expected = finite_differences(loss, arrays, name)
        np.testing.assert_allclose(actual[f"{name}.grad"], expected, rtol=1e-4, atol=1e-5)
