"""Batching of the products of others: they stay whole, one composite for all examples."""

from collections.abc import Sequence

from ..graph.ir import Node
from ..graph.types import TensorType
from .registry import Batch, Operand, Result, batching, required


@batching("ProductOfOthers", composite=True)
def product_of_others(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The batch axis stays: its size stands before the shape, a single example changes nothing"""
    x, kept = required(operands, 2)
    if kept.batched:
        return None
    op, wide = batch.op, batch.spread(x)
    shape = op.Concat(batch.size, kept.value, axis=0)
    return op.composite("ProductOfOthers", wide, shape, types=[wide.type])


@batching("OtherFactors", composite=True)
def other_factors(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Every example has places of its own, after those of the examples before"""
    factors, places, size = required(operands, 3)
    if size.batched:
        return None
    op, wide = batch.op, batch.spread(factors)
    examples = op.Range(0, op.Squeeze(batch.size, [0]), 1)
    first = op.Unsqueeze(op.Mul(examples, size.value), [1])
    flat = op.Reshape(wide, [-1])
    places = op.Reshape(op.Add(first, batch.spread(places)), [-1])
    everywhere = op.Mul(size.value, op.Squeeze(batch.size, [0]))
    types = [TensorType(flat.dtype, flat.shape)]
    others = op.composite("OtherFactors", flat, places, everywhere, types=types)
    return op.Reshape(others, op.Shape(wide), allowzero=1)
