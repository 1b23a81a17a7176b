"""Gradients of operators that write by index, with each way to reduce.

Where an index is written twice without a reduction the standard leaves open which update stays.
Numbers in place of the updates, written the same way, tell which did: only that has a gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..differentiation.rules import Entries, gradient
from ..emission.accumulation import as_float32, cast_to, is_half, scatter
from ..emission.ops import Ops
from ..emission.positions import numbered, ones, scattered, zeros
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@dataclass(frozen=True)
class Access:
    """How one of the two scatter operators reads and writes at its indices."""

    read: Callable[[Value], Value]
    write: Callable[[Value, Value, str], Value]
    repeats: bool  # whether two updates may go to one place


@gradient("ScatterElements")
def scatter_elements(op: Ops, node: Node, dy: Value) -> Entries:
    """y is x with updates at indices along an axis, see `_scatter`"""
    (_, indices), axis = node.required(2), attribute(node, "axis")
    access = Access(
        read=lambda x: op.GatherElements(x, indices, axis=axis),
        write=lambda x, updates, reduction: scatter(op, x, indices, updates, reduction, axis),
        repeats=not _all_distinct(indices, axis),
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
        repeats=not _all_distinct(indices, None),
    )
    return _scatter(op, node, dy, access)


def _scatter(op: Ops, node: Node, dy: Value, access: Access) -> Entries:
    """none: dx is zero where x was overwritten, du = dy read at the indices of those that stayed;

    add: dx = dy and du = dy read at indices.
    """
    x, _, updates = node.required(3)
    match attribute(node, "reduction"):
        case "none":
            nothing = zeros(op, op.Shape(updates), updates)
            dx, du = access.write(dy, nothing, "none"), access.read(dy)
            return dx, None, _of_those_that_stayed(op, x, du, access) if access.repeats else du
        case "add":
            return dy, None, access.read(dy)
        case "mul":
            return _product(op, node, dy, access)
        case _:
            return _extremum(op, node, dy, access)


def _of_those_that_stayed(op: Ops, x: Value, du: Value, access: Access) -> Value:
    """Give du, and zero for updates that a later one has overwritten."""
    numbers = numbered(op, op.Shape(du))
    written = access.write(zeros(op, op.Shape(x), numbers), numbers, "none")
    return op.Where(op.Equal(access.read(written), numbers), du, 0.0)


def _all_distinct(indices: Value, axis: int | None) -> bool:
    """Tell whether no two of the indices (along an axis, or tuples) name one place for certain."""
    known = None if indices.parameter else indices.constant
    if known is None or (known < 0).any():  # −1 may be another name of a place
        return False
    if axis is None:
        rows = known.reshape(-1, known.shape[-1])
    else:
        places = np.indices(known.shape)
        places[axis] = known
        rows = places.reshape(known.ndim, -1).T
    return len(np.unique(rows, axis=0)) == len(rows)


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
    x, _, u = node.required(3)
    y = node.output()
    if is_half(x):  # a runtime may round y further than it rounds x and u
        x, u = as_float32(op, x), as_float32(op, u)
        y = access.write(x, u, attribute(node, "reduction"))
    x_is_it = cast_to(op, op.Equal(x, y), dy)
    u_is_it = cast_to(op, op.Equal(u, access.read(y)), dy)
    share = op.Div(dy, access.write(x_is_it, u_is_it, "add"))
    return op.Mul(share, x_is_it), None, op.Mul(access.read(share), u_is_it)
