"""First and second derivatives of the demo's network against differences in float64."""

import numpy as np
import pytest
from demo.network import build_network, load_digits

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype

STEP = 1e-5


@pytest.fixture(scope="module")
def network() -> og.Graph:
    return with_dtype(build_network(), np.dtype(np.float64))


@pytest.fixture(scope="module")
def feeds() -> dict[str, np.ndarray]:
    digits = load_digits()
    return {"image": digits.images[:6].astype(np.float64), "label": digits.labels[:6]}


def moved(
    arrays: dict[str, np.ndarray], directions: dict[str, np.ndarray], step: float
) -> dict[str, np.ndarray]:
    return {name: array + step * directions[name] for name, array in arrays.items()}


def test_hessian_times_a_vector(network: og.Graph, feeds: dict[str, np.ndarray]) -> None:
    """hvp by all parameters at once = (∇L(w + ε·v) − ∇L(w − ε·v)) / 2ε, within 1e-6."""
    weights = og.initial_state(og.train_step(network, optimizer=og.optim.SGD(0.1)))
    rng = np.random.default_rng(0)
    directions = {name: rng.normal(size=w.shape) for name, w in weights.items()}
    gradient = og.grad(network, "loss", list(weights))
    ahead, behind = (
        og.compile(og.with_parameters(gradient, moved(weights, directions, s))).run(feeds)
        for s in (STEP, -STEP)
    )
    tangents = {f"{name}.tangent": v for name, v in directions.items()}
    products = og.compile(og.hvp(network, "loss", list(weights))).run({**feeds, **tangents})
    for name in weights:
        expected = (ahead[f"{name}.grad"] - behind[f"{name}.grad"]) / (2 * STEP)
        largest = np.abs(expected).max()
        np.testing.assert_allclose(products[f"{name}.hvp"], expected, atol=1e-6 * largest, rtol=0)


def test_gradients(network: og.Graph, feeds: dict[str, np.ndarray]) -> None:
    names = [v.name for v in network.values() if v.parameter]
    report = og.check_gradients(network, "loss", [*names, "image"], feeds, ["numpy"])
    assert report, str(report)
