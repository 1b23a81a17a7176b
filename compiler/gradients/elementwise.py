"""Gradients of elementwise arithmetic; broadcasting is undone by the engine."""

from ..differentiation.rules import Entries, gradient
from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..graph.ir import Node, Value


@gradient("Add", broadcasts=True)
def add(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a + b) = da + db"""
    return dy, dy


@gradient("Sub", broadcasts=True)
def subtract(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a − b) = da − db"""
    return dy, op.Neg(dy)


@gradient("Mul", broadcasts=True)
def multiply(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a·b) = b·da + a·db"""
    a, b = node.inputs
    return op.Mul(dy, b), op.Mul(dy, a)


@gradient("Div", broadcasts=True, widens=True)
def divide(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a/b) = da/b − (a/b)/b·db"""
    _, b = node.inputs
    (y,) = node.outputs
    da = op.Div(dy, b)
    return da, op.Neg(op.Mul(da, y))


@gradient("Mod", broadcasts=True, widens=True)
def modulo(op: Ops, node: Node, dy: Value) -> Entries:
    """a mod b = a − q·b with the whole quotient q:  d(a mod b) = da − q·db

    q = (a − a mod b)/b holds for both ways of rounding (fmod); Round removes its rounding error.
    """
    a, b = node.inputs
    quotient = op.Round(op.Div(op.Sub(a, node.outputs[0]), b))
    return dy, op.Neg(op.Mul(dy, quotient))


@gradient("Sum", broadcasts=True)
def add_all(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a + b + …) = da + db + …"""
    return (dy,) * len(node.inputs)


@gradient("Mean", broadcasts=True)
def mean(op: Ops, node: Node, dy: Value) -> Entries:
    """The mean of n operands: each gets dy/n"""
    return (op.Mul(dy, 1 / len(node.inputs)),) * len(node.inputs)


@gradient("Neg")
def negate(op: Ops, node: Node, dy: Value) -> Entries:
    """d(−x) = −dx"""
    return op.Neg(dy)


@gradient("Abs")
def absolute(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx |x| = sign x, 0 at 0"""
    return op.Mul(dy, op.Sign(node.inputs[0]))


@gradient("Sqrt", widens=True)
def square_root(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx √x = 1/(2√x)"""
    return op.Div(op.Mul(dy, 0.5), node.outputs[0])


@gradient("Reciprocal", widens=True)
def reciprocal(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx 1/x = −1/x²"""
    (y,) = node.outputs
    return op.Neg(op.Mul(op.Mul(dy, y), y))


@gradient("Exp", widens=True)
def exponential(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx eˣ = eˣ"""
    return op.Mul(dy, node.outputs[0])


@gradient("Log", widens=True)
def logarithm(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx ln x = 1/x"""
    return op.Div(dy, node.inputs[0])


@gradient("Pow", broadcasts=True, widens=True)
def power(op: Ops, node: Node, dy: Value) -> Entries:
    """d(xᵉ) = e·xᵉ⁻¹·dx + xᵉ·ln x·de

    By x it is 0 where e = 0, also at x = 0. By e it is 0 at x = 0, the end of where xᵉ is a
    function of e (so is its slope by x there, which for e = 1 has no finite limit), and NaN for
    negative x. The exponent may have a dtype of its own, integers included.
    """
    x, e = node.required(2)
    return op.Mul(dy, _power_slope(op, x, e)), _by_exponent(op, node, x, e, dy)


def _power_slope(op: Ops, x: Value, e: Value) -> Value:
    """Give e·xᵉ⁻¹, as a product where the exponent is known to be 2."""
    known = None if e.parameter else e.constant
    slope: Value
    if known is not None and known.size == 1 and known.item() == 2:
        slope = op.Mul(x, 2.0)
        return slope
    if known is None or not known.all():  # 0·0⁻¹ is NaN
        x = op.Where(op.And(op.Equal(x, 0), op.Equal(e, 0)), 1.0, x)
    slope = op.Mul(op.Pow(x, op.Sub(e, 1)), cast_to(op, e, x))
    return slope


def _by_exponent(op: Ops, node: Node, x: Value, e: Value, dy: Value) -> Value | None:
    if e.dtype.kind in "iu":
        return None
    logarithm = op.Log(op.Where(op.Equal(x, 0), 1.0, x))
    return cast_to(op, op.Mul(op.Mul(dy, node.outputs[0]), logarithm), e)


@gradient("Identity")
def identity(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = dy"""
    return dy
