"""The demo's network and data: handwritten digits of 8 × 8 pixels; nothing is trained here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import onnxgrad as og

HELD_OUT = 360
BATCH = 64


@dataclass(frozen=True, slots=True)
class Digits:
    """Images: (count, 1, 8, 8) in [0, 1]; labels: (count,); some held out for the test."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_digits() -> Digits:
    """Give the 1,797 real digits that come inside scikit-learn, in a fixed random order."""
    try:
        from sklearn import datasets  # an extra, for the demo only
    except ImportError:
        raise og.BackendUnavailableError("the demo needs: pip install 'onnxgrad[demo]'") from None
    found: Any = datasets.load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    images = (found.images[order, None] / 16).astype(np.float32)
    labels = found.target[order].astype(np.int64)
    return Digits(images[HELD_OUT:], labels[HELD_OUT:], images[:HELD_OUT], labels[:HELD_OUT])


def batches(digits: Digits, epochs: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield the feeds of every step, the same ones each time."""
    random = np.random.default_rng(1)
    for _ in range(epochs):
        order = random.permutation(len(digits.labels))
        for k in range(steps_per_epoch(digits)):
            chosen = order[k * BATCH : (k + 1) * BATCH]
            yield {"image": digits.images[chosen], "label": digits.labels[chosen]}


def steps_per_epoch(digits: Digits) -> int:
    """Give the number of whole batches."""
    return len(digits.labels) // BATCH


def build_network(classes: int = 10) -> og.Graph:
    """Build Conv → Gelu three times, one strided and one dilated, then MatMul and the loss."""
    b = og.Builder("digits")
    op, random = b.op, np.random.default_rng(0)
    image = b.input("image", "float32", ("N", 1, 8, 8))
    label = b.input("label", "int64", ("N",))

    def weight(name: str, shape: tuple[int, ...], fan_in: int) -> og.Tensor:
        scale = np.sqrt(2 / fan_in)
        return b.parameter(name, (scale * random.normal(size=shape)).astype(np.float32))

    def layer(
        x: og.Tensor, name: str, width: int, channels: int, **attributes: list[int]
    ) -> og.Tensor:
        w = weight(f"{name}.weight", (width, channels, 3, 3), 9 * channels)
        bias = b.parameter(f"{name}.bias", np.zeros(width, np.float32))
        return op.Gelu(op.Conv(x, w, bias, **attributes), name=name)

    y = layer(image, "conv1", 16, 1, pads=[1] * 4)
    y = layer(y, "conv2", 32, 16, pads=[1] * 4, strides=[2, 2])
    y = layer(y, "conv3", 32, 32, pads=[2] * 4, dilations=[2, 2])
    w = weight("dense.weight", (512, classes), 512)
    logits = op.Flatten(y) @ w + b.parameter("dense.bias", np.zeros(classes, np.float32))
    b.output(op.SoftmaxCrossEntropyLoss(logits, label), "loss")
    b.output(logits, "logits")
    return b.build()
