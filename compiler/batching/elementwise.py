"""Batching of elementwise operators: operands of lower rank get axes of 1 behind the batch axis."""

from collections.abc import Sequence

from ..graph.ir import Node, Value
from .registry import Batch, Operand, Result, Shared, batching, required


@batching(
    *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where", "PRelu"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"),
    *("BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Clip"),
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh"),
    *("Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf"),
    *("IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu"),
    *("Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish"),
    *("Tan", "Tanh", "ThresholdedRelu", "BitwiseNot", "Cast"),
)
def elementwise(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """f([B, …x], y) with x and y aligned at the right"""
    ranks = [o.rank for o in operands if o is not None]
    if any(r is None for r in ranks):
        return None
    rank = max(r for r in ranks if r is not None)
    inputs = [None if o is None else aligned(batch, o, rank) for o in operands]
    return batch.op.emit(node.op_type, *inputs, **node.attributes)


@batching("GeluGrad", "StraightThrough", composite=True)
def elementwise_composite(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """A composite of operands of one shape"""
    inputs = [batch.spread(o) for o in operands if o is not None]
    return batch.op.composite(node.op_type, *inputs, types=[inputs[0].type], **node.attributes)


@batching("CastLike")
def cast_like(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Only the dtype of the second operand matters"""
    x, like = required(operands, 2)
    y = batch.op.CastLike(x.value, like.value, **node.attributes)
    return y if x.batched else Shared(y)


def aligned(batch: Batch, operand: Operand, rank: int) -> Value:
    """Insert axes of 1 behind the batch axis, so that examples have a common rank."""
    missing = rank - (operand.rank or 0)
    if not operand.batched or not missing:
        return operand.value
    return batch.op.Unsqueeze(operand.value, list(range(1, 1 + missing)))
