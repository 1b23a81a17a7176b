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

FIXTURE = Path(__file__).parents[2] / "fixtures" / "jax_convolutions" / "cases.npz"
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


def gradient_graph(op: str, case: Case, symbolic: str = "") -> og.Graph:
    """Build the graph of a convolution and its gradients; sizes of `symbolic` inputs have names."""
    b = og.Builder(op)
    inputs = []
    for name in "xwb":
        shape = case[name].shape
        dims = [f"{name}{k}" for k in range(len(shape))] if name in symbolic else shape
        inputs.append(b.input(name, "float32", dims))
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
    session: Any = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [v.name for v in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def assert_exact(op: str, case: Case, forms: dict[str, str], symbolic: str) -> None:
    model = og.to_onnx(gradient_graph(op, case, symbolic), forms=forms)
    feeds = {"x": case["x"], "w": case["w"], "b": case["b"], "y.grad": case["dy"]}
    feeds = {k: v.astype(np.float32) for k, v in feeds.items()}
    for run in (run_numpy, run_onnxruntime):
        results = run(model, feeds)
        for name in "xwb":
            np.testing.assert_array_equal(results[f"{name}.grad"], case[f"d{name}"])


def combinations() -> list[tuple[int, str, str, str]]:
    """Give every form half of the cases static and the other half with x symbolic.

    With w symbolic too all forms by the weight are "derived".
    """
    rows = []
    for index in range(len(CONVOLUTIONS)):
        for k, by_weight in enumerate(WEIGHT_FORMS):
            symbolic = "x" if (index + k) % 2 else ""
            rows.append((index, INPUT_FORMS[(index + k) % 3], by_weight, symbolic))
        rows.append((index, INPUT_FORMS[index // 3 % 3], "derived", "xw"))
    return rows


def test_no_form_is_left_out() -> None:
    assert sorted(FORMS["ConvInputGrad"]) == sorted(INPUT_FORMS)
    assert sorted(FORMS["ConvWeightGrad"]) == sorted(WEIGHT_FORMS)


@pytest.mark.parametrize(("index", "by_input", "by_weight", "symbolic"), combinations())
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
    graph = gradient_graph("Conv", {**case, "attributes": {"strides": [2, 2]}})
    assert operators(graph, {}).count("ConvTranspose") == 1
    stuffed = operators(graph, {"ConvInputGrad": "stuffed", "ConvWeightGrad": "rows"})
    assert "ConvTranspose" not in stuffed and stuffed.count("Conv") == 2
    assert "Col2Im" in operators(graph, {"ConvInputGrad": "columns"})
    derived = og.to_onnx(graph, forms={"ConvWeightGrad": "derived"}).graph.node
    (swapped,) = [n for n in derived if n.op_type == "Conv" and n.input[1] != "w"]
    attributes = {a.name: list(a.ints) for a in swapped.attribute}
    assert attributes["dilations"] == [2, 2] and attributes["strides"] == [1, 1]
    taps = operators(graph, {"ConvWeightGrad": "taps"})
    assert taps.count("Gemm") == 9
    columns = operators(graph, {"ConvWeightGrad": "columns"})
    assert columns.count("MatMul") == 1 and columns.count("Slice") == 9


def test_by_default_a_symbolic_batch_makes_no_kernel_of_it() -> None:
    """A kernel whose size is known only at run time is more than some runtimes take."""
    b = og.Builder("net")
    x, w = b.input("x", "float32", ("N", 3, 9, 9)), b.input("w", "float32", (4, 3, 3, 3))
    b.output(b.op.Conv(x, w, strides=[2, 2], pads=[1] * 4), "y")
    graph = og.load(og.to_onnx(og.vjp(b.build(), "y", ["x", "w"])))
    for node in graph.nodes():
        if node.op_type.startswith("Conv"):
            kernel = node.inputs[1]
            assert kernel is not None and all(isinstance(d, int) for d in kernel.shape or "?")


def test_a_form_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    graph = gradient_graph("Conv", CONVOLUTIONS[0])
    with pytest.raises(GraphError, match="ConvWeightGrad has no form 'best'; it has unfold"):
        og.to_onnx(graph, forms={"ConvWeightGrad": "best"})
    with pytest.raises(GraphError, match="no composite 'Conv'"):
        og.save(graph, tmp_path / "model.onnx", forms={"Conv": "derived"})
    assert not list(tmp_path.iterdir())
