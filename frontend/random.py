"""Random tensors whose bits are equal on every runtime: a counter-based generator in plain ONNX.

Squares (B. Widynski, "Squares: A Fast Counter-Based RNG", arXiv:2004.06278), four rounds, of which
the 24 highest bits make an exact float32. Nothing is kept between runs: the seed decides, so feed
another one, such as the number of the step, for other numbers.
"""

from collections.abc import Sequence
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import as_array, require_number
from onnxgrad.compiler.graph.names import without_attribute

from .building.builder import Builder, Tensor

_SEED_KEY = 0x548C9DECBCE65297
"""The key that turns seeds into keys; an irregular odd number, as the paper asks for."""

_BITS = 24
"""Bits of a float32's significand."""

_UINT64, _FLOAT = 13, 1
"""TensorProto.DataType of uint64 and float32."""

Seed = int | Tensor
"""A number, or an int64 or uint64 tensor of one element, such as a graph input."""

Sizes = Sequence[int] | Tensor
"""A shape: numbers, or an int64 tensor of rank 1."""


def bits(b: Builder, seed: Seed, shape: Sizes) -> Tensor:
    """Draw uint64 tensors, each bit random; element k depends on the seed and on k alone."""
    if not isinstance(b, Builder):
        raise GraphError(f"random numbers are drawn in a Builder, not in {b!r}")
    op = b.op
    if isinstance(seed, int | np.integer):
        seed = b.constant(np.uint64(int(seed) % 2**64))
    elif not isinstance(seed, Tensor):
        raise GraphError(f"a seed is an integer, not {seed!r}")
    if seed.dtype.kind not in "iu":
        raise GraphError(f"a seed is an integer, '{seed.name}' is {seed.value.type}")
    key_of_keys = b.constant(np.uint64(_SEED_KEY))
    mixed = _squares(b, op.Cast(seed, to=_UINT64), key_of_keys)
    key = _shift(b, _shift(b, mixed, 1, "RIGHT"), 1, "LEFT") + b.constant(np.uint64(1))
    sizes = _sizes(b, shape)
    count = op.ReduceProd(sizes, keepdims=0)
    counters = op.Range(b.constant(np.int64(0)), count, b.constant(np.int64(1)))
    drawn = _squares(b, op.Cast(counters, to=_UINT64), op.Reshape(key, [1]))
    return op.Reshape(drawn, sizes, allowzero=1)


def uniform(b: Builder, seed: Seed, shape: Sizes, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Draw float32 numbers evenly from [low, high): multiples of 2⁻²⁴, scaled."""
    for name, bound in (("low", low), ("high", high)):
        require_number(bound, name)
    unit = b.op.Cast(_shift(b, bits(b, seed, shape), 64 - _BITS, "RIGHT"), to=_FLOAT) * 2.0**-_BITS
    return unit if (low, high) == (0.0, 1.0) else unit * (high - low) + low


def normal(b: Builder, seed: Seed, shape: Sizes, mean: float = 0.0, scale: float = 1.0) -> Tensor:
    """Draw float32 numbers from a normal distribution, by Box and Muller.

    The bits are equal everywhere; the logarithm and the cosine may differ in the last one.
    """
    require_number(mean, "mean")
    require_number(scale, "scale")
    op = b.op
    sizes = _sizes(b, shape)
    pairs = op.Concat(b.constant(np.array([2], np.int64)), sizes, axis=0)
    drawn = uniform(b, seed, pairs)
    radius, angle = drawn[0], drawn[1]
    length = op.Sqrt(op.Log(1.0 - radius) * -2.0)  # 1 − u is never 0
    return length * op.Cos(angle * (2 * pi)) * scale + mean


def bernoulli(b: Builder, seed: Seed, shape: Sizes, probability: Any = 0.5) -> Tensor:
    """Draw booleans that are true with a probability (a number or a tensor that broadcasts)."""
    drawn = uniform(b, seed, shape)
    if not isinstance(probability, Tensor):
        probability = as_array(probability, drawn.dtype)
        if not ((probability >= 0) & (probability <= 1)).all():
            raise GraphError(f"a probability lies in [0, 1], got {probability}")
    return b.op.Less(drawn, probability)


def dropout(b: Builder, x: Tensor, seed: Seed, ratio: float = 0.5) -> Tensor:
    """Zero elements of `x` with probability `ratio` and scale the others by 1/(1 − ratio).

    The gradient uses the same mask, and so does every other runtime.
    """
    if not isinstance(x, Tensor):
        raise GraphError(f"dropout takes a Tensor, not {x!r}")
    if not 0 <= require_number(ratio, "ratio") < 1:
        raise GraphError(f"a ratio of dropout lies in [0, 1), got {ratio}")
    kept = bernoulli(b, seed, b.op.Shape(x), 1 - ratio)
    zero = b.constant(np.zeros((), x.dtype))
    return b.op.Where(kept, x * (1 / (1 - ratio)), zero)


def _sizes(b: Builder, shape: Sizes) -> Tensor:
    if isinstance(shape, Tensor):
        return shape
    sizes = as_array(shape, np.dtype(np.int64))
    if sizes.ndim != 1 or (sizes < 0).any():
        raise GraphError(f"a shape of random numbers is a list of sizes, not {shape!r}")
    return b.constant(sizes)


def _squares(b: Builder, counter: Tensor, key: Tensor) -> Tensor:
    """x = counter·key, y = x, z = y + key; x ← rotate₃₂(x² + y), + z, + y; result x² + z"""
    y = counter * key
    z = y + key
    x = y
    for addend in (y, z, y):
        x = x * x + addend
        x = _shift(b, x, 32, "RIGHT") + _shift(b, x, 32, "LEFT")
    return x * x + z


def _shift(b: Builder, x: Tensor, places: int, direction: str) -> Tensor:
    shifted: Tensor = b.op.BitShift(x, b.constant(np.uint64(places)), direction=direction)
    return shifted


if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
