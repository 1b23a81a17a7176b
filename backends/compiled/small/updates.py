"""Update rules of optimizers; operations and their order are those of the kernels."""

from ....compiler.graph.ir import Node
from ....compiler.standard.schemas import attribute
from ..formulas import literal
from .program import NotWritten, Program
from .registry import composite_writer


@composite_writer("SgdUpdate")
def sgd_update(program: Program, node: Node) -> None:
    """w − η·v and, with momentum, v = μ·v + dw + λ·w"""
    w, dw, rate = node.required(3)
    v = node.input(3)
    decay, momentum = (literal(attribute(node, a)) for a in ("weight_decay", "momentum"))
    _define(program, node)
    with program.elementwise(*(x for x in (w, dw, v) if x is not None)) as at:
        w_, change, rate_ = program.named(w, at), program.named(dw, at), program.scalar(rate)
        if attribute(node, "weight_decay"):
            change = program.name(f"{change} + {w_} * {decay}")
        if v is not None:
            speed = program.name(f"{program.named(v, at)} * {momentum} + {change}")
            program.store(node.output(1), at, speed)
            change = f"({change} + {speed} * {momentum})" if attribute(node, "nesterov") else speed
        program.store(node.output(), at, f"{w_} - {rate_} * {change}")


@composite_writer("AdamUpdate")
def adam_update(program: Program, node: Node) -> None:
    """φ·w − η·m / (√v + ε), m = β₁·m + (1 − β₁)·dw and v = β₂·v + (1 − β₂)·dw²"""
    w, dw, m, v, rate, least = node.required(6)
    factor = node.input(6)
    b1, b2 = attribute(node, "b1"), attribute(node, "b2")
    _define(program, node)
    with program.elementwise(w, dw, m, v) as at:
        w_, dw_, m_, v_ = (program.named(x, at) for x in (w, dw, m, v))
        mean = program.name(f"{m_} * {literal(b1)} + {dw_} * {literal(1 - b1)}")
        square = program.name(f"{v_} * {literal(b2)} + {dw_} * {dw_} * {literal(1 - b2)}")
        change = f"{mean} * {program.scalar(rate)} / (sqrt({square}) + {program.scalar(least)})"
        kept = w_ if factor is None else f"{w_} * {program.scalar(factor)}"
        program.store(node.output(), at, f"{kept} - {change}")
        program.store(node.output(1), at, mean)
        program.store(node.output(2), at, square)


def _define(program: Program, node: Node) -> None:
    if None in node.outputs:
        raise NotWritten(node.label)
    for value in node.writes():
        program.define(value)
