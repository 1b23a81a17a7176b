"""Reductions over axes that are known."""

from math import prod
from typing import NamedTuple

from ....compiler.graph.ir import Node
from ....compiler.standard.schemas import attribute
from ...kernels.reduction import reduced_axes
from .program import NotWritten, Program, row_by_row
from .registry import composite_writer, writer


class _Steps(NamedTuple):
    """The first total, the next of a total {0} and an element {1}, the result of {2} elements."""

    start: str
    step: str
    end: str = "{0}"


_SUM = _Steps("0.0", "{0} + {1}", "number({0})")
"""Totals are of float64."""

_STEPS = {
    "ReduceL1": _Steps("0.0", "{0} + abs({1})", "number({0})"),
    "ReduceL2": _Steps("0.0", "{0} + {1} * {1}", "sqrt(number({0}))"),
    "ReduceLogSum": _Steps("0.0", "{0} + {1}", "log(number({0}))"),
    "ReduceMax": _Steps("number(-inf)", "larger({0}, {1})"),
    "ReduceMean": _Steps("0.0", "{0} + {1}", "number({0} / number({2}))"),
    "ReduceMin": _Steps("number(inf)", "smaller({0}, {1})"),
    "ReduceProd": _Steps("number(1)", "{0} * {1}"),
    "ReduceSum": _SUM,
    "ReduceSumSquare": _Steps("0.0", "{0} + {1} * {1}", "number({0})"),
}


@writer(*_STEPS)
def reduction(program: Program, node: Node) -> None:
    """Reduce over some axes, or all."""
    _reduce(program, node, _axes(program, node), _STEPS[node.op_type])


def _axes(program: Program, node: Node) -> set[int]:
    rank, keeps = len(program.shape(node.first_input)), attribute(node, "noop_with_empty_axes")
    return {axis % rank for axis in reduced_axes(rank, program.known(node, 1), keeps)}


@writer("ReduceLogSumExp")
def reduce_log_sum_exp(program: Program, node: Node) -> None:
    """The logarithm of the sum of exp(x), shifted by the largest, where that is finite"""
    x, y = node.first_input, node.output()
    shape = program.shape(x)
    if not prod(shape):
        raise NotWritten(node.label)
    over = _axes(program, node)
    kept = [n for axis, n in enumerate(shape) if axis not in over]
    reduced = [n for axis, n in enumerate(shape) if axis in over]
    program.compute(x)
    program.define(y)
    with program.loops(kept) as outer:
        largest, total = program.name("number(-inf)"), program.total()
        with program.loops(reduced) as inner:
            x_ = program.named(x, _merged(len(shape), over, outer, inner))
            program.line(f"{largest} = larger({largest}, {x_})")
        program.line(f"{largest} = {largest} if abs({largest}) < number(inf) else number(0)")
        with program.loops(reduced) as inner:
            x_ = program.named(x, _merged(len(shape), over, outer, inner))
            program.line(f"{total} += exp({x_} - {largest})")
        program.store(y, row_by_row(kept, outer), f"log(number({total})) + {largest}")


@composite_writer("ReduceToShape")
def reduce_to_shape(program: Program, node: Node) -> None:
    """Sum over the axes along which the result would broadcast to its input."""
    program.known(node, 1)
    shape, own = program.shape(node.first_input), program.shape(node.output())
    lead = len(shape) - len(own)
    kept = {lead + k for k, n in enumerate(own) if n == shape[lead + k]}
    _reduce(program, node, set(range(len(shape))) - kept, _SUM)


def _reduce(program: Program, node: Node, over: set[int], steps: _Steps) -> None:
    """Go over what is reduced to an element, for each of them."""
    x, y = node.first_input, node.output()
    shape = program.shape(x)
    kept = [n for axis, n in enumerate(shape) if axis not in over]
    reduced = [n for axis, n in enumerate(shape) if axis in over]
    in_a_row = not kept and program.lies_flat(x, shape)
    program.define(y)
    with program.loops(kept) as outer:
        total = program.name(steps.start)
        with program.loops([prod(reduced)] if in_a_row else reduced) as inner:
            index = inner[0] if in_a_row else _merged(len(shape), over, outer, inner)
            program.line(f"{total} = {steps.step.format(total, program.named(x, index))}")
        program.store(y, row_by_row(kept, outer), steps.end.format(total, x, prod(reduced)))


def _merged(
    rank: int, over: set[int], outer: tuple[str, ...], inner: tuple[str, ...]
) -> tuple[str, ...]:
    """Give an index of what is reduced over some axes: along those, and along the others."""
    left, reduced = iter(outer), iter(inner)
    return tuple(next(reduced) if axis in over else next(left) for axis in range(rank))
