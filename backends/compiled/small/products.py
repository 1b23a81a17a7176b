"""Matrix products."""

from ....compiler.graph.ir import Node
from ....compiler.standard.schemas import attribute
from ..formulas import literal
from .program import Program, aligned
from .registry import writer


@writer("Gemm")
def gemm(program: Program, node: Node) -> None:
    """alpha·a·b + beta·c; a and b transposed on request, c broadcasts"""
    a, b = node.required(2)
    c, y = node.input(2), node.output()
    alpha, beta = attribute(node, "alpha"), attribute(node, "beta")
    turn_a, turn_b = attribute(node, "transA"), attribute(node, "transB")
    for value in (a, b):
        program.compute(value)
    if c is not None and program.size(c) < program.size(y):
        program.compute(c)
    pairs = program.shape(a)[0 if turn_a else 1]
    program.define(y)
    with program.loops(program.shape(y)) as (i, j):
        total = program.name("number(0)")
        with program.loops([pairs]) as (k,):
            left = program.element(a, (k, i) if turn_a else (i, k))
            right = program.element(b, (j, k) if turn_b else (k, j))
            program.line(f"{total} += {left} * {right}")
        text = total if alpha == 1 else f"{literal(alpha)} * {total}"
        if c is not None and beta != 0:
            added = program.named(c, program.broadcast((i, j), program.shape(y), c))
            text += f" + {added}" if beta == 1 else f" + {literal(beta)} * {added}"
        program.store(y, (i, j), text)


@writer("MatMul")
def matmul(program: Program, node: Node) -> None:
    """Multiply matrices; leading axes broadcast."""
    a, b = node.required(2)
    y = node.output()
    for value in (a, b):
        program.compute(value)
    shape = program.shape(y)
    rows, columns = len(program.shape(a)) > 1, len(program.shape(b)) > 1  # else y lacks the axis
    batch = len(shape) - rows - columns
    program.define(y)
    with program.loops(shape) as at:
        total = program.name("number(0)")
        with program.loops([program.shape(a)[-1]]) as (k,):
            left = (*aligned(at[:batch], program.shape(a)[:-2]), *at[batch : batch + rows], k)
            right = (
                *aligned(at[:batch], program.shape(b)[:-2]),
                k,
                *at[len(at) - columns :][:columns],
            )
            program.line(f"{total} += {program.element(a, left)} * {program.element(b, right)}")
        program.store(y, at, total)
