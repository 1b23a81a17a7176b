"""Update rules of optimizers, block by block, written over parameters and state where they may be.

`overwrite` names the outputs that take the memory of the input that they are the next value of;
the others are new arrays. Operations and their order are those of the bodies in
compiler/composites/updates.py, so that not a bit differs.
"""

import math
from collections.abc import Mapping
from typing import Any

from ...compiler.graph.ir import Node
from ...compiler.graph.types import TensorType, is_static
from .blocks import BLOCK_BYTES, in_blocks
from .registry import Array, Kernel, composite_kernel


def _bind_sgd(
    xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]
) -> Kernel | None:
    """Update a parameter of one block at once, where it is w − η·dw."""
    type_ = node.first_input.type
    assert isinstance(type_, TensorType)
    shape = type_.shape
    if shape is None or not is_static(shape) or attributes["weight_decay"] or node.input(3):
        return None
    if math.prod(map(int, shape)) * type_.dtype.itemsize > BLOCK_BYTES or len(node.outputs) != 1:
        return None
    multiply, subtract, empty_like = xp.multiply, xp.subtract, xp.empty_like
    overwrites = 0 in attributes.get("overwrite", ())

    def run(w: Array, dw: Array, rate: Array, v: None = None) -> Array:
        return subtract(w, multiply(rate, dw), out=w if overwrites else empty_like(w))

    return run


@composite_kernel("SgdUpdate", bind=_bind_sgd, overwrites={0: 0, 1: 3})
def sgd_update(
    xp: Any,
    w: Array,
    dw: Array,
    rate: Array,
    v: Array = None,
    momentum: float = 0.0,
    nesterov: int = 0,
    weight_decay: float = 0.0,
    overwrite: frozenset[int] = frozenset(),
) -> tuple[Array, ...]:
    """Return w − η·v and, with momentum, v = μ·v + dw + λ·w."""
    new = _target(xp, w, 0, overwrite)
    if v is None:
        for w_, dw_, new_ in in_blocks(xp, w, dw, new):
            step = xp.multiply(rate, dw_ if not weight_decay else dw_ + w_ * weight_decay)
            xp.subtract(w_, step, out=new_)
        return (new,)
    speed = _target(xp, v, 1, overwrite)
    for w_, dw_, v_, new_, speed_ in in_blocks(xp, w, dw, v, new, speed):
        if weight_decay:
            dw_ = dw_ + w_ * weight_decay
        xp.multiply(v_, momentum, out=speed_)
        xp.add(speed_, dw_, out=speed_)
        step = dw_ + speed_ * momentum if nesterov else speed_
        xp.subtract(w_, xp.multiply(rate, step), out=new_)
    return new, speed


@composite_kernel("AdamUpdate", overwrites={0: 0, 1: 2, 2: 3})
def adam_update(
    xp: Any,
    w: Array,
    dw: Array,
    m: Array,
    v: Array,
    rate: Array,
    least: Array,
    factor: Array = None,
    b1: float = 0.9,
    b2: float = 0.999,
    overwrite: frozenset[int] = frozenset(),
) -> tuple[Array, ...]:
    """Return φ·w − η·m / (√v + ε), m = β₁·m + (1 − β₁)·dw and v = β₂·v + (1 − β₂)·dw²."""
    new, mean, square = (_target(xp, a, k, overwrite) for k, a in enumerate((w, m, v)))
    for w_, dw_, m_, v_, new_, mean_, square_ in in_blocks(xp, w, dw, m, v, new, mean, square):
        change = dw_ * (1 - b1)
        xp.multiply(m_, b1, out=mean_)
        xp.add(mean_, change, out=mean_)
        root = xp.empty_like(dw_)  # for one number dw·dw would be no array to write into
        xp.multiply(dw_, dw_, out=root)
        xp.multiply(root, 1 - b2, out=root)
        xp.multiply(v_, b2, out=square_)
        xp.add(square_, root, out=square_)
        xp.sqrt(square_, out=root)
        xp.add(root, least, out=root)
        change = xp.multiply(mean_, rate)
        change /= root
        xp.subtract(w_ if factor is None else xp.multiply(w_, factor), change, out=new_)
    return new, mean, square


def _target(xp: Any, before: Array, output: int, overwrite: frozenset[int]) -> Array:
    return before if output in overwrite else xp.empty_like(before)
