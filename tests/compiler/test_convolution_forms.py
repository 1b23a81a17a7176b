"""Every form of the gradients of convolutions against jax, bit for bit: NumPy and onnxruntime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og
from onnxgrad.compiler.composites import FORMS
from onnxgrad.compiler.errors import GraphError

FIXTURE = Path(__file__).parents[1] / "fixtures" / "jax_convolutions" / "cases.npz"
INPUT_FORMS = ["transposed", "stuffed", "columns"]
WEIGHT_FORMS = ["unfold", "derived", "taps", "columns", "rows"]

Case = dict[str, Any]


def load_cases(kind: str) -> list[Case]:
    """Give the stored convolutions of a kind, their arrays by name."""
    cases: dict[str, Case] = {}
    with np.load(FIXTURE) as arrays:
        for key in arrays.files:
            group, index, name = key.split("/")
            if group == kind:
                cases.setdefault(index, {})[name] = arrays[key]
    for case in cases.values():
        case["attributes"] = json.loads(str(case["attributes"]))
    return list(cases.values())


CONVOLUTIONS = load_cases("conv")
TRANSPOSED = load_cases("transpose")


def gradient_graph(op: str, case: Case, dtype: str, symbolic: str = "") -> og.Graph:
    """Build the graph of a convolution and its gradients; sizes of `symbolic` inputs have names."""
    b = og.Builder(op)
    inputs = []
    for name in "xwb":
        shape = case[name].shape
        dims = [f"{name}{k}" for k in range(len(shape))] if name in symbolic else shape
        inputs.append(b.input(name, dtype, dims))
    attributes = dict(case["attributes"])
    if "w" in symbolic:
        del attributes["kernel_shape"]
    b.output(getattr(b.op, op)(*inputs, **attributes), "y")
    return og.vjp(b.build(), "y", ["x", "w", "b"])


def run_numpy(model: Any, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run plain ONNX on our NumPy backend: no composite is left that could run natively."""
    return og.compile(og.load(model)).run(feeds)


def run_onnxruntime(model: Any, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run plain ONNX in stock onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [v.name for v in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def assert_exact(op: str, case: Case, forms: dict[str, str], symbolic: str) -> None:
    for dtype, run in (("float64", run_numpy), ("float32", run_onnxruntime)):
        model = og.to_onnx(gradient_graph(op, case, dtype, symbolic), forms=forms)
        feeds = {"x": case["x"], "w": case["w"], "b": case["b"], "y.grad": case["dy"]}
        results = run(model, {k: v.astype(dtype) for k, v in feeds.items()})
        for name in "xwb":
            np.testing.assert_array_equal(results[f"{name}.grad"], case[f"d{name}"])


def combinations() -> list[tuple[str, str, str]]:
    """Pair the forms so that each is there; with w symbolic all by its weight are "derived"."""
    pairs = [(INPUT_FORMS[k % 3], weight) for k, weight in enumerate(WEIGHT_FORMS)]
    known = [(*pair, symbolic) for pair in pairs for symbolic in ("", "x")]
    return [*known, *((by_input, "derived", "xw") for by_input in INPUT_FORMS)]


def test_no_form_is_left_out() -> None:
    assert sorted(FORMS["ConvInputGrad"]) == sorted(INPUT_FORMS)
    assert sorted(FORMS["ConvWeightGrad"]) == sorted(WEIGHT_FORMS)


@pytest.mark.parametrize(("by_input", "by_weight", "symbolic"), combinations())
@pytest.mark.parametrize("index", range(len(CONVOLUTIONS)))
def test_form_gives_the_gradient_of_jax(
    index: int, by_input: str, by_weight: str, symbolic: str
) -> None:
    forms = {"ConvInputGrad": by_input, "ConvWeightGrad": by_weight}
    assert_exact("Conv", CONVOLUTIONS[index], forms, symbolic)


@pytest.mark.parametrize("symbolic", ["", "x", "xw"])
@pytest.mark.parametrize("index", range(len(TRANSPOSED)))
def test_transposed_convolution_gives_the_gradient_of_jax(index: int, symbolic: str) -> None:
    assert_exact("ConvTranspose", TRANSPOSED[index], {}, symbolic)


def operators(graph: og.Graph, forms: dict[str, str]) -> list[str]:
    return [node.op_type for node in og.to_onnx(graph, forms=forms).graph.node]


def test_each_form_is_exported_as_it_is_written() -> None:
    case = {"x": np.zeros((2, 3, 9, 9)), "w": np.zeros((4, 3, 3, 3)), "b": np.zeros(4)}
    graph = gradient_graph("Conv", {**case, "attributes": {"strides": [2, 2]}}, "float32")
    assert operators(graph, {}).count("ConvTranspose") == 1
    stuffed = operators(graph, {"ConvInputGrad": "stuffed", "ConvWeightGrad": "rows"})
    assert "ConvTranspose" not in stuffed and stuffed.count("Conv") == 2
    assert "Col2Im" in operators(graph, {"ConvInputGrad": "columns"})
    derived = og.to_onnx(graph, forms={"ConvWeightGrad": "derived"}).graph.node
    (swapped,) = [n for n in derived if n.op_type == "Conv" and n.input[1] != "w"]
    attributes = {a.name: list(a.ints) for a in swapped.attribute}
    assert attributes["dilations"] == [2, 2] and attributes["strides"] == [1, 1]
    taps = operators(graph, {"ConvWeightGrad": "taps"})
    assert taps.count("MatMul") == 9
    columns = operators(graph, {"ConvWeightGrad": "columns"})
    assert columns.count("MatMul") == 1 and columns.count("Slice") == 9


def test_a_form_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    graph = gradient_graph("Conv", CONVOLUTIONS[0], "float32")
    with pytest.raises(GraphError, match="ConvWeightGrad has no form 'best'; it has unfold"):
        og.to_onnx(graph, forms={"ConvWeightGrad": "best"})
    with pytest.raises(GraphError, match="no composite 'Conv'"):
        og.save(graph, tmp_path / "model.onnx", forms={"Conv": "derived"})
    assert not list(tmp_path.iterdir())
