"""Gradients of operators that write by index, with each way to reduce."""

from collections.abc import Callable
from dataclasses import dataclass

from ..differentiation.rules import Entries, gradient
from ..emission.accumulation import cast_to, scatter
from ..emission.ops import Ops
from ..emission.positions import numbered, ones, scattered, zeros
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@dataclass(frozen=True)
class Access:
    """How one of the two scatter operators reads and writes at its indices."""

    read: Callable[[Value], Value]
    write: Callable[[Value, Value, str], Value]


@gradient("ScatterElements")
def scatter_elements(op: Ops, node: Node, dy: Value) -> Entries:
    """y is x with updates at indices along an axis, see `_scatter`"""
    (_, indices), axis = node.required(2), attribute(node, "axis")
    access = Access(
        read=lambda x: op.GatherElements(x, indices, axis=axis),
        write=lambda x, updates, reduction: scatter(op, x, indices, updates, reduction, axis),
    )
    return _scatter(op, node, dy, access)


@gradient("ScatterND")
def scatter_nd(op: Ops, node: Node, dy: Value) -> Entries:
    """y is x with updates at index tuples, see `_scatter`"""
    _, indices = node.required(2)
    access = Access(
        read=lambda x: op.GatherND(x, indices),
        write=lambda x, updates, reduction: (
            op.ScatterND(x, indices, updates)
            if reduction == "none"
            else scattered(op, x, indices, updates, reduction)
        ),
    )
    return _scatter(op, node, dy, access)


def _scatter(op: Ops, node: Node, dy: Value, access: Access) -> Entries:
    """none: dx is zero where x was overwritten; add: dx = dy; either way du = dy read at indices"""
    x, _, updates = node.required(3)
    match attribute(node, "reduction"):
        case "none":
            nothing = zeros(op, op.Shape(updates), updates)
            return access.write(dy, nothing, "none"), None, access.read(dy)
        case "add":
            return dy, None, access.read(dy)
        case "mul":
            return _product(op, node, dy, access)
        case _:
            return _extremum(op, node, dy, access)


def _product(op: Ops, node: Node, dy: Value, access: Access) -> Entries:
    """y = x·Π u:  dx = dy·Π u,  du = dy·x·Π of the other u at the same place"""
    x, _, u = node.required(3)
    shape = op.Shape(x)
    product = access.write(ones(op, shape, x), u, "mul")
    places = op.Reshape(access.read(numbered(op, shape)), [-1])
    factors = op.Reshape(u, [-1])
    others = op.composite("OtherFactors", factors, places, op.Size(x), types=[factors.type])
    others = op.Mul(access.read(x), op.Reshape(others, op.Shape(u), allowzero=1))
    return op.Mul(dy, product), None, op.Mul(access.read(dy), others)


def _extremum(op: Ops, node: Node, dy: Value, access: Access) -> Entries:
    """y is the least or the greatest of x and all u: what equals y shares dy evenly"""
    x, _, u = node.inputs
    y = node.output()
    x_is_it = cast_to(op, op.Equal(x, y), dy)
    u_is_it = cast_to(op, op.Equal(u, access.read(y)), dy)
    share = op.Div(dy, access.write(x_is_it, u_is_it, "add"))
    return op.Mul(share, x_is_it), None, op.Mul(access.read(share), u_is_it)
