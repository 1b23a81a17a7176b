"""Matrix products."""

from collections.abc import Callable

from ....compiler.graph.ir import Node, Value
from ....compiler.graph.types import TensorType
from ....compiler.standard.einsum import explicit_terms
from ....compiler.standard.schemas import attribute
from ..formulas import literal
from .program import Program, aligned
from .registry import writer

At = tuple[str, ...]

_BLOCK = 32
"""Products summed at a time: LLVM writes them out and computes several sums at once."""

_WORTH_TURNING = 4
"""Rows, columns and pairs from which a right factor is turned first, which LLVM needs for that."""


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
    if turn_b and min(*program.shape(y), pairs) >= _WORTH_TURNING:
        b, turn_b = _turned(program, b), 0

    def product(at: At, k: str) -> str:
        i, j = at
        left = program.element(a, (k, i) if turn_a else (i, k))
        return f"{left} * {program.element(b, (j, k) if turn_b else (k, j))}"

    def finished(at: At, total: str) -> str:
        text = total if alpha == 1 else f"{literal(alpha)} * {total}"
        if c is None or beta == 0:
            return text
        added = program.named(c, program.broadcast(at, program.shape(y), c))
        return f"{text} + {added}" if beta == 1 else f"{text} + {literal(beta)} * {added}"

    _write(program, y, pairs, product, finished)


def _turned(program: Program, x: Value) -> Value:
    """Write the transpose of a matrix."""
    turned = Value(f"{x.name}.turned", TensorType(x.dtype, program.shape(x)[::-1]))
    program.define(turned)
    with program.loops(program.shape(turned)) as at:
        program.store(turned, at, program.element(x, at[::-1]))
    return turned


@writer("MatMul")
def matmul(program: Program, node: Node) -> None:
    """Multiply matrices; leading axes broadcast."""
    a, b = node.required(2)
    y = node.output()
    program.compute(a)
    program.lay_out(b)
    rows, columns = len(program.shape(a)) > 1, len(program.shape(b)) > 1  # else y lacks the axis
    batch = len(program.shape(y)) - rows - columns

    def product(at: At, k: str) -> str:
        left = (*aligned(at[:batch], program.shape(a)[:-2]), *at[batch : batch + rows], k)
        right = (*aligned(at[:batch], program.shape(b)[:-2]), k, *at[len(at) - columns :][:columns])
        return f"{program.element(a, left)} * {program.element(b, right)}"

    _write(program, y, program.shape(a)[-1], product, lambda at, total: total)


@writer("Einsum")
def einsum(program: Program, node: Node) -> None:
    """Sum products over the letters that the result lacks."""
    inputs, y = node.given(), node.output()
    for value in inputs:
        program.compute(value)
    shapes = [program.shape(v) for v in inputs]
    terms, output, _ = explicit_terms(node.attributes["equation"], [len(s) for s in shapes])
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
    summed = [letter for letter in sizes if letter not in output]
    program.define(y)
    with program.loops([sizes[letter] for letter in output]) as outer:
        total = program.name("number(0)")
        with program.loops([sizes[letter] for letter in summed]) as inner:
            at = dict(zip((*output, *summed), (*outer, *inner), strict=True))
            factors = [
                program.element(v, aligned(tuple(at[letter] for letter in term), shape))
                for v, term, shape in zip(inputs, terms, shapes, strict=True)
            ]
            program.line(f"{total} += {' * '.join(factors)}")
        program.store(y, outer, total)


def _write(
    program: Program,
    y: Value,
    pairs: int,
    product: Callable[[At, str], str],
    finished: Callable[[At, str], str],
) -> None:
    """Sum products over pairs for each element, and let `finished` make of the sums what is y."""
    program.define(y)
    first = min(pairs, _BLOCK)
    blocks = max(0, (pairs - first - 1) // _BLOCK)
    last = pairs - first - blocks * _BLOCK
    with program.loops(program.shape(y)) as at:
        total = program.name("number(0)")
        with program.loops([first]) as (k,):
            program.line(f"{total} += {product(at, k)}")
        program.store(y, at, total if last else finished(at, total))
    for start, count, size in ((first, blocks, _BLOCK), (pairs - last, 1, last)):
        if not count * size:
            continue
        with program.loops([count]) as (block,), program.loops(program.shape(y)) as at:
            total = program.name(program.element(y, at))
            with program.loops([size]) as (k,):
                program.line(f"{total} += {product(at, f'{start} + {size} * {block} + {k}')}")
            is_whole = start + count * size == pairs
            program.store(y, at, finished(at, total) if is_whole else total)
