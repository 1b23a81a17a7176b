"""A detector without anchors: convolutions, then a head of classes and a head of boxes.

Every cell of the last features, 8×8, tells the logits of 8 classes and the distances from the cell
to the four sides of a box, as FCOS does (Tian et al., 2019). The loss is the focal loss (Lin et
al., 2017) over all cells, and 1 − IoU and the distances' L1 over the cells that hold an object.
"""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, normal

WIDTHS = (3, 16, 32, 64, 64)
"""Channels; each convolution has stride 2."""

CLASSES, CELLS = 8, 8


def weights(draw: Draw, size: int) -> None:
    """Four convolutions and two heads"""
    for k in range(4):
        draw.convolution(str(k), (WIDTHS[k + 1], WIDTHS[k], 3, 3), WIDTHS[k + 1])
    draw.convolution("classes", (CLASSES, WIDTHS[-1], 3, 3), CLASSES)
    draw.convolution("sides", (4, WIDTHS[-1], 3, 3), 4)


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Images; in a fifth of the cells a class and a box"""
    held = rng.random((size, 1, CELLS, CELLS)) < 0.2
    one = np.arange(CLASSES)[:, None, None] == rng.integers(0, CLASSES, held.shape)
    return {
        "x": normal(rng, size, 3, 16 * CELLS, 16 * CELLS),
        "label": (one & held).astype(np.float32),
        "box": rng.uniform(0.5, 3, (size, 4, CELLS, CELLS)).astype(np.float32),
        "held": held.astype(np.float32),
    }


def focal(z: Any, p: Any, softplus: Any, label: Any) -> Any:
    """−α·(1 − pₜ)²·log pₜ of each logit z, p = σ(z), with α = 1/4 for what is there"""
    missed = p + label - 2.0 * p * label
    return (0.75 - 0.5 * label) * missed * missed * (softplus(z) - z * label)


def apart(sides: Any, box: Any, minimum: Any, split: Any) -> Any:
    """1 − IoU of boxes around the same point, by the distances of their sides"""
    left, top, right, bottom = split(minimum(sides, box))
    shared = (left + right) * (top + bottom)
    areas = []
    for each in (sides, box):
        left, top, right, bottom = split(each)
        areas.append((left + right) * (top + bottom))
    return 1.0 - shared / (areas[0] + areas[1] - shared)


def ours(op: Any, w: Any, x: Any, label: Any, box: Any, held: Any) -> Any:
    """In ONNX"""

    def convolved(x: Any, name: str, stride: int) -> Any:
        weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
        return op.Conv(x, weight, bias, strides=[stride] * 2, pads=[1] * 4)

    def split(sides: Any) -> Any:
        return op.Split(sides, axis=1, num_outputs=4)

    def total(x: Any) -> Any:
        return op.ReduceSum(x, keepdims=0)

    for k in range(4):
        x = op.Swish(convolved(x, str(k), 2))
    z, sides = convolved(x, "classes", 1), op.Exp(convolved(x, "sides", 1))
    found = focal(z, op.Sigmoid(z), op.Softplus, label)
    missed = total(apart(sides, box, op.Min, split) * held)
    return (total(found) + missed + 0.1 * total(op.Abs(sides - box) * held)) / total(held)


def in_torch(torch: Any, w: Any, x: Any, label: Any, box: Any, held: Any) -> Any:
    """In torch"""
    nn = torch.nn.functional

    def convolved(x: Any, name: str, stride: int) -> Any:
        return nn.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride, 1)

    def split(sides: Any) -> Any:
        return sides.chunk(4, 1)

    for k in range(4):
        x = nn.silu(convolved(x, str(k), 2))
    z, sides = convolved(x, "classes", 1), convolved(x, "sides", 1).exp()
    found = focal(z, z.sigmoid(), nn.softplus, label).sum()
    missed = (apart(sides, box, torch.minimum, split) * held).sum()
    return (found + missed + 0.1 * ((sides - box).abs() * held).sum()) / held.sum()


def in_jax(jax: Any, w: Any, x: Any, label: Any, box: Any, held: Any) -> Any:
    """In jax"""

    def convolved(x: Any, name: str, stride: int) -> Any:
        y = jax.lax.conv_general_dilated(x, w[f"{name}.weight"], (stride, stride), [(1, 1), (1, 1)])
        return y + w[f"{name}.bias"][:, None, None]

    def split(sides: Any) -> Any:
        return jax.numpy.split(sides, 4, axis=1)

    for k in range(4):
        x = jax.nn.silu(convolved(x, str(k), 2))
    z, sides = convolved(x, "classes", 1), jax.numpy.exp(convolved(x, "sides", 1))
    found = focal(z, jax.nn.sigmoid(z), jax.nn.softplus, label).sum()
    missed = (apart(sides, box, jax.numpy.minimum, split) * held).sum()
    return (found + missed + 0.1 * (abs(sides - box) * held).sum()) / held.sum()


WORKLOAD = Workload("detector, 128×128, batch {}", 8, weights, data, ours, in_torch, in_jax)
