"""Which graphs are small, and the compiled function of each."""

import re
from collections.abc import Callable
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np
from numba import from_dtype, njit, types

from ....compiler.graph.ir import Graph, Node, Value
from ....compiler.graph.types import TensorType, is_static
from ....compiler.passes.operator_costs import elements_in, flops_of
from ...kernels.registry import KERNELS
from ..formulas import FORMULAS
from .dtypes import namespace
from .program import NotWritten, Program
from .registry import WRITERS

_MOST_ELEMENTS = 4096
"""Of an array; from there on passes over memory cost more than the calls."""

_MOST_ARITHMETIC = 8192
"""For each node, on the average: where there is more, BLAS makes up for more calls."""

_NUMBER = re.compile(r"number_\w+\((?:-?\d[\d.e+-]*|-?inf|nan)\)")
"""What is made once, as numba takes long to compile calls."""


class SmallFunction(NamedTuple):
    """A compiled function of arrays for a graph's inputs, then for its outputs, then of constants.

    It gives 0, or 1 where it found numbers that it leaves to the kernels.
    """

    call: Callable[..., int]
    constants: list[np.ndarray]


def compile_small(graph: Graph) -> SmallFunction | None:
    """Compile a prepared graph; None where it is not small, or holds what has no writer."""
    nodes = [n for n in graph.nodes() if any(v.constant is None for v in n.writes())]
    if not _is_small(graph, nodes):
        return None
    try:
        program = Program(graph)
        for node in nodes:
            _write(program, node)
        source = program.finish()
    except NotWritten:
        return None
    ends = [(v.dtype.name, len(program.shape(v))) for v in (*graph.inputs, *graph.outputs)]
    held = [(name, 1) for name in program.constants]
    constants = [np.concatenate(arrays) for arrays in program.constants.values()]
    return SmallFunction(_compile(source, (*ends, *held)), constants)


def _is_small(graph: Graph, nodes: list[Node]) -> bool:
    if not all(map(_is_small_tensor, graph.values())) or not nodes:
        return False
    if len(set(graph.outputs)) < len(graph.outputs):
        return False
    return sum(map(_arithmetic, nodes)) <= _MOST_ARITHMETIC * len(nodes)


def _arithmetic(node: Node) -> float:
    """Estimate what a node does; a function such as exp takes about as long as 8 products."""
    if node.op_type in ("Einsum", "Gemm", "MatMul"):
        return flops_of(node)
    return 8 * max(map(elements_in, (*node.reads(), *node.writes())), default=0)


def _is_small_tensor(value: Value) -> bool:
    shape = value.type.shape if isinstance(value.type, TensorType) else None
    return is_static(shape) and prod(shape) <= _MOST_ELEMENTS


def _write(program: Program, node: Node) -> None:
    program.begin(node)
    key = node.domain, node.op_type
    entry = KERNELS.get(key)
    if entry is None or not entry.ours:
        raise NotWritten(node.label)
    if key in WRITERS:
        WRITERS[key](program, node)
    elif key in FORMULAS:
        program.put_off(node)
    else:
        raise NotWritten(node.label)


@cache
def _compile(source: str, arguments: tuple[tuple[str, int], ...]) -> Callable[..., int]:
    """Compile a function of arrays of these dtypes and ranks."""
    numbers: dict[str, str] = {}
    source = _NUMBER.sub(lambda found: numbers.setdefault(found[0], f"n{len(numbers)}"), source)
    names = namespace()
    names |= {name: eval(text, names) for text, name in numbers.items()}
    exec(compile(source, "<small>", "exec"), names)
    arrays = [types.Array(from_dtype(np.dtype(d)), rank, "C") for d, rank in arguments]
    decorate = njit(types.int64(*arrays), nogil=True, error_model="numpy")
    function: Callable[..., int] = decorate(names["run"])
    return function
