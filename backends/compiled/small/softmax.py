"""Softmax and its relatives."""

from collections.abc import Callable

from ....compiler.graph.ir import Node, Value
from ....compiler.standard.schemas import attribute
from .program import Program
from .registry import composite_writer, writer

At = tuple[str, ...]


@writer("Softmax", "LogSoftmax")
def softmax(program: Program, node: Node) -> None:
    """exp(x) / Σ exp(x) along an axis, or its logarithm"""
    is_log = node.op_type == "LogSoftmax"
    write_softmax(program, node.first_input, node.output(), attribute(node, "axis"), is_log)


def write_softmax(program: Program, x: Value, y: Value, axis: int, is_log: bool) -> None:
    """Write a softmax along an axis, or its logarithm."""
    shape = program.shape(x)
    program.compute(x)
    program.define(y)
    others, size, index = _lines(shape, axis)
    with program.loops(others) as outer:
        largest = program.name("number(-inf)")
        with program.loops([size]) as (k,):
            x_ = program.named(x, index(outer, k))
            program.line(f"{largest} = larger({largest}, {x_})")
        total = program.total()
        with program.loops([size]) as (k,):
            at = index(outer, k)
            lower = program.name(f"{program.named(x, at)} - {largest}")
            grown = program.name(f"exp({lower})")
            program.line(f"{total} += {grown}")
            program.store(y, at, lower if is_log else grown)
        scale = program.name(f"log(number({total}))" if is_log else f"number({total})")
        with program.loops([size]) as (k,):
            at = index(outer, k)
            y_ = program.element(y, at)
            program.store(y, at, f"{y_} - {scale}" if is_log else f"{y_} / {scale}")


@composite_writer("SoftmaxGrad", "LogSoftmaxGrad")
def softmax_grad(program: Program, node: Node) -> None:
    """y·(dy - Σ dy·y), or dy - exp(y)·Σ dy for the logarithm"""
    dy, y = node.required(2)
    dx = node.output()
    for value in (dy, y):
        program.compute(value)
    program.define(dx)
    is_log = node.op_type == "LogSoftmaxGrad"
    others, size, index = _lines(program.shape(y), attribute(node, "axis"))
    with program.loops(others) as outer:
        total = program.total()
        with program.loops([size]) as (k,):
            at = index(outer, k)
            dy_ = program.named(dy, at)
            program.line(f"{total} += {dy_ if is_log else f'{dy_} * {program.named(y, at)}'}")
        total = program.name(f"number({total})")
        with program.loops([size]) as (k,):
            at = index(outer, k)
            dy_, y_ = program.named(dy, at), program.named(y, at)
            text = f"{dy_} - exp({y_}) * {total}" if is_log else f"{dy_} * {y_} - {y_} * {total}"
            program.store(dx, at, text)


def _lines(shape: tuple[int, ...], axis: int) -> tuple[list[int], int, Callable[[At, str], At]]:
    """Give the sizes beside an axis, that of the axis, and what makes an index of theirs."""
    axis %= len(shape)

    def index(outer: At, k: str) -> At:
        return (*outer[:axis], k, *outer[axis:])

    return [*shape[:axis], *shape[axis + 1 :]], shape[axis], index
