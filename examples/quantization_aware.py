"""Train what onnxruntime's quantizer wrote, and save integers again.

A network that reads digits is quantized to weights of 4 bits, which costs accuracy. Training with
the rounding in place, its scales too, gets most of it back.

Run: python examples/quantization_aware.py
"""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from sklearn.datasets import load_digits

import onnxgrad as og

Batches = Iterator[dict[str, np.ndarray]]


def network() -> og.Graph:
    """A perceptron for images of 8×8, with nothing learned."""
    rng = np.random.default_rng(0)
    b = og.Builder("digits")
    h = b.input("x", "float32", ("N", 64))
    for k, (inputs, outputs) in enumerate(((64, 32), (32, 32), (32, 10))):
        w = rng.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        c = b.parameter(f"layer{k}.bias", np.zeros(outputs, np.float32))
        h = b.op.Gemm(b.op.Relu(h) if k else h, b.parameter(f"layer{k}.weight", w), c, transB=1)
    b.output(h, "logits")
    return b.build()


def trained(model: og.Graph, optimizer: Any, batches: Batches) -> og.Graph:
    """Give the model after a step for each batch."""
    b = og.Builder.extend(model)
    label = b.input("label", "int64", ("N",))
    b.output(b.op.SoftmaxCrossEntropyLoss(b.value("logits"), label), "loss")
    stepper = og.compile(og.train_step(b.build(), "loss", optimizer), "onnxruntime").stepper()
    for batch in batches:
        stepper.run(batch)
    return og.with_parameters(model, stepper.state())


def batches(x: np.ndarray, label: np.ndarray, epochs: int) -> Batches:
    """Yield batches of 64 in random order."""
    rng = np.random.default_rng(1)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for k in range(0, len(x) - 63, 64):
            chosen = order[k : k + 64]
            yield {"x": x[chosen], "label": label[chosen]}


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Hands images to the quantizer, which looks how large the values become."""

    def __init__(self, x: np.ndarray) -> None:
        self._batches = iter(np.array_split(x, 8))

    def get_next(self) -> Any:
        """Give the next batch, None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {"x": batch}


def accuracy(path: Path, x: np.ndarray, label: np.ndarray) -> float:
    """Tell how many digits stock onnxruntime reads right by a file."""
    logits: Any = onnxruntime.InferenceSession(path).run(["logits"], {"x": x})[0]
    return float(np.mean(logits.argmax(axis=1) == label))


def main() -> None:
    """Train, quantize, train with the rounding in place, and compare three files."""
    images, labels = load_digits(return_X_y=True)
    x, labels = images.astype(np.float32) / 16, labels.astype(np.int64)
    seen, held_out = slice(0, 1200), slice(1200, None)
    logging.getLogger().setLevel(logging.ERROR)  # the quantizer asks for shapes that are there
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: Path(folder) / f"{kind}.onnx" for kind in ("float", "quantized", "tuned")}
        net = trained(network(), og.optim.AdamW(3e-3), batches(x[seen], labels[seen], 30))
        og.save(net, paths["float"])
        quantize_static(
            paths["float"], paths["quantized"], Calibration(x[seen]),
            quant_format=QuantFormat.QDQ, weight_type=QuantType.QInt4,
        )  # fmt: skip
        rounded = og.dequantize_weights(og.load(paths["quantized"]))
        optimizer = og.optim.groups(og.optim.AdamW(1e-3), {"*_scale": og.optim.AdamW(1e-5)})
        tuned = trained(og.straight_through(rounded), optimizer, batches(x[seen], labels[seen], 30))
        state = {v.name: v.constant for v in tuned.parameters if v.constant is not None}
        og.save(og.quantize_weights(og.with_parameters(rounded, state)), paths["tuned"])
        found = {
            kind: accuracy(path, x[held_out], labels[held_out]) for kind, path in paths.items()
        }
        sizes = {kind: path.stat().st_size for kind, path in paths.items()}
    for kind, right in found.items():
        print(f"{kind}: {right:.1%} of the held-out digits, {sizes[kind]} bytes")
    assert found["tuned"] > found["quantized"] and sizes["tuned"] < sizes["float"] / 2


if __name__ == "__main__":
    main()
