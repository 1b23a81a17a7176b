"""Reductions over axes, the arguments of extremes, and sums down to a shape."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...compiler.graph.ir import Node
from ...compiler.graph.types import TensorType
from .channels import image_sums, is_channels_last
from .precision import is_half, widen, widened
from .registry import Array, Kernel, composite_kernel, kernel


def reduced_axes(rank: int, axes: Array, noop_with_empty_axes: int = 0) -> tuple[int, ...]:
    """Return the axes to reduce: all where none are given, unless that means none."""
    if axes is not None and axes.size:
        return tuple(axes.ravel().tolist())
    return () if noop_with_empty_axes else tuple(range(rank))


def _reduction(op_type: str) -> Callable[[Kernel], Kernel]:
    """Register a function that takes axes and keepdims as NumPy does."""

    def register(function: Kernel) -> Kernel:
        kernel(op_type, bind=partial(_bind_reduction, function))(_with_inputs(function))
        return function

    return register


def _bind_reduction(
    function: Kernel,
    xp: Any,
    node: Node,
    attributes: Mapping[str, Any],
    fixed: Mapping[int, Array],
) -> Kernel | None:
    """Read the axes once, where they never change."""
    type_, axes = node.first_input.type, node.input(1)
    assert isinstance(type_, TensorType)
    if type_.shape is None or is_half(type_) or (axes is not None and 1 not in fixed):
        return None
    over = reduced_axes(len(type_.shape), fixed.get(1), attributes["noop_with_empty_axes"])
    keepdims = bool(attributes["keepdims"])

    def run(x: Array, axes: Array = None) -> Array:
        return function(xp, x, axis=over, keepdims=keepdims)

    return run


def _with_inputs(function: Kernel) -> Kernel:
    """Make a kernel with ONNX's inputs of one that takes axes and keepdims as NumPy does."""

    @widened
    def run(
        xp: Any, x: Array, axes: Array = None, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Array:
        over = reduced_axes(x.ndim, axes, noop_with_empty_axes)
        return function(xp, x, axis=over, keepdims=bool(keepdims))

    return run


def _total(xp: Any, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """Sum over axes in the dtype of x; over all but the channels of images by products."""
    pixels = {*range(x.ndim)} - {1}
    if {a % x.ndim for a in axis} != pixels or x.dtype.kind != "f" or not is_channels_last(x):
        return xp.add.reduce(x, axis=axis, dtype=x.dtype, keepdims=keepdims)
    y = xp.add.reduce(image_sums(xp, x), axis=0)
    return y.reshape(1, -1, *[1] * (x.ndim - 2)) if keepdims else y


@_reduction("ReduceSum")
def reduce_sum(xp: Any, x: Array, **over: Any) -> Array:
    """Sum over axes in the dtype of x."""
    return _total(xp, x, **over) if over["axis"] else x


@_reduction("ReduceMean")
def reduce_mean(xp: Any, x: Array, **over: Any) -> Array:
    """Average over axes."""
    if x.dtype.kind == "f":
        count = math.prod(x.shape[axis] for axis in over["axis"])
        return _total(xp, x, **over) / x.dtype.type(count)
    return xp.mean(x, **over).astype(x.dtype)


@_reduction("ReduceProd")
def reduce_prod(xp: Any, x: Array, **over: Any) -> Array:
    """Multiply over axes in the dtype of x."""
    return xp.prod(x, dtype=x.dtype, **over)


@_reduction("ReduceSumSquare")
def reduce_sum_square(xp: Any, x: Array, **over: Any) -> Array:
    """Sum the squares over axes."""
    return xp.sum(xp.square(x), dtype=x.dtype, **over)


@_reduction("ReduceL1")
def reduce_l1(xp: Any, x: Array, **over: Any) -> Array:
    """Sum the absolute values over axes."""
    return xp.sum(xp.absolute(x), dtype=x.dtype, **over)


@_reduction("ReduceL2")
def reduce_l2(xp: Any, x: Array, **over: Any) -> Array:
    """Return the Euclidean norm over axes."""
    return xp.sqrt(xp.sum(xp.square(x), dtype=x.dtype, **over)).astype(x.dtype, copy=False)


@_reduction("ReduceLogSum")
def reduce_log_sum(xp: Any, x: Array, **over: Any) -> Array:
    """Return the logarithm of the sum over axes."""
    return xp.log(xp.sum(x, dtype=x.dtype, **over)).astype(x.dtype, copy=False)


@_reduction("ReduceLogSumExp")
def reduce_log_sum_exp(xp: Any, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """Return log Σ exp(x) over axes, shifted by the largest element."""
    if not x.size:
        return xp.log(xp.sum(x, axis=axis, keepdims=keepdims))
    largest = xp.max(x, axis=axis, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, x.dtype.type(0))
    total = xp.sum(xp.exp(x - largest), axis=axis, keepdims=True)
    y = (xp.log(total) + largest).astype(x.dtype, copy=False)
    return y if keepdims else xp.squeeze(y, axis=axis)


def _extreme(xp: Any, x: Array, name: str, sign: int, over: dict[str, Any]) -> Array:
    """Reduce by max or min; an empty set gives the limit of the dtype."""
    if x.size:
        return getattr(xp, name)(x, **over)
    limit: Any = -sign * math.inf
    if x.dtype.kind == "b":
        limit = sign < 0
    elif x.dtype.kind in "iu":
        info = xp.iinfo(x.dtype)
        limit = info.min if sign > 0 else info.max
    return xp.full(xp.sum(x, **over).shape, limit, x.dtype)  # CuPy's extremes have no `initial`


@_reduction("ReduceMax")
def reduce_max(xp: Any, x: Array, **over: Any) -> Array:
    """Return the largest element over axes."""
    return _extreme(xp, x, "max", 1, over)


@_reduction("ReduceMin")
def reduce_min(xp: Any, x: Array, **over: Any) -> Array:
    """Return the smallest element over axes."""
    return _extreme(xp, x, "min", -1, over)


def _argument(
    name: str, xp: Any, x: Array, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
) -> Array:
    """Return the int64 index of an extreme along an axis, the first or the last of equal ones."""
    x = widen(x)
    rest = [n for a, n in enumerate(x.shape) if a != axis % x.ndim]
    if 0 in rest:  # where an axis without elements has no extreme, but nobody asks for one
        y = xp.zeros(rest, "int64")
    elif select_last_index:
        y = x.shape[axis] - 1 - getattr(xp, name)(xp.flip(x, axis), axis=axis)
    else:
        y = getattr(xp, name)(x, axis=axis)
    return xp.expand_dims(y, axis) if keepdims else y


kernel("ArgMax")(partial(_argument, "argmax"))
kernel("ArgMin")(partial(_argument, "argmin"))


@composite_kernel("ReduceToShape")
def reduce_to_shape(xp: Any, dy: Array, shape: Array) -> Array:
    """Sum dy over the axes along which `shape` (int64, 1-D) would broadcast to it."""
    target = tuple(shape.tolist())
    if dy.shape == target:
        return dy
    y = widen(dy)
    lead = dy.ndim - len(target)
    if lead:
        y = xp.add.reduce(y, axis=tuple(range(lead)), dtype=y.dtype)
    axes = tuple(i for i, n in enumerate(target) if n == 1 and y.shape[i] != 1)
    if axes:
        y = xp.add.reduce(y, axis=axes, keepdims=True, dtype=y.dtype)
    return y.astype(dy.dtype, copy=False) if is_half(dy) else y
