"""Casts to floats and booleans, and of integers to longer ones."""

from ....compiler.graph.ir import Node
from .program import NotWritten, Program
from .registry import writer

_TEXTS = {
    "float32": "number({})",
    "float64": "number({})",
    "bool": "{} != 0",
    "int64": "int64({})",
}


@writer("Cast")
def cast(program: Program, node: Node) -> None:
    """Convert; what a float becomes as an integer is left to the kernels."""
    x, y = node.first_input, node.output()
    if x.dtype == y.dtype:
        program.view(y, x)
        return
    if y.dtype.name not in _TEXTS or (x.dtype.kind == "f" and y.dtype.kind == "i"):
        raise NotWritten(node.label)
    program.compute(x)
    program.define(y)
    with program.elementwise(x) as at:
        program.store(y, at, _TEXTS[y.dtype.name].format(program.element(x, at)))
