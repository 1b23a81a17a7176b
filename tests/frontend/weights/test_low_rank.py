"""Low-rank adapters: in place, trained alone, merged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

MODELS = Path(__file__).parents[2] / "fixtures" / "torch_models"
RNG = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def product(b: Any, x: Any) -> Any:
    return x @ b.parameter("w", draw(6, 4)) + b.parameter("c", draw(4))


def turned(b: Any, x: Any) -> Any:
    return x @ b.op.Transpose(b.parameter("w", draw(4, 6)), perm=[1, 0])


def gemm(b: Any, x: Any) -> Any:
    return b.op.Gemm(x, b.parameter("w", draw(4, 6)), b.parameter("c", draw(4)), transB=1,
                     alpha=0.5, beta=2.0)  # fmt: skip


def gemm_straight(b: Any, x: Any) -> Any:
    return b.op.Gemm(x, b.parameter("w", draw(6, 4)))


def convolution(b: Any, x: Any) -> Any:
    image = b.op.Reshape(x, [-1, 2, 3]) * np.ones((1, 1, 3), np.float32)
    w = b.parameter("w", draw(5, 2, 3))
    return b.op.Conv(image, w, b.parameter("c", draw(5)), pads=[1, 1], strides=[2])


def image(b: Any, x: Any) -> Any:
    maps = b.op.Reshape(x, [-1, 1, 2, 3])
    return b.op.Conv(maps, b.parameter("w", draw(3, 1, 2, 2)), dilations=[1, 2])


def dequantized(b: Any, x: Any) -> Any:
    """A weight in 8 bits with a scale for each output, as QLoRA has it."""
    held = b.constant(RNG.integers(-127, 127, (6, 4)).astype(np.int8), name="w")
    return x @ b.op.DequantizeLinear(held, np.linspace(0.01, 0.02, 4, dtype=np.float32), axis=1)


def integers(b: Any, x: Any) -> Any:
    """What onnxruntime's dynamic quantization writes."""
    op = b.op
    held = b.constant(RNG.integers(-127, 127, (6, 4)).astype(np.int8), name="w")
    xq, scale, zero = op.DynamicQuantizeLinear(x)
    y = op.MatMulInteger(xq, held, zero, b.constant(np.int8(0)))
    return op.Cast(y, to="float32") * (scale * 0.01) + b.parameter("c", draw(4))


def packed(b: Any, x: Any) -> Any:
    """A weight in 4 bits, two in a byte, as onnxruntime's quantizer writes it: (outputs, 1, 8)."""
    held = b.constant(RNG.integers(0, 255, (4, 1, 8)).astype(np.uint8), name="w")
    scales = b.constant(np.linspace(0.1, 0.2, 4, dtype=np.float32).reshape(4, 1))
    return b.op.MatMulNBits(x, held, scales, K=6, N=4, bits=4, block_size=16,
                            domain="com.microsoft")  # fmt: skip


FLOAT: list[Callable[[Any, Any], Any]] = [
    product, turned, gemm, gemm_straight, convolution, image,
]  # fmt: skip
QUANTIZED: list[Callable[[Any, Any], Any]] = [dequantized, integers, packed]
FEEDS = {"x": draw(5, 6)}


def model(layer: Callable[[Any, Any], Any]) -> og.Graph:
    b = og.Builder()
    y = layer(b, b.op.Tanh(b.input("x", "float32", ("N", 6)) * b.parameter("scale", draw(6))))
    b.output(y, "y")
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    return b.build()


def filled(g: og.Graph) -> og.Graph:
    """The graph with adapters that have learned something."""
    names = [v.name for v in g.parameters if ".lora_" in v.name]
    arrays: dict[str, Any] = {n: np.asarray(g.find(n).constant) + 0.3 for n in names}
    return og.with_parameters(g, {n: a.astype(np.float32) for n, a in arrays.items()})


@pytest.mark.parametrize("layer", FLOAT + QUANTIZED)
@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_the_output_is_first_what_it_was(layer: Callable[[Any, Any], Any], backend: str) -> None:
    before = model(layer)
    after = og.lora(before, "w", rank=2, alpha=3)
    assert [v.name for v in after.outputs] == ["y", "loss"]
    expected, found = (og.compile(g, backend).run(FEEDS)["y"] for g in (before, after))
    if layer is dequantized and backend == "onnxruntime":
        # alone, its optimizer makes the layer a MatMulNBits, which rounds x: 4e-3 off, not ours
        exact = og.compile(before).run(FEEDS)["y"]
        np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(found, expected)
    again = og.lora(before, "w", rank=2, alpha=3)
    np.testing.assert_array_equal(constant(again, "w.lora_A"), constant(after, "w.lora_A"))


def constant(g: og.Graph, name: str) -> np.ndarray:
    found = g.find(name).constant
    assert found is not None
    return found


@pytest.mark.parametrize("layer", FLOAT)
def test_merged_equals_base_and_adapter(layer: Callable[[Any, Any], Any], tmp_path: Path) -> None:
    adapted = filled(og.lora(model(layer), "w", rank=2, alpha=3))
    merged = og.merge_lora(adapted)
    base = model(layer)
    assert [v.name for v in merged.parameters] == [v.name for v in base.parameters]
    assert [n.op_type for n in merged.nodes()] == [n.op_type for n in base.nodes()]
    expected, found = (og.compile(g).run(FEEDS)["y"] for g in (adapted, merged))
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()
    assert not np.allclose(found, og.compile(base).run(FEEDS)["y"], rtol=1e-2)
    og.save(adapted, tmp_path / "adapted.onnx")  # found again in a file
    again = og.merge_lora(og.load(tmp_path / "adapted.onnx"))
    np.testing.assert_array_equal(constant(again, "w"), constant(merged, "w"))
    stock: Any = onnxruntime.InferenceSession(tmp_path / "adapted.onnx").run(["y"], FEEDS)[0]
    np.testing.assert_allclose(stock, expected, rtol=1e-4, atol=1e-5)


def test_the_adapter_is_the_papers_formula() -> None:
    """y + (alpha/rank)·x·A·B, by NumPy; A has variance 1/inputs, B is zero."""
    b = og.Builder()
    x = b.input("x", "float32", ("N", 400))
    b.output(x @ b.parameter("w", draw(400, 30)), "y")
    g = og.lora(b.build(), "w", rank=50, alpha=25)
    assert constant(g, "w.lora_B").shape == (50, 30) and not constant(g, "w.lora_B").any()
    assert abs(constant(g, "w.lora_A").std() * np.sqrt(400) - 1) < 0.02
    g = filled(g)
    given = draw(3, 400)
    expected = given @ constant(g, "w")
    expected = expected + 0.5 * (given @ constant(g, "w.lora_A")) @ constant(g, "w.lora_B")
    np.testing.assert_allclose(og.compile(g).run({"x": given})["y"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", FLOAT + QUANTIZED)
def test_only_adapters_train(layer: Callable[[Any, Any], Any], tmp_path: Path) -> None:
    """By default; in stock onnxruntime too; the gradient is that of finite differences."""
    g = og.lora(model(layer), "w", rank=2)
    step = og.train_step(g, "loss", og.optim.Adam(0.01))
    assert [v for v in og.initial_state(step) if "." not in v[-2:] and v.count(".") == 1] == [
        "w.lora_A", "w.lora_B",
    ]  # fmt: skip
    losses = {}
    for backend in ("numpy", "onnxruntime"):
        stepper = og.compile(step, backend).stepper()
        losses[backend] = [float(stepper.run(FEEDS)["loss"]) for _ in range(8)]
    assert losses["numpy"][-1] < losses["numpy"][0]
    np.testing.assert_allclose(losses["numpy"], losses["onnxruntime"], rtol=1e-4)
    assert og.check_gradients(filled(g), "loss", "w.lora_*", FEEDS, backends=["numpy"])
    og.save(step, tmp_path / "step.onnx")
    onnxruntime.InferenceSession(tmp_path / "step.onnx")


@pytest.mark.parametrize("layer", QUANTIZED)
def test_quantized_weights_are_not_merged(layer: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(og.GraphError, match="the weights w are quantized.*og.save_adapter"):
        og.merge_lora(og.lora(model(layer), "w"))


def test_a_tied_embedding_keeps_its_numbers() -> None:
    b = og.Builder()
    table = b.parameter("table", draw(9, 6))
    h = b.op.Tanh(b.op.Gather(table, b.input("x", "int64", ("N",))))
    b.output(h @ b.op.Transpose(table), "logits")
    g = filled(og.lora(b.build(), "table", rank=3))
    merged = og.merge_lora(g)
    np.testing.assert_array_equal(constant(merged, "table"), constant(g, "table"))
    assert {v.name for v in merged.parameters} == {"table", "table.merged"}
    feeds = {"x": np.array([1, 4, 8])}
    expected, found = (og.compile(m).run(feeds)["logits"] for m in (g, merged))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_layer_that_is_used_twice_has_one_adapter() -> None:
    b = og.Builder()
    w = b.parameter("w", draw(6, 6))
    b.output(b.op.Tanh(b.input("x", "float32", ("N", 6)) @ w) @ w, "y")
    g = filled(og.lora(b.build(), "w", rank=2))
    assert len(g.parameters) == 3
    merged = og.merge_lora(g)
    assert [v.name for v in merged.parameters] == ["w"]
    expected, found = (og.compile(m).run(FEEDS)["y"] for m in (g, merged))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "bert_old", "gpt_tied", "vit", "resnet", "mobilenet"])
def test_exported_models(name: str) -> None:
    g = og.load(MODELS / f"{name}.onnx")
    with np.load(MODELS / f"{name}.npz") as file:
        feeds = {k[6:]: v for k, v in file.items() if k.startswith("input/")}
    adapted = og.lora(g, "*", rank=2, alpha=4)
    output = g.outputs[0].name
    expected, found = (og.compile(m).run(feeds)[output] for m in (g, adapted))
    np.testing.assert_array_equal(found, expected)
    small = {
        v.name: (np.asarray(v.constant) + 0.02).astype(np.float32)
        for v in adapted.parameters
        if ".lora_" in v.name
    }
    learned = og.with_parameters(adapted, small)
    expected, found = (og.compile(m).run(feeds)[output] for m in (learned, og.merge_lora(learned)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def depthwise(b: Any, x: Any) -> Any:
    return b.op.Conv(b.op.Reshape(x, [-1, 2, 3]), b.parameter("w", draw(2, 1, 3)), group=2)


@pytest.mark.parametrize(
    ("layer", "arguments", "message"),
    [
        (product, {"layers": "q_proj"}, "no MatMul, Gemm or Conv .* matches 'q_proj'; there are w"),
        (product, {"layers": []}, "name at least one layer"),
        (product, {"layers": 3}, "layers must be a name or a list of names"),
        (product, {"layers": "w", "rank": 0}, "rank must be an integer of at least 1"),
        (product, {"layers": "w", "alpha": "1"}, "alpha must be a finite number"),
        (depthwise, {"layers": "w"}, r"no MatMul, Gemm or Conv \(without groups\)"),
    ],
)
def test_refusals(layer: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.lora(model(layer), **arguments)
    with pytest.raises(og.GraphError, match="has no adapters; og.lora adds some"):
        og.merge_lora(model(layer))


def test_twice_is_an_error() -> None:
    with pytest.raises(og.GraphError, match="MatMul .* has an adapter; og.merge_lora"):
        og.lora(og.lora(model(product), "w"), "w")
