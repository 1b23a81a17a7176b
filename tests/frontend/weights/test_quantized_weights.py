"""Weights that onnxruntime's quantizer made integers become floats and integers again."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import onnxgrad as og

RNG = np.random.default_rng(0)
FEEDS = {"x": RNG.normal(size=(6, 1, 8, 8)).astype(np.float32)}


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self) -> None:
        self._batches = iter([FEEDS])

    def get_next(self) -> Any:
        return next(self._batches, None)


def network() -> og.Graph:
    rng = np.random.default_rng(1)

    def draw(name: str, *shape: int) -> Any:
        return b.parameter(name, rng.normal(size=shape).astype(np.float32) / 4)

    b = og.Builder("net")
    x = b.input("x", "float32", ("N", 1, 8, 8))
    kernel, bias = draw("conv.weight", 4, 1, 3, 3), draw("conv.bias", 4)
    h = b.op.Flatten(b.op.Relu(b.op.Conv(x, kernel, bias, pads=[1, 1, 1, 1])))
    h = b.op.Relu(b.op.Gemm(h, draw("fc.weight", 10, 256), draw("fc.bias", 10), transB=1))
    b.output(h @ draw("last.weight", 10, 5), "logits")
    return b.build()


@pytest.fixture(scope="module", params=["tensor", "channel", "four bits"])
def quantized(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("quantized")
    og.save(network(), folder / "float.onnx")
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quantize_static(
            folder / "float.onnx", folder / "model.onnx", Calibration(),
            quant_format=QuantFormat.QDQ, per_channel=request.param == "channel",
            weight_type=QuantType.QInt4 if request.param == "four bits" else QuantType.QInt8,
        )  # fmt: skip
    finally:
        logging.getLogger().setLevel(level)
    return folder / "model.onnx"


def arrays(path: Path) -> dict[str, np.ndarray]:
    model = onnx.load(path)
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


def test_outputs_stay_and_the_integers_come_back(quantized: Path, tmp_path: Path) -> None:
    before = og.load(quantized)
    floats = og.dequantize_weights(before)
    again = og.quantize_weights(floats)
    names = {v.name for v in floats.parameters}
    assert {"conv.weight", "conv.bias", "fc.weight", "fc.bias", "last.weight"} <= names
    for backend in ("numpy", "onnxruntime"):
        found = [og.compile(g, backend).run(FEEDS)["logits"] for g in (before, floats, again)]
        np.testing.assert_array_equal(found[1], found[0])
        np.testing.assert_array_equal(found[2], found[0])
    og.save(again, tmp_path / "again.onnx")
    first, second = arrays(quantized), arrays(tmp_path / "again.onnx")
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        np.testing.assert_array_equal(np.ravel(second[name]), np.ravel(array), err_msg=name)


def trained(path: Path) -> tuple[og.Graph, list[float]]:
    floats = og.dequantize_weights(og.load(path))
    b = og.Builder.extend(og.straight_through(floats))
    error = b.value("logits") - np.ones((6, 5), np.float32)
    b.output(b.op.ReduceMean(error * error, keepdims=0), "loss")
    optimizer = og.optim.groups(og.optim.Adam(2e-3), {"*_scale": og.optim.Adam(1e-5)})
    stepper = og.compile(og.train_step(b.build(), "loss", optimizer)).stepper()
    losses = [float(stepper.run(FEEDS)["loss"]) for _ in range(30)]
    return og.with_parameters(floats, stepper.state()), losses


def test_weights_and_scales_train_and_are_saved_as_integers(
    quantized: Path, tmp_path: Path
) -> None:
    """In stock onnxruntime, which adds up integers where it can, too: a bias keeps its meaning."""
    tuned, losses = trained(quantized)
    assert losses[-1] < 0.5 * losses[0]
    result = og.quantize_weights(tuned)
    og.save(result, tmp_path / "tuned.onnx")
    before, after = arrays(quantized), arrays(tmp_path / "tuned.onnx")
    assert {n: a.dtype for n, a in before.items()} == {n: a.dtype for n, a in after.items()}
    for name in ("conv.weight_quantized", "fc.weight_quantized", "x_scale", "conv.bias_quantized"):
        assert not np.array_equal(before[name], after[name]), name
    product = np.ravel(after["x_scale"] * after["conv.weight_scale"])
    np.testing.assert_array_equal(np.ravel(after["conv.bias_quantized_scale"]), product)
    step = 1.01 * float(np.ravel(after["logits_scale"])[0])
    exact, ours = (og.compile(g).run(FEEDS)["logits"] for g in (tuned, result))
    assert np.abs(ours - exact).max() <= step  # biases were rounded
    (stock,) = onnxruntime.InferenceSession(tmp_path / "tuned.onnx").run(["logits"], FEEDS)
    assert np.abs(stock - ours).max() <= 2 * step  # it rounds in other places


def test_refusals() -> None:
    with pytest.raises(og.GraphError, match="no DequantizeLinear of the graph 'net' reads"):
        og.dequantize_weights(network())
    with pytest.raises(og.GraphError, match="no QuantizeLinear of the graph 'net' reads a float"):
        og.quantize_weights(network())
    b = og.Builder()
    w = b.constant(np.array([[3, 4]], np.int8), name="w")
    b.output(b.input("x", "float32", (2, 1)) @ b.op.DequantizeLinear(w, np.float32(0)), "y")
    with pytest.raises(og.GraphError, match="'w' does not come back by its scale"):
        og.dequantize_weights(b.build())


def test_integers_without_a_zero_point_keep_their_dtype() -> None:
    b = og.Builder()
    w = b.constant(np.array([[3, -4]], np.int8), name="w")
    b.output(b.input("x", "float32", (2, 1)) @ b.op.DequantizeLinear(w, np.float32(0.5)), "y")
    floats = og.dequantize_weights(b.build())
    np.testing.assert_array_equal(np.asarray(floats.find("w.float").constant), [[1.5, -2]])
    again = og.quantize_weights(floats)
    assert again.find("w").dtype == np.int8 and not again.parameters
