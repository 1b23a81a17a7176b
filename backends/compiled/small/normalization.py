"""Normalizations over the last axes."""

from math import prod

from ....compiler.graph.ir import Node
from ....compiler.standard.schemas import attribute
from ..formulas import literal
from .program import Program
from .registry import composite_writer, writer


@writer("LayerNormalization")
def layer_normalization(program: Program, node: Node) -> None:
    """Standardize over the axes from `axis` on, then scale and shift."""
    x, scale = node.required(2)
    bias, shape = node.input(2), program.shape(x)
    _prepare(program, node)
    axis = attribute(node, "axis") % len(shape)
    count = literal(prod(shape[axis:]))
    with program.loops(shape[:axis]) as outer:
        mean, square = program.total(), program.total()
        with program.loops(shape[axis:]) as inner:
            program.line(f"{mean} += {program.named(x, (*outer, *inner))}")
        mean = program.name(f"number({mean} / {count})")
        with program.loops(shape[axis:]) as inner:
            rest = program.name(f"{program.named(x, (*outer, *inner))} - {mean}")
            program.line(f"{square} += {rest} * {rest}")
        epsilon = literal(attribute(node, "epsilon"))
        deviation = program.name(f"sqrt(number({square} / {count}) + {epsilon})")
        with program.loops(shape[axis:]) as inner:
            at = (*outer, *inner)
            factor = program.named(scale, program.broadcast(at, shape, scale))
            text = f"({program.named(x, at)} - {mean}) / {deviation} * {factor}"
            if bias is not None:
                text += f" + {program.named(bias, program.broadcast(at, shape, bias))}"
            program.store(node.output(), at, text)
        statistics = (mean, f"number(1) / {deviation}")
        for value, text in zip(node.outputs[1:], statistics, strict=False):
            if value is not None:
                program.store(value, (*outer, *["0"] * (len(shape) - axis)), text)


@composite_writer("LayerNormalizationGrad")
def layer_normalization_grad(program: Program, node: Node) -> None:
    """dx = inverse·(g - mean(g) - n·mean(g·n)) and Σ dy·n, g being dy·scale"""
    dy, x, scale, mean, inverse = node.required(5)
    dx, dscale = (*node.outputs, None)[:2]
    shape = program.shape(x)
    _prepare(program, node)
    if dscale is not None:
        with program.elementwise(dscale) as place:
            program.store(dscale, place, "number(0)")
    axis = attribute(node, "axis") % len(shape)
    count = literal(prod(shape[axis:]))
    with program.loops(shape[:axis]) as outer:
        row = (*outer, *["0"] * (len(shape) - axis))
        mean_, inverse_ = program.named(mean, row), program.named(inverse, row)
        first, second = program.total(), program.total()
        with program.loops(shape[axis:]) as inner:
            at = (*outer, *inner)
            normal = program.name(f"({program.named(x, at)} - {mean_}) * {inverse_}")
            factor = program.named(scale, program.broadcast(at, shape, scale))
            g = program.name(f"{program.named(dy, at)} * {factor}")
            program.line(f"{first} += {g}")
            program.line(f"{second} += {g} * {normal}")
            if dscale is not None:
                here = program.broadcast(at, shape, dscale)
                sum_ = program.element(dscale, here)
                program.store(dscale, here, f"{sum_} + {program.named(dy, at)} * {normal}")
        first, second = (program.name(f"number({total} / {count})") for total in (first, second))
        if dx is None:
            return
        with program.loops(shape[axis:]) as inner:
            at = (*outer, *inner)
            normal = program.name(f"({program.named(x, at)} - {mean_}) * {inverse_}")
            factor = program.named(scale, program.broadcast(at, shape, scale))
            g = program.name(f"{program.named(dy, at)} * {factor}")
            program.store(dx, at, f"({g} - {first} - {normal} * {second}) * {inverse_}")


@writer("RMSNormalization")
def rms_normalization(program: Program, node: Node) -> None:
    """Divide by the root mean square over the axes from `axis` on, then scale."""
    x, scale = node.required(2)
    shape = program.shape(x)
    _prepare(program, node)
    axis = attribute(node, "axis") % len(shape)
    with program.loops(shape[:axis]) as outer:
        square, count = program.total(), literal(prod(shape[axis:]))
        with program.loops(shape[axis:]) as inner:
            x_ = program.named(x, (*outer, *inner))
            program.line(f"{square} += {x_} * {x_}")
        epsilon = literal(attribute(node, "epsilon"))
        root = program.name(f"sqrt(number({square} / {count}) + {epsilon})")
        with program.loops(shape[axis:]) as inner:
            at = (*outer, *inner)
            factor = program.named(scale, program.broadcast(at, shape, scale))
            program.store(node.output(), at, f"{program.named(x, at)} / {root} * {factor}")


def _prepare(program: Program, node: Node) -> None:
    for value in node.reads():
        program.compute(value)
    for value in node.writes():
        program.define(value)
