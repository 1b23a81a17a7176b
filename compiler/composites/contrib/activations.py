"""Bodies of activations; half precision is computed in float32, as onnxruntime does."""

from collections.abc import Callable

from ...emission.accumulation import as_float32, cast_to
from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..registry import contrib_body
from .fused import parametric_softplus, scaled_tanh


def _in_float32(op: Ops, function: Callable[[Value], Value], x: Value) -> Value:
    return cast_to(op, function(as_float32(op, x)), x)


@contrib_body("Gelu")
def gelu(op: Ops, node: Node) -> Value:
    """x·Φ(x)"""
    return _in_float32(op, op.Gelu, node.first_input)


@contrib_body("BiasGelu")
def bias_gelu(op: Ops, node: Node) -> Value:
    """(x + b)·Φ(x + b)"""
    return _in_float32(op, op.Gelu, op.Add(*node.required(2)))


@contrib_body("FastGelu")
def fast_gelu(op: Ops, node: Node) -> Value:
    """The tanh approximation of Gelu, of x + b where there is a bias"""
    x, bias = node.first_input, node.input(1)
    return approximate_gelu(op, x if bias is None else op.Add(x, bias))


@contrib_body("GemmFastGelu")
def gemm_fast_gelu(op: Ops, node: Node) -> Value:
    """FastGelu of x·W"""
    x, bias = op.MatMul(*node.required(2)), node.input(2)
    return approximate_gelu(op, x if bias is None else op.Add(x, bias))


def approximate_gelu(op: Ops, x: Value) -> Value:
    """Emit the tanh approximation of Gelu."""
    return _in_float32(op, lambda x: op.Gelu(x, approximate="tanh"), x)


@contrib_body("BiasSplitGelu")
def bias_split_gelu(op: Ops, node: Node) -> Value:
    """a·Gelu(b), a and b the halves of x + bias along the last axis"""
    a, b = op.Split(op.Add(*node.required(2)), axis=-1, num_outputs=2)
    return op.Mul(a, _in_float32(op, op.Gelu, b))


@contrib_body("QuickGelu")
def quick_gelu(op: Ops, node: Node) -> Value:
    """x·σ(α·x)"""
    alpha = attribute(node, "alpha")
    return _in_float32(op, lambda x: swish(op, x, alpha), node.first_input)


@contrib_body("ScaledSiLU")
def scaled_silu(op: Ops, node: Node) -> Value:
    """z·σ(z), z = s·x; s is an input or an attribute"""
    x, scale = node.first_input, node.input(1)
    wide = as_float32(op, x)
    factor = attribute(node, "alpha") if scale is None else cast_to(op, scale, wide)
    return cast_to(op, swish(op, op.Mul(wide, factor), 1.0), x)


def swish(op: Ops, x: Value, alpha: float) -> Value:
    """Emit x·σ(α·x), for which no opset that files are written at has an operator."""
    result: Value = op.Mul(x, op.Sigmoid(x if alpha == 1 else op.Mul(x, alpha)))
    return result


@contrib_body("Affine", domain="")
def affine(op: Ops, node: Node) -> Value:
    """α·x + β"""
    x = node.first_input
    return op.Add(op.Mul(x, attribute(node, "alpha")), attribute(node, "beta"))


@contrib_body("Scale", domain="")
def scale(op: Ops, node: Node) -> Value:
    """s·x"""
    return op.Mul(node.first_input, attribute(node, "scale"))


@contrib_body("ScaledTanh", domain="")
def scaled_tanh_call(op: Ops, node: Node) -> Value:
    """α·tanh(β·x)"""
    alpha, beta = attribute(node, "alpha"), attribute(node, "beta")
    return scaled_tanh(op, node.first_input, alpha, beta)


@contrib_body("ParametricSoftplus", domain="")
def parametric_softplus_call(op: Ops, node: Node) -> Value:
    """α·log(1 + e^(β·x))"""
    alpha, beta = attribute(node, "alpha"), attribute(node, "beta")
    return parametric_softplus(op, node.first_input, alpha, beta)


@contrib_body("ImageScaler", domain="")
def image_scaler(op: Ops, node: Node) -> Value:
    """s·x + b, b one number for each channel"""
    x = node.first_input
    bias = op.constant(node.attributes.get("bias") or [0.0], x.dtype)
    return op.Add(op.Mul(x, attribute(node, "scale")), op.Unsqueeze(bias, [1, 2]))
