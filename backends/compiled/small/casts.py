"""Casts to floats."""

from ....compiler.graph.ir import Node
from ..formulas import DTYPES
from .program import NotWritten, Program
from .registry import writer


@writer("Cast")
def cast(program: Program, node: Node) -> None:
    """Make a float."""
    x, y = node.first_input, node.output()
    if x.dtype == y.dtype:
        program.view(y, x)
        return
    if y.dtype not in DTYPES:
        raise NotWritten(node.label)
    program.compute(x)
    program.define(y)
    with program.elementwise(x) as at:
        program.store(y, at, f"number({program.element(x, at)})")
