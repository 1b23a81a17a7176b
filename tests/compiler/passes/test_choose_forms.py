"""The pass that chooses the form of each convolution's gradients for onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og
from onnxgrad.compiler.composites.form_choice import choose_form, choose_light_form
from onnxgrad.compiler.passes.choose_forms import choose_forms

Dims = tuple[int | str, ...]


def gradients(x: Dims, w: Dims, wrt: list[str], **attributes: list[int] | int) -> og.Graph:
    """Build the gradients of a convolution."""
    b = og.Builder("net")
    y = b.op.Conv(b.input("x", "float32", x), b.input("w", "float32", w), **attributes)
    b.output(y, "y")
    return og.vjp(b.build(), "y", wrt)


def chosen(graph: og.Graph) -> dict[str, str | None]:
    return {n.op_type: choose_form(n) for n in graph.nodes() if n.op_type.endswith("Grad")}


def operators(graph: og.Graph) -> list[str]:
    return [node.op_type for node in graph.nodes()]


@pytest.mark.parametrize(
    ("batch", "channels", "maps", "size", "stride", "by_weight", "by_input"),
    [  # the fastest in tests/benchmarks/convolution_forms.py, or within 15 % of it
        (64, 1, 32, 28, 1, "unfold", "transposed"),
        (32, 3, 64, 32, 1, "unfold", "transposed"),
        (32, 64, 64, 32, 1, "taps", "stuffed"),
        (32, 64, 128, 32, 2, "taps", "transposed"),
        (32, 128, 128, 16, 1, "taps", "stuffed"),
        (32, 256, 256, 8, 1, "taps", "stuffed"),
        (32, 256, 512, 8, 2, "rows", "columns"),
        (32, 512, 512, 4, 1, "rows", "stuffed"),
        ("N", 64, 64, 32, 1, "taps", "stuffed"),
        (32, 64, 64, "H", 1, "taps", "stuffed"),
    ],
)
def test_the_shape_decides(
    batch: int | str,
    channels: int,
    maps: int,
    size: int | str,
    stride: int,
    by_weight: str,
    by_input: str,
) -> None:
    x, w = (batch, channels, size, size), (maps, channels, 3, 3)
    graph = gradients(x, w, ["w", "x"], strides=[stride] * 2, pads=[1] * 4)
    assert chosen(graph) == {"ConvWeightGrad": by_weight, "ConvInputGrad": by_input}


def test_a_dilated_gradient_by_the_input_stays_a_transposed_convolution() -> None:
    graph = gradients((64, 64, 14, 14), (64, 64, 3, 3), ["x"], dilations=[2, 2], pads=[2] * 4)
    assert chosen(graph) == {"ConvInputGrad": "transposed"}


def test_what_is_chosen_is_expanded() -> None:
    graph = gradients((8, 64, 16, 16), (64, 64, 3, 3), ["w"], pads=[1] * 4)
    assert choose_forms(graph)
    assert operators(graph).count("Gemm") == 9 and "ConvWeightGrad" not in operators(graph)


def test_a_form_that_holds_much_gives_way_to_one_that_does_not() -> None:
    """Windows of one channel: unfolding is fastest until it holds hundreds of megabytes."""
    few, many = (gradients((n, 1, 100, 100), (24, 1, 5, 5), ["w"]) for n in (2, 225))
    assert chosen(few) == {"ConvWeightGrad": "unfold"}
    assert chosen(many) == {"ConvWeightGrad": "taps"}


def test_nothing_is_chosen_without_a_kernel_or_for_other_numbers() -> None:
    graph = gradients((8, 4, 9, 9), (5, 4, "K", "K"), ["x", "w"])
    assert not choose_forms(graph)
    assert {"ConvInputGrad", "ConvWeightGrad"} <= set(operators(graph))


@pytest.mark.parametrize("size", [4, 8, 16])
def test_chosen_forms_give_the_same_gradients_in_onnxruntime(size: int) -> None:
    graph = gradients((3, 8, size, size), (40, 8, 3, 3), ["x", "w"], strides=[2, 1], pads=[1] * 4)
    random = np.random.default_rng(size)
    sizes = {v.name: [d for d in v.shape or () if isinstance(d, int)] for v in graph.inputs}
    feeds = {n: random.standard_normal(shape, dtype=np.float32) for n, shape in sizes.items()}
    expected = og.compile(graph).run(feeds)
    actual = og.compile(graph, "onnxruntime").run(feeds)
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=1e-4, atol=1e-4)


def test_a_large_gradient_of_relu_is_guarded_and_the_file_runs_in_stock_onnxruntime() -> None:
    for size, chosen_form in ((8, None), (64, "guarded")):
        b = og.Builder("relu")
        b.output(b.op.Relu(b.input("x", "float32", (size, size))), "y")
        graph = og.vjp(b.build(), "y", "x")
        assert chosen(graph) == {"ReluGrad": chosen_form}
    model = og.to_onnx(og.optimize(graph, passes=[choose_forms])).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    x, dy = np.random.default_rng(0).normal(size=(2, 64, 64)).astype("f4")
    dy[0, 0] = np.inf
    _, dx = session.run(["y", "x.grad"], {"x": x, "y.grad": dy})
    np.testing.assert_array_equal(dx, np.where(x > 0, dy, 0))


def test_a_file_is_written_in_the_forms_without_branches_that_cost_least(tmp_path: Path) -> None:
    b = og.Builder("net")
    x, w = b.input("x", "float32", (8, 64, 16, 16)), b.input("w", "float32", (64, 64, 3, 3))
    b.output(b.op.Relu(b.op.Conv(x, w, pads=[1] * 4)), "y")
    graph = og.vjp(b.build(), "y", ["w"])
    path = tmp_path / "gradient.onnx"
    cases: list[tuple[dict[str, Any], int, int]] = [
        ({}, 9, 0),
        ({"forms": {"ConvWeightGrad": "unfold"}}, 0, 0),
        ({"runtime": "tract"}, 0, 0),
        ({"runtime": "onnxruntime"}, 9, 1),
        ({"runtime": "openvino"}, 9, 0),
    ]
    for options, products, branches in cases:
        og.save(graph, path, **options)
        written = operators(og.load(path))
        assert (written.count("Gemm"), written.count("If")) == (products, branches), options


@pytest.mark.parametrize(
    ("batch", "channels", "size", "stride", "form"),
    [
        (8, 32, 64, 1, "taps"),
        (32, 64, 32, 2, "taps"),
        (1, 256, 14, 1, None),
        (32, 512, 4, 1, None),
        (1, 256, 14, 2, "taps"),
        (8, 8, 64, 1, None),
    ],
)
def test_openvino_takes_taps_unless_few_positions_meet_many_channels(
    batch: int, channels: int, size: int, stride: int, form: str | None
) -> None:
    kernel = (channels, channels, 3, 3)
    strides = {"strides": [stride] * 2, "pads": [1] * 4}
    graph = gradients((batch, channels, size, size), kernel, ["w"], **strides)
    (node,) = (n for n in graph.nodes() if n.op_type == "ConvWeightGrad")
    assert choose_light_form(node) == form


@pytest.mark.parametrize("opset", [9, 13, 17, 18])
def test_a_form_is_written_only_where_the_opset_has_its_operators(
    opset: int, tmp_path: Path
) -> None:
    graph = gradients((8, 32, 4, 4), (64, 32, 3, 3), ["x"], pads=[1] * 4)
    assert chosen(graph) == {"ConvInputGrad": "columns"}
    for runtime in (None, "onnxruntime"):
        og.save(graph, tmp_path / "gradient.onnx", opset=opset, runtime=runtime)
        assert ("Col2Im" in operators(og.load(tmp_path / "gradient.onnx"))) == (opset == 18)
