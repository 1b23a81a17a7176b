"""Matrix products, all brought to what BLAS takes, and determinants."""

import functools
import math
from collections.abc import Mapping
from typing import Any

from ...compiler.graph.ir import Node
from ...compiler.graph.types import TensorType
from .precision import is_half, widen, widened
from .registry import Array, Kernel, kernel


def _for_blas(xp: Any, x: Array) -> Array:
    """Copy a matrix whose strides BLAS does not take: NumPy would multiply it by a plain loop."""
    if x.flags.c_contiguous or x.ndim < 2:
        return x
    rows, columns = x.strides[-2:]
    step = x.itemsize
    if columns == step and rows >= step * x.shape[-1]:
        return x
    if rows == step and columns >= step * x.shape[-2]:
        return x
    return xp.ascontiguousarray(x)


def product(xp: Any, a: Array, b: Array) -> Array:
    """Multiply matrices of one dtype other than half; a stack times one matrix is one GEMM."""
    a, b = _for_blas(xp, a), _for_blas(xp, b)
    if a.ndim > 2 and b.ndim == 2 and a.shape[-1]:
        return xp.matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
    return xp.matmul(a, b)


@kernel("MatMul")
def matmul(xp: Any, a: Array, b: Array) -> Array:
    """Multiply matrices; leading axes broadcast."""
    if is_half(a):
        return product(xp, widen(a), widen(b)).astype(a.dtype)
    return product(xp, a, b)


def _dot(xp: Any, a: Array, b: Array) -> Array:
    """Multiply two matrices; to BLAS a single 0 times NaN would be 0."""
    return a * b if a.size == 1 or b.size == 1 else xp.dot(a, b)


def _bind_gemm(
    xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]
) -> Kernel | None:
    """Leave what is asked at every call: transposes, factors, half precision."""
    type_ = node.first_input.type
    assert isinstance(type_, TensorType)
    scaled = (attributes["alpha"], attributes["beta"]) != (1, 1)
    if scaled or type_.dtype not in ("float32", "float64"):
        return None
    turn_a, turn_b, add = attributes["transA"], attributes["transB"], xp.add

    def run(a: Array, b: Array, c: Array = None) -> Array:
        y = _dot(xp, a.T if turn_a else a, b.T if turn_b else b)
        return y if c is None else add(y, c, y)

    return run


@kernel("Gemm", bind=_bind_gemm)
@widened
def gemm(
    xp: Any,
    a: Array,
    b: Array,
    c: Array = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # the schema's name
    transB: int = 0,
) -> Array:
    """Return alpha·a·b + beta·c; a and b transposed on request, c broadcasts."""
    y = _dot(xp, a.T if transA else a, b.T if transB else b)
    if alpha != 1:
        y = (y * alpha).astype(y.dtype, copy=False)
    if c is None or beta == 0:
        return y
    return xp.add(y, c if beta == 1 else (c * beta).astype(y.dtype, copy=False), out=y)


@kernel("Det")
@widened
def det(xp: Any, x: Array) -> Array:
    """Return the determinants of a stack of square matrices, x: (…, n, n)."""
    return xp.asarray(xp.linalg.det(x))


@kernel("Einsum")
@widened
def einsum(xp: Any, *inputs: Array, equation: str) -> Array:
    """Sum products over indices; two operands become one batched matrix product."""
    plan = _matmul_plan(equation) if len(inputs) == 2 else None
    if plan is None or inputs[0].dtype.kind != "f":
        return xp.einsum(equation, *inputs, optimize=len(inputs) > 2)
    (a_terms, b_terms, output), (batch, rows, columns, summed) = plan
    a, b = inputs
    size = dict(zip(a_terms, a.shape, strict=True)) | dict(zip(b_terms, b.shape, strict=True))
    if any(size[i] != n for i, n in zip(a_terms, a.shape, strict=True)):
        return xp.einsum(equation, a, b)  # an index of size 1 that broadcasts

    def stack(x: Array, terms: str, left: str, right: str) -> Array:
        x = x.transpose([terms.index(i) for i in batch + left + right])
        shape = [size[i] for i in batch]
        return x.reshape(*shape, *(math.prod(size[i] for i in group) for group in (left, right)))

    y = product(xp, stack(a, a_terms, rows, summed), stack(b, b_terms, summed, columns))
    order = batch + rows + columns
    return y.reshape([size[i] for i in order]).transpose([order.index(i) for i in output])


@functools.lru_cache(maxsize=1024)
def _matmul_plan(equation: str) -> tuple[tuple[str, str, str], tuple[str, str, str, str]] | None:
    """Sort the indices of a product of two arrays; None where it is not a matrix product."""
    equation = equation.replace(" ", "")
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    if not arrow or "." in equation or any(len(set(t)) < len(t) for t in (*terms, output)):
        return None
    a, b = terms
    batch = "".join(i for i in output if i in a and i in b)
    rows = "".join(i for i in a if i in output and i not in b)
    columns = "".join(i for i in b if i in output and i not in a)
    summed = "".join(i for i in a if i in b and i not in output)
    if set(a + b) != set(batch + rows + columns + summed):
        return None  # an index that only one operand has is summed
    return (a, b, output), (batch, rows, columns, summed)
