"""Gradients of models that torch exported, against torch's own; see tests/fixtures/torch_models."""

from pathlib import Path

import numpy as np
import pytest

import onnxgrad as og

FOLDER = Path(__file__).parent / "fixtures" / "torch_models"
MODELS = sorted(p.stem for p in FOLDER.glob("*.onnx"))
Arrays = dict[str, dict[str, np.ndarray]]
Differentiated = tuple[og.Graph, Arrays]

TOLERANCE = 1e-4
"""Relative to the array's largest gradient, or to the model's where one is only rounding noise."""


@pytest.fixture(scope="module", params=MODELS)
def differentiated(request: pytest.FixtureRequest) -> Differentiated:
    arrays: Arrays = {}
    for key, array in np.load(FOLDER / f"{request.param}.npz").items():
        kind, _, name = key.partition("/")
        arrays.setdefault(kind, {})[name] = array
    graph = og.load(FOLDER / f"{request.param}.onnx")
    return og.vjp(graph, list(arrays["cotangent"]), list(arrays["grad"])), arrays


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_gradients_are_torchs(differentiated: Differentiated, backend: str) -> None:
    graph, arrays = differentiated
    cotangents = {f"{name}.grad": array for name, array in arrays["cotangent"].items()}
    results = og.compile(graph, backend).run({**arrays["input"], **cotangents})
    for name, expected in arrays["output"].items():
        np.testing.assert_allclose(results[name], expected, rtol=1e-3, atol=1e-4, err_msg=name)
    largest = max(float(np.abs(g).max(initial=0.0)) for g in arrays["grad"].values())
    for name, expected in arrays["grad"].items():
        actual = results[f"{name}.grad"]
        assert actual.shape == expected.shape, name
        size = float(np.abs(expected).max(initial=0.0))
        error = float(np.abs(actual - expected).max(initial=0.0))
        assert error <= TOLERANCE * (size if size > 1e-5 * largest else largest), name
