"""Bodies of operators whose weights are packed: several numbers of few bits in one byte."""

import numpy as np

from ...emission.accumulation import as_float32, cast_to
from ...emission.ops import Ops
from ...emission.positions import dimension
from ...errors import UnsupportedOpError
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..registry import contrib_body

_NORMAL = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
]  # fmt: skip
"""The numbers that 4 bits stand for in NF4: quantiles of a normal distribution."""

_MAGNITUDES = [0.0, 1 / 192, 2 / 3, 1.0, 1 / 3, 1 / 2, 1 / 6, 1 / 4]
"""Those of FP4 without their sign, which is the highest bit."""


@contrib_body("MatMulNBits")
def matmul_nbits(op: Ops, node: Node) -> Value:
    """x·Wᵀ + b, W[n, k] = (q − zero)·scale, both of the block that k lies in

    q: (n, blocks, bytes), each byte with the lowest number first. Half precision is computed in
    float32.
    """
    x, packed, scales = node.required(3)
    zeros, groups, bias = node.input(3), node.input(4), node.input(5)
    bits, block = attribute(node, "bits"), node.attributes["block_size"]
    rows, width = node.attributes["N"], node.attributes["K"]
    if attribute(node, "weight_prepacked"):
        raise UnsupportedOpError("its weights are packed for one kind of GPU", [node.operator])
    if 8 % bits:
        raise UnsupportedOpError(f"numbers of {bits} bits are not known", [node.operator])
    blocks = -(-width // block)
    steps = _unpacked(op, op.Reshape(packed, [rows, -1]), bits)
    scale = op.Reshape(as_float32(op, scales), [rows, blocks])
    zero = _zero_points(op, zeros, bits, rows, blocks, scale)
    if groups is None:
        apart = op.Reshape(op.Cast(steps, to=scale.dtype), [rows, blocks, block])
        centered = op.Sub(apart, zero if zero.rank == 0 else op.Unsqueeze(zero, [2]))
        weights = op.Reshape(op.Mul(centered, op.Unsqueeze(scale, [2])), [rows, blocks * block])
        weights = weights if blocks * block == width else op.Slice(weights, [0], [width], [1])
    else:  # of each k the number of its block
        steps = op.Cast(op.Slice(steps, [0], [width], [1]), to=scale.dtype)
        shift = zero if zero.rank == 0 else op.Gather(zero, groups, axis=1)
        weights = op.Mul(op.Sub(steps, shift), op.Gather(scale, groups, axis=1))
    y = op.MatMul(as_float32(op, x), op.Transpose(weights, perm=[1, 0]))
    return cast_to(op, y if bias is None else op.Add(y, as_float32(op, bias)), x)


def _zero_points(
    op: Ops, zeros: Value | None, bits: int, rows: int, blocks: int, scale: Value
) -> Value:
    """Give the zero point of each block, in the dtype of the scales, or that of all."""
    if zeros is None:
        return op.like(2 ** (bits - 1), scale)
    if zeros.dtype != np.uint8:
        return cast_to(op, op.Reshape(zeros, [rows, blocks]), scale)
    each = _unpacked(op, op.Reshape(zeros, [rows, -1]), bits)
    result: Value = op.Cast(op.Slice(each, [0], [blocks], [1]), to=scale.dtype)
    return result


def _unpacked(op: Ops, x: Value, bits: int, highest_first: bool = False) -> Value:
    """Take bytes apart along the last axis into numbers of so many bits."""
    if bits == 8:
        return x
    shifts = list(range(0, 8, bits))
    if highest_first:
        shifts.reverse()
    moved = [op.BitShift(x, op.like(k, x), direction="RIGHT") if k else x for k in shifts]
    parts = [op.Unsqueeze(op.Mod(part, op.like(2**bits, x)), [-1]) for part in moved]
    together = op.Concat(*parts, axis=-1)
    length = op.Mul(dimension(op, x, -1), len(shifts))
    shape = op.Concat(op.Shape(x, end=x.known_rank - 1), length, axis=0)
    result: Value = op.Reshape(together, shape, allowzero=1)
    return result


@contrib_body("MatMulBnb4")
def matmul_bnb4(op: Ops, node: Node) -> Value:
    """x·Wᵀ, W a number of a table times the largest of its block; the higher 4 bits come first"""
    x, packed, largest = node.required(3)
    rows, width = node.attributes["N"], node.attributes["K"]
    block, count = node.attributes["block_size"], rows * width
    table = _NORMAL
    if node.attributes["quant_type"] == 0:
        table = [*_MAGNITUDES, *(-m for m in _MAGNITUDES)]
    steps = _unpacked(op, op.Reshape(packed, [-1]), 4, highest_first=True)
    steps = op.Slice(steps, [0], [count], [0])
    scale = op.Gather(as_float32(op, largest), op.Div(op.Range(0, count, 1), block))
    levels = op.Gather(op.constant(table, scale.dtype), op.Cast(steps, to="int32"))
    turned = bool(attribute(node, "transB"))
    shape = [rows, width] if turned else [width, rows]
    weights = op.Reshape(op.Mul(levels, scale), shape)
    weights = op.Transpose(weights, perm=[1, 0]) if turned else weights
    return cast_to(op, op.MatMul(as_float32(op, x), weights), x)


@contrib_body("GatherBlockQuantized")
def gather_block_quantized(op: Ops, node: Node) -> Value:
    """The gathered slices of (q − zero)·scale, both of the block along `quantize_axis`"""
    data, indices, scales = node.required(3)
    zeros = node.input(3)
    bits, block = attribute(node, "bits"), attribute(node, "block_size")
    rank = data.known_rank
    along, blocked = (attribute(node, f"{k}_axis") % rank for k in ("gather", "quantize"))
    if along == blocked:
        raise UnsupportedOpError("it gathers along the axis of the blocks", [node.operator])
    packed = data.dtype == np.uint8
    if not packed and data.dtype.name not in ("int4", "uint4"):
        raise UnsupportedOpError(f"weights of {data.dtype} are not known", [node.operator])
    axis = blocked + indices.known_rank - 1 if blocked > along else blocked
    steps, shift = (
        None if v is None else _gathered(op, v, indices, along, bits if packed else 0)
        for v in (data, zeros)
    )
    assert steps is not None
    scale = op.Gather(as_float32(op, scales), indices, axis=along)
    center = op.like(2 ** (bits - 1) if packed else 0, scale)
    numbers = op.Cast(steps, to=scale.dtype)
    each = op.Div(op.Range(0, op.Squeeze(dimension(op, numbers, axis)), 1), block)
    shift = center if shift is None else op.Gather(op.Cast(shift, to=scale.dtype), each, axis=axis)
    y = op.Mul(op.Sub(numbers, shift), op.Gather(scale, each, axis=axis))
    return cast_to(op, y, scales)


def _gathered(op: Ops, x: Value, indices: Value, axis: int, bits: int) -> Value:
    """Gather slices of packed numbers, or of 4-bit ones, which Gather does not take."""
    whole = x if bits else op.Cast(x, to="int8")
    slices = op.Gather(whole, indices, axis=axis)
    return _unpacked(op, slices, bits) if bits else slices
