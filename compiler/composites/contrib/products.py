"""Bodies of matrix products with what onnxruntime fuses into them."""

from ...emission.accumulation import as_float32, cast_to
from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..registry import contrib_body
from .fused import activated_by_name


@contrib_body("FusedMatMul", "TransposeMatMul")
def fused_matmul(op: Ops, node: Node) -> Value:
    """α·A'·B', A' and B' with axes exchanged as the attributes say"""
    a, b = node.required(2)
    y = op.MatMul(_turned(op, node, a, "A"), _turned(op, node, b, "B"))
    alpha = attribute(node, "alpha")
    return y if alpha == 1 else cast_to(op, op.Mul(as_float32(op, y), alpha), y)


def _turned(op: Ops, node: Node, x: Value, which: str) -> Value:
    """transBatch: (m, *batch, k) → (*batch, m, k); trans: the last two exchanged, of those given"""
    across, batch = attribute(node, f"trans{which}"), attribute(node, f"transBatch{which}")
    if not across and not batch or x.known_rank < 2:
        return x
    order = list(range(x.known_rank))
    if batch:
        order = [*order[1:-1], order[0], order[-1]]
    if across:
        order[-2:] = order[-2:][::-1]
    return x if order == sorted(order) else op.Transpose(x, perm=order)


@contrib_body("FusedGemm")
def fused_gemm(op: Ops, node: Node) -> Value:
    """f(α·A'·B' + β·C)"""
    names = ("alpha", "beta", "transA", "transB")
    given = {k: a for k, a in node.attributes.items() if k in names}
    return activated_by_name(op, node, op.Gemm(*node.inputs, **given))


@contrib_body("MatMulInteger16")
def matmul_integer16(op: Ops, node: Node) -> Value:
    """A·B of 16-bit integers in 32 bits"""
    a, b = node.required(2)
    to = "uint32" if a.dtype.kind == b.dtype.kind == "u" else "int32"
    return op.MatMul(op.Cast(a, to=to), op.Cast(b, to=to))


@contrib_body("CDist")
def cdist(op: Ops, node: Node) -> Value:
    """The distance of each row of A from each row of B, squared unless the metric is euclidean"""
    a, b = node.required(2)
    apart = op.Sub(op.Unsqueeze(a, [1]), op.Unsqueeze(b, [0]))
    if attribute(node, "metric") == "euclidean":
        return op.ReduceL2(apart, [2], keepdims=0)
    return op.ReduceSumSquare(apart, [2], keepdims=0)


@contrib_body("BiasAdd")
def bias_add(op: Ops, node: Node) -> Value:
    """x + bias + skip"""
    x, bias, skip = node.required(3)
    return op.Add(op.Add(x, bias), skip)
