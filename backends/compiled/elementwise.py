"""Chains of elementwise operators as one pass over memory.

A node `Elementwise` holds the lines of a function of its inputs' elements. It stands only in
graphs that the backend has prepared.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype

from ...compiler.graph.ir import Graph, Node, Value
from ...compiler.graph.subgraphs import run_on_subgraphs
from ...compiler.graph.types import is_static
from ...compiler.opset import COMPOSITE_DOMAIN
from ..kernels.blocks import flattened
from ..kernels.registry import Array, Kernel, KernelEntry
from ..kernels.threads import PART_BYTES, in_parts
from .formulas import DTYPES, dtype_of, expression, number_of
from .loops import loop, read, written
from .registry import COMPILED
from .scalars import SCALARS

OPERATOR = "Elementwise"

_VECTORIZED = {
    "float32": {"number", "abs", "exp", "tanh", "erf", "gaussian_cdf", "sqrt", "larger", "smaller"},
    "float64": {"number", "abs", "sqrt", "larger", "smaller"},
}
"""What LLVM computes for many numbers at once; the rest NumPy does faster."""

_ONE_PASS = {
    "Abs", "Add", "Div", "Exp", "Identity", "Mul", "Neg", "Reciprocal", "Relu", "Sqrt", "Sub",
}  # fmt: skip
"""Operators that NumPy computes in one pass: by itself none of them gains."""

_LEAST = 1 << 16
"""Elements from which passes over memory cost more than the calls."""

_FASTER_ALONE = {"Tanh"}
"""NumPy's is four times as fast as a loop of ours."""

_MOST_NODES, _MOST_INPUTS = 32, 16


class Chain(NamedTuple):
    """The inputs of a chain, and the lines of a function of their elements a0, a1, …

    Numbers that are known are its arguments n0, n1, …: chains that differ in them alone are one.
    """

    inputs: tuple[Value, ...]
    lines: str
    numbers: tuple[float, ...]


def fuse_elementwise(graph: Graph) -> bool:
    """Let one node do the work of each chain of elementwise operators of one shape."""
    changed = run_on_subgraphs(fuse_elementwise, graph)
    nodes = graph.nodes()
    order = {node: k for k, node in enumerate(nodes)}
    done: set[Node] = set()
    for node in reversed(nodes):
        if node in done:
            continue
        found, chain = _chain_to(graph, node, order)
        done.update(found)
        if chain is not None and (len(found) > 1 or node.operator not in _ONE_PASS):
            _replace(graph, found, chain)
            changed = True
    return changed


def _chain_to(
    graph: Graph, last: Node, order: Mapping[Node, int]
) -> tuple[list[Node], Chain | None]:
    """Find the nodes, in order, whose values nothing reads but what ends in the last one."""
    if not _may_end(last) or (chain := _write([last])) is None:
        return [], None
    found, waiting = [last], [last]
    while waiting:
        for value in dict.fromkeys(waiting.pop().reads()):
            node = graph.producer(value)
            if node is None or node in found or value in graph.outputs:
                continue
            if not all(reader in found for reader in graph.consumers(value)):
                continue
            longer = sorted([*found, node], key=order.__getitem__)
            if len(longer) <= _MOST_NODES and (written := _write(longer)) is not None:
                found, chain = longer, written
                waiting.append(node)
    return found, chain


def _may_end(node: Node) -> bool:
    """Tell whether a node gives many floats, of a known shape."""
    if len(node.outputs) != 1 or node.outputs[0] is None or dtype_of(node.output()) not in DTYPES:
        return False
    shape = node.output().shape
    return shape is not None and not (is_static(shape) and prod(map(int, shape)) < _LEAST)


def _write(nodes: Sequence[Node]) -> Chain | None:
    """Write nodes, in order, as a function of their inputs' elements; None where that cannot be.

    Every array has the shape of the last one's and its dtype, or holds booleans.
    """
    result = nodes[-1].output()
    assert result.shape is not None
    names: dict[Value, str] = {}
    inputs: list[Value] = []
    lines: list[str] = []
    numbers: list[float] = []
    for node in nodes:
        for value in node.reads():
            if value in names:
                continue
            number = number_of(value)
            if number is not None and len(value.shape or ()) <= len(result.shape):
                names[value] = f"n{len(numbers)}"
                numbers.append(number)
            elif dtype_of(value) not in (result.dtype, np.bool_):
                return None
            elif value.shape == result.shape:
                names[value] = f"a{len(inputs)}"
                inputs.append(value)
            else:
                return None
        text = expression(node, [names[v] for v in node.reads()])
        if text is None or node.operator in _FASTER_ALONE or not _is_vectorized(text, result.dtype):
            return None
        value = node.output()
        if value.shape != result.shape:
            return None
        names[value] = f"v{len(lines)}"
        lines.append(f"{names[value]} = {text}")
    if len(inputs) > _MOST_INPUTS or all(v.dtype == np.bool_ for v in inputs):
        return None
    text = "\n".join([*lines, f"return {names[result]}"])
    return Chain(tuple(inputs), text, tuple(numbers))


def _is_vectorized(text: str, dtype: np.dtype) -> bool:
    return {*re.findall(r"([a-z]\w*)\(", text)} <= _VECTORIZED[dtype.name]


def _replace(graph: Graph, nodes: Sequence[Node], chain: Chain) -> None:
    """Put a node in the place of a chain."""
    last = nodes[-1]
    result = last.output()
    output = Value(graph.names.fresh(result.name), result.type)
    graph.add_node(
        Node(
            OPERATOR,
            chain.inputs,
            (output,),
            {"lines": chain.lines, "numbers": chain.numbers},
            COMPOSITE_DOMAIN,
            last.title,
            last.position,
            last.module,
        )
    )
    graph.redirect(output, result)
    for node in reversed(nodes):
        graph.remove(node)


@cache
def _compile(lines: str, count: int, dtypes: tuple[str, ...]) -> Kernel:
    """Compile a chain of so many numbers, and of inputs of these dtypes.

    It becomes loop(*numbers, out, *inputs) over vectors without gaps.
    """
    dtype = _float_of(dtypes)
    numbers = "".join(f"n{k}, " for k in range(count))
    names = ", ".join(f"x{k}" for k in range(len(dtypes)))
    elements = [f"a{k} = x{k}[i]" for k in range(len(dtypes))]
    *steps, last = lines.split("\n")
    body = "\n  ".join([*elements, *steps, last.replace("return", "out[i] =")])
    source = f"def loop({numbers}out, {names}):\n for i in range(out.size):\n  {body}"
    namespace = dict(SCALARS[dtype])
    exec(compile(source, "<chain>", "exec"), namespace)
    floats = [from_dtype(np.dtype(dtype))] * count
    return loop(namespace["loop"], *floats, written(dtype, 1), *(read(d, 1) for d in dtypes))


def _float_of(dtypes: Sequence[str]) -> str:
    return next(d for d in dtypes if d != "bool")


def _run(work: Kernel, first: int, *inputs: Array) -> Array:
    """Run a loop on arrays of one shape; the result has dtype and layout of the `first` one.

    Types promise one shape, but in a body that runs several times they may not hold.
    """
    if any([a.shape != inputs[0].shape for a in inputs]):
        inputs = np.broadcast_arrays(*inputs)  # the loop would read beyond their ends
    y = np.empty_like(inputs[first])
    if all([a.flags.c_contiguous for a in inputs]):
        flat = [a.reshape(-1) for a in (y, *inputs)]
    else:
        flat = flattened(np, y, *inputs)
    if y.nbytes < PART_BYTES:
        work(*flat)
        return y

    def part(start: int, stop: int) -> None:
        work(*(a[start:stop] for a in flat))

    in_parts(np, part, y.size, y.nbytes)
    return y


def _kernel(xp: Any, *inputs: Array, lines: str, numbers: tuple[float, ...]) -> Array:
    return _chain(tuple(a.dtype.name for a in inputs), lines, numbers)(*inputs)


def _bind(xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]) -> Kernel:
    return _chain(tuple(v.dtype.name for v in node.given()), **attributes)


def _chain(dtypes: tuple[str, ...], lines: str, numbers: tuple[float, ...]) -> Kernel:
    work = partial(_compile(lines, len(numbers), dtypes), *numbers)
    return partial(_run, work, dtypes.index(_float_of(dtypes)))


COMPILED[COMPOSITE_DOMAIN, OPERATOR] = KernelEntry(_kernel, takes_outputs=False, bind=_bind)
