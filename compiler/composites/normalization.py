"""Bodies of normalizations and of their gradients; half precision is computed in float32."""

from collections.abc import Sequence

from ..emission.accumulation import as_float32, cast_to
from ..emission.broadcasting import reduce_to
from ..emission.ops import Ops
from ..emission.statistics import batch_statistics
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .onnx_bodies import emit_function_body
from .registry import form, standard_body


@standard_body("LayerNormalization")
def layer_normalization(op: Ops, node: Node) -> Sequence[Value | None]:
    """ONNX's body, which takes scale and bias in the shape of the normalized axes only.

    Those with more axes come after it.
    """
    x, affine = node.first_input, node.inputs[1:]
    if x.shape is None:
        return emit_function_body(op, node)
    axis = node.attributes.get("axis", -1) % len(x.shape)
    normalized = op.Shape(x, start=axis)
    if any(v is not None and (v.rank is None or v.rank > len(x.shape) - axis) for v in affine):
        plain = [None if v is None else op.like(1 - k, v) for k, v in enumerate(affine)]
        full = [v if v is None else op.Expand(v, normalized) for v in plain]
        y, *others = emit_function_body(op, node, [x, *full])
        assert y is not None
        scale, bias = (*affine, None)[:2]
        y = y if scale is None else op.Mul(y, scale)
        return [y if bias is None else op.Add(y, bias), *others]
    full = [
        v if v is None or v.shape == x.shape[axis:] else op.Expand(v, normalized) for v in affine
    ]
    return emit_function_body(op, node, [x, *full])


@standard_body("LpNormalization", widens=True)
def lp_normalization(op: Ops, node: Node) -> Value:
    """x/‖x‖ along an axis, in the 1-norm or the 2-norm; zeros stay zeros"""
    x, axes = node.first_input, [attribute(node, "axis")]
    norm = op.ReduceL1(x, axes) if attribute(node, "p") == 1 else op.ReduceL2(x, axes)
    safe = op.Where(op.Equal(norm, op.like(0, norm)), op.like(1, norm), norm)
    y: Value = op.Div(x, safe)
    return y


@form("LayerNormalizationGrad")
def layer_normalization_grad(op: Ops, node: Node) -> Sequence[Value | None]:
    """With n = (x − mean)·inv_std and g = dY·scale:

    dx = inv_std·(g − mean(g) − n·mean(g·n)) over the normalized axes, dscale = Σ dY·n.
    """
    dy, x, scale, mean, inverse = (as_float32(op, v) for v in node.given())
    axes = list(range(node.attributes["axis"] % x.known_rank, x.known_rank))
    inverse = cast_to(op, inverse, x)
    normal = op.Mul(op.Sub(x, cast_to(op, mean, x)), inverse)
    dx = standard_gradient(op, op.Mul(dy, scale), normal, inverse, axes)
    return _narrowed(op, node, dx, reduce_to(op, op.Mul(dy, normal), scale))


@form("BatchNormalizationGrad")
def batch_normalization_grad(op: Ops, node: Node) -> Sequence[Value | None]:
    """With n = (x − mean)/√(variance + ε), sums over all axes but the channels', N their size:

    dscale = Σ dY·n,  dbias = Σ dY,  dx = scale/√(variance + ε)·(dY − dbias/N − n·dscale/N).

    What a channel has in common is multiplied first, for fewer passes over dY and n.
    """
    dy, x, scale = (as_float32(op, v) for v in node.given())
    axes = [0, *range(2, x.known_rank)]
    _, centered, variance = batch_statistics(op, x)
    inverse = op.Reciprocal(op.Sqrt(op.Add(variance, node.attributes["epsilon"])))
    normal = op.Mul(centered, inverse)
    scale = op.Reshape(cast_to(op, scale, x), [-1] + [1] * (x.known_rank - 2))
    dscale, dbias = (_over_batch(op, v) for v in (op.Mul(dy, normal), dy))
    count = op.Div(*(cast_to(op, op.Size(v), x) for v in (x, dbias)))
    shared = op.Add(op.Mul(normal, op.Div(dscale, count)), op.Div(dbias, count))
    dx = op.Mul(op.Sub(dy, shared), op.Mul(scale, inverse))
    if x.known_rank > 1:  # of rank 1 there is one channel
        dscale, dbias = (op.Squeeze(v, axes) for v in (dscale, dbias))
    return _narrowed(op, node, dx, dscale, dbias)


def _over_batch(op: Ops, x: Value) -> Value:
    """Sum over all axes but the channels; one by one, as onnxruntime is fast at it."""
    inner = list(range(2, x.known_rank))
    return op.ReduceSum(op.ReduceSum(x, inner) if inner else x, [0])


def standard_gradient(
    op: Ops, g: Value, normal: Value, inverse: Value, axes: Sequence[int]
) -> Value:
    """Differentiate n = (x − mean)·inverse: dx = inverse·(g − mean(g) − n·mean(g·n))."""
    axes = list(axes)
    correction = op.Mul(normal, op.ReduceMean(op.Mul(g, normal), axes))
    return op.Mul(inverse, op.Sub(op.Sub(g, op.ReduceMean(g, axes)), correction))


def _narrowed(op: Ops, node: Node, *results: Value) -> list[Value | None]:
    """Bring each result to the dtype of the output that it is for."""
    return [
        result if output is None else cast_to(op, result, output)
        for result, output in zip(results, node.outputs, strict=True)
    ]
