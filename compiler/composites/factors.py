"""Bodies of the composite OtherFactors, for factors that are scattered over places.

OtherFactors(factors, places, size) gives for each of the factors, (count,), the product of all
other factors at its place; places: int64, (count,), below size, an int64 scalar.
"""

from ..emission.accumulation import cast_to, scatter
from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.types import TensorType
from .registry import form


@form("OtherFactors")
def by_running_products(op: Ops, node: Node) -> Value:
    """Sorted by place, multiply the product of those before by the product of those after.

    It only multiplies, so its derivatives of every order are right at zeros too. Both products
    run within a place; the second is the first of the reversed list.
    """
    factors, places, size = node.required(3)
    _, order = op.TopK(places, op.Shape(places), largest=0)
    orders = op.Concat(
        op.Unsqueeze(order, [0]),
        op.Unsqueeze(op.Slice(order, [-1], [-(2**62)], [0], [-1]), [0]),
        axis=0,
    )
    listed, sorted_places = (op.Gather(v, orders) for v in (factors, places))
    running = _running_products(op, listed, sorted_places, _rounds(op, places, size))
    before = _shifted(op, running, sorted_places, op.constant(1))
    first, second = op.Split(
        op.ScatterElements(
            op.Expand(op.like(0, factors), op.Shape(orders)), orders, before, axis=1
        ),
        axis=0,
        num_outputs=2,
    )
    return op.Squeeze(op.Mul(first, second), [0])


@form("OtherFactors", "division", run_only=True)
def by_division(op: Ops, node: Node) -> Value:
    """Divide the product at each place by the factor; only a zero that is alone has others.

    Fast and right, but not its derivatives: at zeros it says nothing about their neighborhood.
    """
    factors, places, size = node.required(3)
    size = op.Reshape(size, [1])
    zero = op.Equal(factors, 0.0)
    safe = op.Where(zero, 1.0, factors)
    neutral = op.Expand(op.like(1, factors), size), op.Expand(op.like(0, factors), size)
    product = scatter(op, neutral[0], places, safe, "mul")
    count = scatter(op, neutral[1], places, cast_to(op, zero, factors))
    product, zeros = op.Gather(product, places), op.Gather(count, places)
    others = op.Where(op.Equal(zeros, 0.0), op.Div(product, safe), 0.0)
    alone = op.And(zero, op.Equal(zeros, 1.0))
    return op.Where(alone, product, others)


def _rounds(op: Ops, places: Value, size: Value) -> Value:
    """Count the doublings that reach from the first to the last of the fullest place."""
    none = op.Expand(op.constant(0), op.Reshape(size, [1]))
    one = op.Expand(op.constant(1), op.Shape(places))
    counts = scatter(op, none, places, one)
    fullest = op.ReduceMax(op.Concat([0], counts, axis=0), keepdims=0)
    needed = op.Less(op.constant([2**k for k in range(62)]), fullest)
    return op.ReduceSum(op.Cast(needed, to="int64"), keepdims=0)


def _running_products(op: Ops, factors: Value, places: Value, rounds: Value) -> Value:
    """Multiply up each place's factors along axis 1; each round doubles how far back it reaches."""
    body = Graph("doubling", op.graph.names)
    inner = Ops(body, prefix=op.prefix)
    reach_type, going_type = TensorType(rounds.dtype, ()), op.constant(True).type
    step, going, reach, products = (
        body.add_value(Value(body.names.fresh(f"{op.prefix}{name}"), type_))
        for name, type_ in (
            ("step", reach_type),
            ("going", going_type),
            ("reach", reach_type),
            ("products", factors.type),
        )
    )
    body.inputs = [step, going, reach, products]
    longer = inner.Mul(products, _shifted(inner, products, places, reach))
    body.outputs = [inner.Identity(going), inner.Add(reach, reach), longer]
    _, result = op.Loop(rounds, None, op.constant(1), factors, body=body)
    return result


def _shifted(op: Ops, products: Value, places: Value, reach: Value) -> Value:
    """Give what stands `reach` before each element, 1 where that is of another place."""
    numbers = op.Range(0, op.Squeeze(op.Shape(places, start=1), [0]), 1)
    earlier = op.Max(op.Sub(numbers, reach), 0)
    there = op.GreaterOrEqual(numbers, reach)
    same = op.And(there, op.Equal(op.Gather(places, earlier, axis=1), places))
    return op.Where(same, op.Gather(products, earlier, axis=1), 1.0)
