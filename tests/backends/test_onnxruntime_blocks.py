"""Convolutions with fed weights run over blocks of channels, and give what stock kernels give."""

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import onnxgrad as og
from onnxgrad.backends import onnxruntime_blocks
from onnxgrad.backends.onnxruntime_blocks import block_channels, block_width
from onnxgrad.compiler.graph.subgraphs import all_nodes
from onnxgrad.compiler.standard.contrib import BLOCKED_DOMAIN

pytestmark = pytest.mark.skipif(
    not block_width(), reason="onnxruntime has no blocks on this processor"
)


def convolution(
    op_type: str, image: tuple[Any, ...], weight: tuple[int, ...], bias: int = 0, **attributes: Any
) -> og.Graph:
    b = og.Builder("convolution")
    inputs = [b.input("x", "float32", image), b.input("w", "float32", weight)]
    if bias:
        inputs.append(b.input("b", "float32", (bias,)))
    b.output(getattr(b.op, op_type)(*inputs, **attributes), "y")
    return b.build()


def blocked(graph: og.Graph) -> list[str]:
    """List the operators over blocks that a graph gets."""
    copy = graph.copy()
    block_channels(copy)
    return [n.op_type for n in all_nodes(copy) if n.domain == BLOCKED_DOMAIN]


def drawn(graph: og.Graph, batch: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    sizes = {
        v.name: [batch if isinstance(d, str) else d for d in v.shape or ()] for v in graph.inputs
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in sizes.items()}


def agrees_with_stock(graph: og.Graph, feeds: dict[str, np.ndarray]) -> None:
    session = ort.InferenceSession(
        og.to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [v.name for v in graph.outputs]
    expected = map(np.asarray, session.run(names, feeds))
    found = og.compile(graph, "onnxruntime").run(feeds)
    for name, right in zip(names, expected, strict=True):
        np.testing.assert_allclose(found[name], right, rtol=0, atol=1e-5 * abs(right).max())


PLAIN: list[dict[str, Any]] = [
    {},
    {"strides": [2, 1], "pads": [1, 0, 2, 3]},
    {"dilations": [2, 3], "pads": [2, 3, 2, 3]},
    {"strides": [2, 3], "dilations": [3, 1], "pads": [4, 4, 0, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER"},
]


@pytest.mark.parametrize("attributes", PLAIN, ids=str)
@pytest.mark.parametrize("batch", [2, "n"])
def test_convolution(attributes: dict[str, Any], batch: int | str) -> None:
    graph = convolution("Conv", (batch, 32, 19, 18), (16, 32, 3, 2), 16, **attributes)
    assert blocked(graph) == ["ReorderInput", "Conv", "ReorderOutput"]
    agrees_with_stock(graph, drawn(graph))


@pytest.mark.parametrize("bias", [0, 32])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [2, 1, 2, 4], [5, 5, 5, 5]])
def test_dilated_transposed_convolution(pads: list[int], bias: int) -> None:
    dilations = {"dilations": [2, 3], "pads": pads}
    graph = convolution("ConvTranspose", (3, 16, 24, 23), (16, 32, 3, 2), bias, **dilations)
    assert "Conv" in blocked(graph)
    agrees_with_stock(graph, drawn(graph))


def test_one_follows_another_without_a_new_order() -> None:
    b = og.Builder("chain")
    x, w, v = (
        b.input(name, "float32", shape)
        for name, shape in {"x": (2, 16, 24, 24), "w": (16, 16, 3, 3), "v": (32, 16, 2, 2)}.items()
    )
    y = b.op.Conv(x, w)
    b.output(y, "y")
    b.output(b.op.Conv(y, v), "z")
    b.output(b.op.Conv(x, v), "beside")
    graph = b.build()
    assert blocked(graph).count("ReorderInput") == 1
    agrees_with_stock(graph, drawn(graph))


def test_in_the_body_of_a_loop() -> None:
    b = og.Builder("loop")
    x, w = b.input("x", "float32", (2, 16, 24, 24)), b.input("w", "float32", (16, 16, 3, 3))
    step = b.subgraph(
        lambda k, on, s: (on, b.op.Conv(s, w, pads=[1] * 4)),
        ("int64", ()), ("bool", ()), x,
    )  # fmt: skip
    b.output(b.op.Loop(3, None, x, body=step), "y")
    graph = b.build()
    assert "Conv" in blocked(graph)
    agrees_with_stock(graph, drawn(graph))


def test_a_training_step_learns_the_same() -> None:
    b = og.Builder("net")
    rng = np.random.default_rng(0)
    x = b.input("x", "float32", ("n", 16, 12, 12))
    for k in range(2):
        w = b.parameter(f"w{k}", rng.normal(0, 0.1, (16, 16, 3, 3)).astype(np.float32))
        x = b.op.Gelu(b.op.Conv(x, w, pads=[2] * 4, dilations=[2, 2]))
    b.output(b.op.ReduceMean(x * x, keepdims=0), "loss")
    step = og.train_step(b.build(), "loss", og.optim.SGD(0.1))
    assert blocked(step).count("Conv") == 2
    images = drawn(step)["x"]
    found = {
        backend: [float(s.run({"x": images})["loss"]) for _ in range(4)]
        for backend in ("onnxruntime", "numpy")
        for s in [og.compile(step, backend).stepper()]
    }
    np.testing.assert_allclose(found["onnxruntime"], found["numpy"], rtol=1e-5)
    assert found["numpy"][3] < 0.9 * found["numpy"][0]


def test_no_images_at_all() -> None:
    graph = convolution("Conv", ("n", 16, 24, 24), (16, 16, 3, 3))
    feeds = drawn(graph, batch=0)
    assert og.compile(graph, "onnxruntime").run(feeds)["y"].shape == (0, 16, 22, 22)


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(convolution("Conv", (2, 4, 9, 9), (16, 4, 3, 3)), id="few channels"),
        pytest.param(convolution("Conv", (2, 16, 24, 24), (20, 16, 3, 3)), id="odd maps"),
        pytest.param(convolution("Conv", (2, 16, 24, 24), (16, 16, 1, 1)), id="one tap"),
        pytest.param(convolution("Conv", (2, 32, 9, 9), (32, 16, 3, 3), group=2), id="groups"),
        pytest.param(convolution("Conv", (1, 64, 5, 5), (64, 64, 3, 3)), id="heavy weight"),
        pytest.param(convolution("Conv", (2, 16, 9), (16, 16, 3)), id="one axis"),
        pytest.param(convolution("Conv", (2, 16, "h", 9), (16, 16, 3, 3)), id="open size"),
    ],
)
def test_what_stays_as_it_is(graph: og.Graph) -> None:
    assert not blocked(graph)


def test_fixed_weights_are_left_to_onnxruntime() -> None:
    b = og.Builder("fixed")
    w = b.parameter("w", np.ones((16, 16, 3, 3), np.float32))
    b.output(b.op.Conv(b.input("x", "float32", (2, 16, 24, 24)), w), "y")
    assert not blocked(b.build())


def test_no_blocks_without_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = convolution("Conv", (2, 16, 24, 24), (16, 16, 3, 3))
    assert blocked(graph)
    monkeypatch.setattr(onnxruntime_blocks, "block_width", lambda: 0)
    assert not blocked(graph)
