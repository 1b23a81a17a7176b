"""Gradients of normalizations; half precision is computed in float32."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..composites.normalization import standard_gradient
from ..differentiation.rules import Entries, Entry, Refused, gradient
from ..emission.accumulation import accumulate, as_float32, cast_to
from ..emission.broadcasting import reduce_to
from ..emission.ops import Ops
from ..emission.statistics import batch_statistics
from ..graph.ir import Node, Value
from ..graph.types import is_static
from ..standard.schemas import attribute

_NO_RANK = Refused("the rank of x is unknown while compiling")


@gradient("LayerNormalization")
def layer_normalization(
    op: Ops,
    node: Node,
    dy: Value | None,
    dmean: Value | None = None,
    dinverse: Value | None = None,
) -> Entries:
    """y = (x − mean)·r·scale + b, r = 1/√(variance + ε): see the composite for dx and dscale.

    Through the outputs mean and r: dx = dmean/N − dr·r³·(x − mean)/N.
    """
    x, scale = node.required(2)
    bias = node.inputs[2:]
    if x.rank is None:
        return [_NO_RANK] * len(node.inputs)
    axis = attribute(node, "axis")
    axes = list(range(axis % x.rank, x.rank))
    mean, inverse = _stashed_statistics(op, node, x, axes)
    entries: list[Entry] = [None, None]
    if dy is not None:
        entries = [
            *op.composite(
                "LayerNormalizationGrad",
                *(dy, x, scale, mean, inverse),
                types=[x.type, scale.type],
                axis=axis,
            )
        ]
    for through in (
        dmean and _through_mean(op, dmean, x, axes),
        dinverse and _through_inverse(op, dinverse, x, mean, inverse, axes),
    ):
        if through is not None:
            through = cast_to(op, through, x)
            entries[0] = through if entries[0] is None else op.Add(entries[0], through)
    by_bias = [None if b is None or dy is None else reduce_to(op, dy, b) for b in bias]
    return *entries, *by_bias


@gradient("RMSNormalization")
def rms_normalization(op: Ops, node: Node, dy: Value) -> Entries:
    """n = x·r, r = 1/√(mean(x²) + ε), g = dy·scale:  dx = r·(g − n·mean(g·n)), dscale = Σ dy·n"""
    x, scale = node.required(2)
    if x.rank is None:
        return _NO_RANK, _NO_RANK
    axes = list(range(attribute(node, "axis") % x.rank, x.rank))
    wide, g = as_float32(op, x), as_float32(op, dy)
    square = op.ReduceMean(op.Mul(wide, wide), axes)
    inverse = op.Reciprocal(op.Sqrt(op.Add(square, _epsilon(node))))
    normal = op.Mul(wide, inverse)
    by_scale = reduce_to(op, op.Mul(cast_to(op, g, normal), normal), scale)
    g = cast_to(op, op.Mul(g, cast_to(op, scale, g)), normal)
    correction = op.Mul(normal, op.ReduceMean(op.Mul(g, normal), axes))
    dx = op.Mul(inverse, op.Sub(g, correction))
    return cast_to(op, dx, x), cast_to(op, by_scale, scale)


@gradient("BatchNormalization", widens=True)
def batch_normalization(
    op: Ops,
    node: Node,
    dy: Value | None,
    drunning_mean: Value | None = None,
    drunning_variance: Value | None = None,
) -> Entries:
    """y = (x − mean)·scale/√(variance + ε) + b, by all five; in training by batch statistics"""
    x = node.first_input
    if x.rank is None:
        return [_NO_RANK] * 5
    if dy is None or attribute(node, "training_mode"):
        return _batch_training(op, node, dy, drunning_mean, drunning_variance)
    return _batch_inference(op, node, dy)


@gradient("InstanceNormalization")
def instance_normalization(op: Ops, node: Node, dy: Value) -> Entries:
    """Each channel of each image is standardized, then scaled and shifted"""
    x, scale, bias = node.required(3)
    if x.rank is None:
        return [_NO_RANK] * 3
    axes = list(range(2, x.rank))
    wide = as_float32(op, x)
    normal, inverse = _standardized(op, wide, axes, _epsilon(node))
    g = op.Mul(as_float32(op, dy), _per_channel(op, scale, wide))
    dx = standard_gradient(op, g, normal, inverse, axes)
    return cast_to(op, dx, x), *_by_affine(op, dy, normal, scale, bias)


@gradient("GroupNormalization")
def group_normalization(op: Ops, node: Node, dy: Value) -> Entries:
    """Each group of channels of each image is standardized, each channel scaled and shifted"""
    x, scale, bias = node.required(3)
    if x.rank is None:
        return [_NO_RANK] * 3
    wide = as_float32(op, x)
    groups = node.attributes["num_groups"]
    size = op.Div(op.ReduceProd(op.Shape(x, start=1), keepdims=1), groups)
    grouped = op.Concat(op.Shape(x, end=1), [groups], size, axis=0)
    normal, inverse = _standardized(op, op.Reshape(wide, grouped, allowzero=1), [2], _epsilon(node))
    scaled = op.Mul(as_float32(op, dy), _per_channel(op, scale, wide))
    g = op.Reshape(scaled, grouped, allowzero=1)
    dx = op.Reshape(standard_gradient(op, g, normal, inverse, [2]), op.Shape(x), allowzero=1)
    normal = op.Reshape(normal, op.Shape(x), allowzero=1)
    return cast_to(op, dx, x), *_by_affine(op, dy, normal, scale, bias)


@gradient("MeanVarianceNormalization")
def mean_variance_normalization(op: Ops, node: Node, dy: Value) -> Entries:
    """y = (x − mean)/q, q = s + 10⁻⁹, s = √variance:

    dx = (dy − mean(dy) − (x − mean)/s·mean(dy·y))/q; where s is zero the last term is, too.
    """
    (x,), y = node.required(1), node.output()
    axes = list(attribute(node, "axes"))
    wide, g = as_float32(op, x), as_float32(op, dy)
    centered = op.Sub(wide, op.ReduceMean(wide, axes))
    deviation = op.Sqrt(op.ReduceMean(op.Mul(centered, centered), axes))
    safe = op.Where(op.Equal(deviation, 0.0), op.like(1, wide), deviation)
    agreement = op.ReduceMean(op.Mul(g, as_float32(op, y)), axes)
    correction = op.Mul(op.Div(centered, safe), agreement)
    dx = op.Sub(op.Sub(g, op.ReduceMean(g, axes)), correction)
    return cast_to(op, op.Div(dx, op.Add(deviation, 1e-9)), x)


@gradient("LpNormalization", widens=True)
def lp_normalization(op: Ops, node: Node, dy: Value) -> Entries:
    """y = x/‖x‖:  dx = (dy − d‖x‖/dx·Σ dy·y)/‖x‖, with d‖x‖/dx = y (p = 2) or sign x (p = 1)

    A vector of zeros, which is normalized to zeros, has gradient zero.
    """
    (x,), y = node.required(1), node.output()
    axes = [attribute(node, "axis")]
    if attribute(node, "p") == 1:
        norm, slope = op.ReduceL1(x, axes), op.Sign(x)
    else:
        norm, slope = op.ReduceL2(x, axes), y
    zero = op.Equal(norm, 0.0)
    safe = op.Where(zero, op.like(1, x), norm)
    dx = op.Sub(dy, op.Mul(slope, op.ReduceSum(op.Mul(dy, y), axes)))
    return op.Where(zero, op.like(0, x), op.Div(dx, safe))


def _batch_inference(op: Ops, node: Node, dy: Value) -> Entries:
    """With fixed statistics, n = (x − mean)/√(variance + ε) and S = Σ over all but channels:

    dx = dy·scale/√(variance + ε), dscale = S dy·n, db = S dy,
    dmean = −scale/√(variance + ε)·db, dvariance = −scale/(2(variance + ε))·dscale.
    """
    x, scale, bias, mean, variance = node.required(5)
    epsilon = {"epsilon": _epsilon(node)}
    zeros, ones = (_filled(op, scale, fill) for fill in (0, 1))
    dx = op.BatchNormalization(dy, scale, zeros, _filled(op, mean, 0), variance, **epsilon)
    normal = op.BatchNormalization(x, ones, zeros, mean, variance, **epsilon)
    by_scale, by_bias = _by_affine(op, dy, normal, scale, bias)
    shifted = op.Add(variance, _epsilon(node))
    ratio = cast_to(op, scale, variance)
    by_mean = op.Neg(op.Mul(op.Div(ratio, op.Sqrt(shifted)), cast_to(op, by_bias, mean)))
    slope = op.Mul(op.Div(ratio, shifted), -0.5)
    return dx, by_scale, by_bias, by_mean, op.Mul(slope, cast_to(op, by_scale, variance))


def _batch_training(
    op: Ops, node: Node, dy: Value | None, dmean: Value | None, dvariance: Value | None
) -> Entries:
    """Through the batch statistics, see the composite; the running ones are momentum·old +
    (1 − momentum)·batch: by x they are (1 − momentum)/N and 2(1 − momentum)/N·(x − mean)."""
    x, scale, bias, old_mean, old_variance = node.required(5)
    momentum = attribute(node, "momentum")
    wide = as_float32(op, x)
    entries: list[Entry] = [None] * 3
    if dy is not None:
        types = [x.type, scale.type, bias.type]
        entries = [
            *op.composite(
                "BatchNormalizationGrad", dy, x, scale, types=types, epsilon=_epsilon(node)
            )
        ]
    mean, centered, _ = batch_statistics(op, wide)
    share = op.Div(op.like(1 - momentum, wide), _count(op, x, mean))
    by_x = entries[0]
    for given, slope in ((dmean, None), (dvariance, op.Mul(centered, 2.0))):
        if given is not None:
            spread = op.Mul(_per_channel(op, given, wide), share)
            spread = op.Expand(spread, op.Shape(x)) if slope is None else op.Mul(spread, slope)
            spread = cast_to(op, spread, x)
            by_x = spread if by_x is None else op.Add(by_x, spread)
    running = [None if d is None else op.Mul(d, momentum) for d in (dmean, dvariance)]
    return by_x, *entries[1:], *running


def _by_affine(op: Ops, dy: Value, normal: Value, scale: Value, bias: Value) -> tuple[Value, Value]:
    """Give the gradients by a scale and a bias per channel of the standardized values."""
    axes = [0, *range(2, normal.known_rank)]
    keepdims = int(normal.known_rank == 1)  # then there is one channel
    weighted = op.Mul(cast_to(op, dy, normal), normal)
    return (
        cast_to(op, accumulate(op, weighted, axes, keepdims=keepdims), scale),
        cast_to(op, accumulate(op, dy, axes, keepdims=keepdims), bias),
    )


def _stashed_statistics(op: Ops, node: Node, x: Value, axes: Sequence[int]) -> tuple[Value, Value]:
    """Give mean and 1/√(variance + ε): the operator's own outputs unless they round more than x."""
    stash = np.dtype("float32") if attribute(node, "stash_type") == 1 else None
    if stash is not None and x.dtype.itemsize <= stash.itemsize:
        return op.with_output(node, 1), op.with_output(node, 2)
    mean = op.ReduceMean(x, list(axes))
    centered = op.Sub(x, mean)
    variance = op.ReduceMean(op.Mul(centered, centered), list(axes))
    return mean, op.Reciprocal(op.Sqrt(op.Add(variance, _epsilon(node))))


def _through_mean(op: Ops, dmean: Value, x: Value, axes: Sequence[int]) -> Value:
    share = op.Div(dmean, _count(op, x, dmean))
    return op.Expand(share, op.Shape(x))


def _through_inverse(
    op: Ops, dinverse: Value, x: Value, mean: Value, inverse: Value, axes: Sequence[int]
) -> Value:
    wide = as_float32(op, x)
    mean, inverse = cast_to(op, mean, wide), cast_to(op, inverse, wide)
    cube = op.Mul(op.Mul(inverse, inverse), inverse)
    share = op.Div(op.Mul(cast_to(op, dinverse, wide), cube), _count(op, x, inverse))
    return op.Neg(op.Mul(op.Sub(wide, mean), share))


def _count(op: Ops, x: Value, reduced: Value) -> Value:
    """Count how many elements of x were averaged into each element of `reduced`."""
    count = op.Div(op.Size(x), op.Size(reduced))
    return cast_to(op, count, reduced)


def _standardized(op: Ops, x: Value, axes: Sequence[int], epsilon: float) -> tuple[Value, Value]:
    """Give (x − mean)/√(variance + ε) over axes, and 1/√(variance + ε)."""
    centered = op.Sub(x, op.ReduceMean(x, list(axes)))
    variance = op.ReduceMean(op.Mul(centered, centered), list(axes))
    inverse = op.Reciprocal(op.Sqrt(op.Add(variance, epsilon)))
    return op.Mul(centered, inverse), inverse


def _per_channel(op: Ops, v: Value, x: Value) -> Value:
    """Bring v: (channels,) to the dtype of x: (batch, channels, …), ready to broadcast with it."""
    return op.Reshape(cast_to(op, v, x), [-1] + [1] * (x.known_rank - 2))


def _filled(op: Ops, v: Value, fill: float) -> Value:
    """Give a tensor like v with one number everywhere."""
    if is_static(v.shape):
        return op.constant(np.full(v.shape, fill, v.dtype))
    return op.ConstantOfShape(op.Shape(v), value=np.full(1, fill, v.dtype))


def _epsilon(node: Node) -> Any:
    return attribute(node, "epsilon")
