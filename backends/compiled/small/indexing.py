"""What reads and writes by index; an index that is out of range is left to the kernels."""

from collections.abc import Callable

import numpy as np

from ....compiler.graph.ir import Node, Value
from ....compiler.graph.types import TensorType
from ....compiler.standard.schemas import attribute
from .program import Program
from .registry import composite_writer, writer

At = tuple[str, ...]


@writer("Gather")
def gather(program: Program, node: Node) -> None:
    """Take slices along an axis."""
    x, indices = node.required(2)
    axis = attribute(node, "axis") % len(program.shape(x))
    program.move(node.output(), x, _row(program, indices, axis, program.shape(x)[axis]))


@composite_writer("GatherGrad")
def gather_grad(program: Program, node: Node) -> None:
    """Add slices into zeros."""
    dy, indices = node.required(2)
    program.known(node, 2)
    program.compute(dy)
    dx = node.output()
    axis = attribute(node, "axis") % len(program.shape(dx))
    row = _row(program, indices, axis, program.shape(dx)[axis])
    program.define(dx)
    with program.elementwise(dx) as at:
        program.store(dx, at, "number(0)")
    with program.loops(program.shape(dy)) as at:
        here = row(at)
        program.store(dx, here, f"{program.element(dx, here)} + {program.element(dy, at)}")


def _row(program: Program, indices: Value, axis: int, size: int) -> Callable[[At], At]:
    """Write what counts indices from the front; give what brings an index of slices to rows."""
    shape = program.shape(indices)
    rows = Value("rows", TensorType(np.dtype(np.int64), shape))
    program.define(rows)
    with program.loops(shape) as at:
        index = program.named(indices, at)
        program.line(f"if {index} < -{size} or {index} >= {size}: return 1")
        program.store(rows, at, f"{index} + {size} if {index} < 0 else {index}")

    def to(at: At) -> At:
        end = axis + len(shape)
        return (*at[:axis], program.element(rows, at[axis:end]), *at[end:])

    return to
