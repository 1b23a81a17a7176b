"""A last layer for other classes: shapes, names, torch's bounds, what follows it, refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxgrad as og

MODELS = Path(__file__).parents[2] / "fixtures" / "torch_models"
RNG = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def gemm(b: Any, x: Any) -> Any:
    return b.op.Gemm(x, b.parameter("fc.weight", draw(10, 8)), b.parameter("fc.bias", draw(10)),
                     transB=1)  # fmt: skip


def product(b: Any, x: Any) -> Any:
    return x @ b.parameter("fc.weight", draw(8, 10)) + b.parameter("fc.bias", draw(10))


def turned(b: Any, x: Any) -> Any:
    weight = b.op.Transpose(b.parameter("fc.weight", draw(10, 8)), perm=[1, 0])
    return b.op.Add(b.parameter("fc.bias", draw(10)), x @ weight)


def plain(b: Any, x: Any) -> Any:
    return x @ b.parameter("fc.weight", draw(8, 10))


def softmax(b: Any, x: Any) -> Any:
    return b.op.Softmax(gemm(b, x), axis=1)


def squeezenet(b: Any, x: Any) -> Any:
    """A 1×1 convolution, averaged over the image, flattened by a Reshape that names its size."""
    image = b.op.Unsqueeze(x, [2, 3]) * np.ones((1, 1, 4, 4), np.float32)
    bias = b.parameter("fc.bias", draw(10))
    maps = b.op.Relu(b.op.Conv(image, b.parameter("fc.weight", draw(10, 8, 1, 1)), bias))
    pooled = b.op.Reshape(b.op.GlobalAveragePool(maps), np.array([-1, 10]))
    return b.op.Softmax(pooled)


KINDS: list[Callable[[Any, Any], Any]] = [gemm, product, turned, plain, softmax, squeezenet]


def model(head: Callable[[Any, Any], Any], name: str = "logits") -> og.Graph:
    b = og.Builder()
    x = b.op.Tanh(b.input("x", "float32", ("N", 8)) @ b.parameter("below", draw(8, 8)))
    b.output(head(b, x), name)
    return b.build()


@pytest.mark.parametrize("head", KINDS)
def test_the_new_layer_has_the_old_names_and_other_sizes(
    head: Callable[[Any, Any], Any], tmp_path: Path
) -> None:
    before = model(head)
    after = og.new_head(before, "logits", classes=3, seed=1)
    assert [v.name for v in after.outputs] == ["logits"]
    assert after.find("logits").shape == ("N", 3)
    assert (before.find("logits").shape or (0,))[-1] == 10
    assert [v.name for v in after.parameters] == ["below", *names_of(after)]
    assert {n.op_type for n in after.nodes()} == {n.op_type for n in before.nodes()}
    x = {"x": draw(5, 8)}
    og.save(after, tmp_path / "model.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "model.onnx"), full_check=True)
    found: Any = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, x)[0]
    np.testing.assert_allclose(found, by_hand(head, after, x["x"]), rtol=1e-4, atol=1e-6)


def names_of(g: og.Graph) -> list[str]:
    return [v.name for v in g.parameters if v.name.startswith("fc.")]


def by_hand(head: Any, g: og.Graph, x: np.ndarray) -> np.ndarray:
    arrays: dict[str, Any] = {v.name: v.constant for v in g.parameters}
    w = arrays["fc.weight"].reshape(arrays["fc.weight"].shape[:2])
    w = w if w.shape == (8, 3) else w.T
    y = np.tanh(x @ arrays["below"]) @ w + arrays.get("fc.bias", 0)
    if head is squeezenet:
        y = np.maximum(y, 0)
    if head in (softmax, squeezenet):
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    return np.asarray(y)


def test_numbers_are_uniform_as_torchs_linear_draws_them() -> None:
    """Kaiming uniform with a = √5 of fan_in 400: both reach 1/√400 and not beyond."""
    b = og.Builder()
    x = b.input("x", "float32", ("N", 400))
    b.output(b.op.Gemm(x, b.parameter("w", draw(5, 400)), b.parameter("c", draw(5)), transB=1), "y")
    g = og.new_head(b.build(), "y", 300)
    for name, least in (("w", 0.0499), ("c", 0.049)):
        array: Any = g.find(name).constant
        assert array.dtype == np.float32 and least < np.abs(array).max() <= 0.05
        assert abs(array.std() - 0.1 / np.sqrt(12)) < 0.05 * 0.1
    weights: list[Any] = [
        made.find("w").constant
        for made in (g, og.new_head(b.build(), "y", 300), og.new_head(b.build(), "y", 300, seed=7))
    ]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize("name", ["resnet", "resnet_old", "vit", "vit_old", "mobilenet", "bert"])
def test_exported_models(name: str) -> None:
    g = og.load(MODELS / f"{name}.onnx")
    with np.load(MODELS / f"{name}.npz") as file:
        feeds = {k[6:]: v for k, v in file.items() if k.startswith("input/")}
    output = g.outputs[0].name
    after = og.new_head(g, output, 7)
    for backend in ("numpy", "onnxruntime"):
        assert og.compile(after, backend).run(feeds)[output].shape[-1] == 7
    changed = [v.name for v in after.parameters if v.constant is not g.find(v.name).constant]
    assert 1 <= len(changed) <= 2
    assert [v.name for v in after.inputs] == [v.name for v in g.inputs]


def test_a_tied_embedding_stays() -> None:
    b = og.Builder()
    table = b.parameter("table", draw(10, 8))
    x = b.op.Gather(table, b.input("x", "int64", ("N",)))
    b.output(x @ b.op.Transpose(table), "logits")
    after = og.new_head(b.build(), "logits", 3)
    assert [v.name for v in after.parameters] == ["table", "table.anew"]
    assert after.find("table").shape == (10, 8) and after.find("table.anew").shape == (3, 8)


def test_it_trains() -> None:
    b = og.Builder.extend(og.new_head(model(softmax), "logits", 3))
    label = b.input("label", "int64", ("N",))
    b.output(b.op.NegativeLogLikelihoodLoss(b.op.Log(b.value("logits")), label), "loss")
    step = og.train_step(b.build(), "loss", og.optim.SGD(0.5), parameters="fc.*")
    stepper = og.compile(step).stepper()
    feeds = {"x": draw(9, 8), "label": np.arange(9) % 3}
    losses = [float(stepper.run(feeds)["loss"]) for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0] and set(stepper.state()) == {"fc.weight", "fc.bias"}


def computed(b: Any, x: Any) -> Any:
    return x @ b.op.Tanh(b.parameter("w", draw(8, 10)))


def quantized(b: Any, x: Any) -> Any:
    w = b.constant(np.ones((8, 10), np.int8))
    return x @ b.op.DequantizeLinear(w, np.float32(0.1))


def followed(b: Any, x: Any) -> Any:
    return gemm(b, x) * b.parameter("scale", draw(10))


@pytest.mark.parametrize(
    ("head", "classes", "message"),
    [
        (lambda b, x: b.op.Tanh(x) * 2.0, 3, "the way back ends at Mul"),
        (lambda b, x: b.op.ArgMax(gemm(b, x)), 3, "the way back ends at ArgMax"),
        (
            lambda b, x: x @ b.input("w", "float32", (8, 2)),
            3,
            "of MatMul 'logits' is the input 'w'",
        ),
        (computed, 3, "weight of MatMul 'logits' is computed, by Tanh"),
        (quantized, 3, "is computed, quantized; call og.dequantize_weights"),
        (gemm, 0, "classes must be an integer of at least 1"),
        (gemm, 2.5, "classes must be an integer"),
        (followed, 3, "the way back ends at Mul"),
    ],
)
def test_refusals(head: Callable[[Any, Any], Any], classes: Any, message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.new_head(model(head), "logits", classes)


def test_two_sizes_that_may_be_the_classes_are_refused() -> None:
    b = og.Builder()
    b.output(b.op.Reshape(gemm(b, b.input("x", "float32", (10, 8))), np.array([10, 10])), "logits")
    with pytest.raises(og.GraphError, match=r"makes sizes \[10, 10\]: which is it"):
        og.new_head(b.build(), "logits", 3)


def test_what_reads_the_old_number_of_classes_is_named() -> None:
    b = og.Builder()
    logits = gemm(b, b.input("x", "float32", ("N", 8)))
    b.output(logits, "logits")
    b.output(logits * b.constant(draw(10)), "weighted")
    with pytest.raises(og.GraphError, match="3 classes do not fit what follows: .*Mul"):
        og.new_head(b.build(), "logits", 3)
