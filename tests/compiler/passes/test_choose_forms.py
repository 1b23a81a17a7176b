"""The pass that chooses the form of each convolution's gradients for onnxruntime."""

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.choose_forms import choose_forms

Dims = tuple[int | str, ...]


def gradients(x: Dims, w: Dims, wrt: list[str], **attributes: list[int] | int) -> og.Graph:
    """Build the gradients of a convolution."""
    b = og.Builder("net")
    y = b.op.Conv(b.input("x", "float32", x), b.input("w", "float32", w), **attributes)
    b.output(y, "y")
    return og.vjp(b.build(), "y", wrt)


def operators(graph: og.Graph) -> list[str]:
    return [node.op_type for node in graph.nodes()]


@pytest.mark.parametrize(
    ("batch", "channels", "maps", "size", "stride", "chosen"),
    [
        (8, 1, 32, 28, 1, False),
        (8, 256, 256, 8, 1, True),
        (8, 64, 128, 32, 2, False),
        (8, 64, 128, 16, 2, True),
        (8, 128, 128, 16, 1, True),
        (1, 128, 128, 16, 1, False),
    ],
)
def test_by_weight_the_shape_decides(
    batch: int, channels: int, maps: int, size: int, stride: int, chosen: bool
) -> None:
    x, w = (batch, channels, size, size), (maps, channels, 3, 3)
    graph = gradients(x, w, ["w"], strides=[stride] * 2, pads=[1] * 4)
    assert choose_forms(graph) == chosen
    assert ("ConvWeightGrad" in operators(graph)) != chosen
    if chosen:
        assert operators(graph).count("MatMul") == 1


def test_by_input_two_axes_take_columns() -> None:
    graph = gradients((8, 4, 9, 9), (5, 4, 3, 3), ["x"])
    assert choose_forms(graph)
    assert "Col2Im" in operators(graph)


@pytest.mark.parametrize(
    ("x", "w", "group"),
    [
        (("N", 4, 9, 9), (5, 4, 3, 3), 1),
        ((8, 4, "H", "W"), (5, 4, 3, 3), 1),
        ((8, 4, 9, 9), (4, 1, 3, 3), 4),
    ],
)
def test_nothing_is_chosen_without_static_sizes_or_with_groups(
    x: Dims, w: Dims, group: int
) -> None:
    graph = gradients(x, w, ["x", "w"], group=group)
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
