"""Fourier transforms that onnxruntime refuses or computes otherwise, by those that it gets right.

Its kernel of the inverse, 1.32's, does not fill in the other half of a one-sided spectrum, and has
float32 constants inside where it runs in float64.
"""

import numpy as np

from ...emission.accumulation import cast_to
from ...emission.ops import Ops
from ...emission.positions import dimension, int64, product
from ...graph.ir import Node, Value
from ...standard.schemas import attribute


def fourier_transform(op: Ops, node: Node) -> list[Value | None] | None:
    """Say a transform otherwise where its kernel, or the shape inferred for it, is wrong."""
    return _of_fed_length(op, node) or _inverse(op, node)


def _of_fed_length(op: Ops, node: Node) -> list[Value | None] | None:
    """Cut x, or fill it with zeros, to the length before the transform.

    ONNX infers the size of x for what has a length that is fed, and onnxruntime plans by that.
    """
    x, length, axis = node.first_input, node.input(1), node.input(2)
    if length is None or length.constant is not None or _gives_real(node):
        return None
    place = op.constant([-2]) if axis is None else op.Reshape(int64(op, axis), [1])
    missing = op.Sub(op.Reshape(int64(op, length), [1]), op.Gather(op.Shape(x), place))
    fitted = op.Pad(x, op.Concat([0], missing, axis=0), None, place)
    return [op.DFT(fitted, None, axis, **node.attributes)]


def _gives_real(node: Node) -> bool:
    return bool(attribute(node, "inverse") and attribute(node, "onesided"))


def _inverse(op: Ops, node: Node) -> list[Value | None] | None:
    """F⁻¹x = conj F(conj x)/N; of a one-sided spectrum it is real"""
    x, length, axis = node.first_input, node.input(1), node.input(2)
    onesided = bool(attribute(node, "onesided"))
    if not attribute(node, "inverse") or not (onesided or x.dtype == np.float64):
        return None
    shape = op.Shape(x)
    place = op.constant([-2]) if axis is None else op.Reshape(int64(op, axis), [1])
    place = op.Mod(place, op.Reshape(op.Size(shape), [1]))
    before, after = op.Slice(shape, [0], place), op.Slice(shape, op.Add(place, 1), [-1])
    rows = op.Gather(shape, place)
    whole = op.Concat(product(op, before), rows, product(op, after), dimension(op, x, -1), axis=0)
    spectrum = _complex(op, op.Reshape(x, whole, allowzero=1), x)
    if length is not None:
        total = op.Reshape(int64(op, length), [1])
    else:
        total = op.Mul(op.Sub(rows, 1), 2) if onesided else rows
    if onesided:
        spectrum = _both_halves(op, spectrum, rows, total)
    conjugate = op.constant([1, -1], x.dtype)
    y = op.DFT(op.Mul(spectrum, conjugate), None if onesided else length, 1)
    y = op.Div(y, cast_to(op, total, x))
    y = op.Slice(y, [0], [1], [3]) if onesided else op.Mul(y, conjugate)
    return [op.Reshape(y, op.Concat(before, total, after, [2 - onesided], axis=0), allowzero=1)]


def _complex(op: Ops, flat: Value, x: Value) -> Value:
    """Give (before, rows, after, 2), with zeros beside what is real."""
    if x.shape is not None and x.shape[-1] == 2:
        return flat
    return op.Slice(op.Pad(flat, [0, 1], None, [3]), [0], [2], [3])


def _both_halves(op: Ops, half: Value, rows: Value, total: Value) -> Value:
    """Give X[k] = conj X[N − k] for k > N/2; missing rows are zeros, those beyond are cut off."""
    kept = op.Add(op.Div(total, 2), 1)
    half = op.Pad(half, op.Concat([0], op.Sub(kept, rows), axis=0), None, [1])
    k = op.Range(0, op.Squeeze(total, [0]), 1)
    given = op.LessOrEqual(op.Mul(k, 2), total)
    found = op.Gather(half, op.Where(given, k, op.Sub(total, k)), axis=1)
    sign = op.Where(given, op.like(1, half), op.like(-1, half))
    signs = op.Concat(op.Expand(op.like(1, half), op.Shape(sign)), sign, axis=0)
    return op.Mul(found, op.Transpose(op.Reshape(signs, [2, 1, -1]), perm=[2, 1, 0]))
