"""A function over small arrays in the making: its lines, and where the elements of values are.

Every value is in one of four forms. An expression: a number, or a variable that holds one. A
buffer: its elements lie row by row in an array, from a position on. Moved: they are those of
another value at other indices, and lie nowhere. Put off: a formula of the elements of other values,
which is written where they are read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import numpy as np

from ....compiler.graph.ir import Graph, Node, Value
from ....compiler.graph.types import is_static
from ..formulas import DTYPES, dtype_of, literal
from .dtypes import ELEMENTS, FUNCTIONS, formula_of, of_dtype

Index = tuple[str, ...] | str
"""An expression for each axis, "0" along those of size 1; or one for the place, row by row."""

_MOST_LINES, _LENGTH = 300, 64
"""More than numba compiles in about three seconds; a long line counts for several."""

_DEEPEST, _MOST_LOOPS = 8, 20
"""Formulas or moves, and loops within each other: Python reads only so many brackets and blocks."""


class NotWritten(Exception):
    """A graph holds what nothing here writes: it runs node by node."""


@dataclass(frozen=True)
class Buffer:
    """Elements that lie row by row in an array, from a position on."""

    array: str
    start: int


@dataclass(frozen=True)
class Moved:
    """The elements of another value: `to` gives their indices."""

    source: Value
    to: Callable[[tuple[str, ...]], tuple[str, ...]]
    depth: int


@dataclass(frozen=True)
class PutOff:
    """What the formula of a node gives."""

    node: Node
    depth: int


Place = str | Buffer | Moved | PutOff


class Program:
    """A function of a graph's inputs, of arrays for its outputs, and of constants by dtype."""

    def __init__(self, graph: Graph) -> None:
        """Place the inputs; nothing is written yet."""
        self.graph = graph
        self._dtype: np.dtype | None = None
        self._left = _MOST_LINES - len(graph.inputs) - len(graph.outputs)
        self.constants: dict[str, list[np.ndarray]] = {}
        self._places: dict[Value, Place] = {}
        self._lines: list[str] = []
        self._depth = 1
        self._variables = 0
        self._scratch: dict[str, int] = {}
        self._outputs: dict[Value, str] = {}
        self._named: list[dict[tuple[Value, Index], str]] = [{}]
        for k, value in enumerate(graph.outputs):
            self._outputs.setdefault(value, f"y{k}")
        for k, value in enumerate(graph.inputs):
            self._places[value] = Buffer(f"x{k}", 0)

    # Lines

    def begin(self, node: Node) -> None:
        """Let functions and numbers in what follows be of the dtype of a node's floats.

        Without floats none may follow: as floats, integers would lose their last digits.

        Raises:
            NotWritten: they have several, or another value has a dtype that nothing here takes.
        """
        read, written = ({dtype_of(v) for v in values} for values in (node.reads(), node.writes()))
        if not read | written <= ELEMENTS or node.subgraphs:
            raise NotWritten(node.label)
        floats = [d for d in DTYPES if d in (written if node.op_type == "Cast" else read | written)]
        if len(floats) > 1:
            raise NotWritten(node.label)
        self._dtype = floats[0] if floats else None

    def line(self, text: str) -> None:
        """Write a line.

        Raises:
            NotWritten: there are too many already, or it computes integers as if they were floats.
        """
        self._left -= 1 + len(text) // _LENGTH
        if self._left < 0 or (self._dtype is None and FUNCTIONS.search(text)):
            raise NotWritten(self.graph.name)
        self._lines.append(" " * self._depth + of_dtype(text, self._dtype))

    def name(self, text: str) -> str:
        """Give a variable that holds an expression."""
        self._variables += 1
        self.line(f"v{self._variables} = {text}")
        return f"v{self._variables}"

    def total(self) -> str:
        """Name a sum to be made: of float64, as each addition rounds to what all others made."""
        return self.name("0.0")

    @contextmanager
    def loops(self, sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
        """Write loops around what follows, and give their indices.

        Raises:
            NotWritten: there are too many already.
        """
        depth, index = self._depth, []
        if depth + sum(size != 1 for size in sizes) > _MOST_LOOPS:
            raise NotWritten(self.graph.name)
        for size in sizes:
            if size == 1:
                index.append("0")
                continue
            self._variables += 1
            index.append(f"i{self._variables}")
            self.line(f"for {index[-1]} in range({size}):")
            self._depth += 1
        self._named.append({})
        yield tuple(index)
        self._named.pop()
        self._depth = depth

    # Values

    def shape(self, value: Value) -> tuple[int, ...]:
        """Give a shape in numbers."""
        shape = value.shape
        if not is_static(shape):
            raise NotWritten(value.name)
        return shape

    def size(self, value: Value) -> int:
        """Give the number of elements."""
        return prod(self.shape(value))

    def known(self, node: Node, index: int) -> np.ndarray | None:
        """Give what an input always is, None where it is omitted."""
        value = node.input(index)
        if value is None:
            return None
        if value.constant is None or value in self.graph.inputs:
            raise NotWritten(node.label)
        return value.constant

    def element(self, value: Value, index: Index) -> str:
        """Give an expression of an element."""
        place = self._place(value)
        if isinstance(place, str):
            return place
        if isinstance(place, Buffer):
            return f"{place.array}[{self._position(place, value, index)}]"
        if isinstance(place, Moved):
            assert isinstance(index, tuple)
            return self.element(place.source, place.to(index))
        return self._formula(place.node, index)

    def scalar(self, value: Value) -> str:
        """Name the only element of a value, of whatever rank."""
        return self.named(value, ("0",) * len(self.shape(value)))

    def broadcast(self, index: Index, shape: Sequence[int], value: Value) -> Index:
        """Give the index of a value that is broadcast to a shape, at an index of that."""
        own = self.shape(value)
        if isinstance(index, str):
            return index if prod(own) == prod(shape) else "0"
        return aligned(index, own)

    def lies_flat(self, value: Value, shape: Sequence[int]) -> bool:
        """Tell whether a value, broadcast to a shape, may be read by places row by row."""
        place = self._place(value)
        own = self.shape(value)
        if isinstance(place, PutOff):
            return own == tuple(shape) and all(self.lies_flat(v, own) for v in place.node.reads())
        if isinstance(place, Buffer):
            return own == tuple(shape) or prod(own) == 1
        return isinstance(place, str)

    def put_off(self, node: Node) -> None:
        """Let the formula of a node stand where its elements are read, or compute it now.

        Raises:
            NotWritten: there is no formula.
        """
        value = node.output()
        if formula_of(node, ["x" for _ in node.reads()]) is None:
            raise NotWritten(node.label)
        for read in node.reads():
            if self.size(read) < self.size(value):
                self.compute(read)  # once, not for each element that it is read for
        self._places[value] = PutOff(node, 1 + max(map(self._depth_of, node.reads()), default=0))
        if len(self.graph.consumers(value)) != 1 or value in self._outputs:
            self.compute(value)

    def move(self, value: Value, source: Value, to: Callable[..., tuple[str, ...]]) -> None:
        """Let a value have the elements of another one, at the indices that `to` gives."""
        self.compute(source)
        depth, place = self._depth_of(source), self._place(source)
        self._places[value] = place if isinstance(place, str) else Moved(source, to, depth + 1)

    def view(self, value: Value, source: Value) -> None:
        """Let a value have the elements of another one in the same order."""
        self.lay_out(source)
        self._places[value] = self._place(source)

    def compute(self, value: Value) -> None:
        """Compute what was put off: its elements are read more than once, or in another order."""
        if isinstance(self._place(value), PutOff):
            self.lay_out(value)

    def lay_out(self, value: Value) -> None:
        """Bring the elements into a row."""
        if isinstance(self._place(value), str | Buffer):
            return
        with self.elementwise(value) as index:
            text = self.element(value, index)
            self.define(value)
            self.store(value, index, text)

    @contextmanager
    def elementwise(self, *values: Value) -> Iterator[Index]:
        """Write loops over the elements of values of one shape, or of a single element."""
        shape = max(map(self.shape, values), key=prod)
        if all(self.lies_flat(v, shape) for v in values):
            with self.loops([prod(shape)]) as (index,):
                yield index
        else:
            with self.loops(shape) as indices:
                yield indices

    def define(self, value: Value) -> None:
        """Give a value a place of its own, to store into."""
        size, dtype = self.size(value), value.dtype
        if value in self._outputs:
            self._places[value] = Buffer(self._outputs[value], 0)
        elif size == 1:
            self._variables += 1
            self._places[value] = f"v{self._variables}"
        else:
            start = self._scratch.get(dtype.name, 0)
            self._places[value] = Buffer(f"s_{dtype.name}", start)
            self._scratch[dtype.name] = start + size

    def store(self, value: Value, index: Index, text: str) -> None:
        """Write an element of a value that is defined."""
        self.line(f"{self.element(value, index)} = {text}")

    def _depth_of(self, value: Value) -> int:
        """Give the depth of what a value is made of where it is read; the deepest is laid out."""
        place = self._place(value)
        depth = place.depth if isinstance(place, Moved | PutOff) else 0
        if depth < _DEEPEST:
            return depth
        self.lay_out(value)
        return 0

    def _place(self, value: Value) -> Place:
        if value not in self._places:
            self._places[value] = self._constant(value)
        return self._places[value]

    def _constant(self, value: Value) -> Place:
        array = value.constant
        assert array is not None
        if array.size == 1 and array.dtype in DTYPES:
            return of_dtype(literal(array.item()), array.dtype)
        if array.size == 1 and array.item() != -(2**63):  # which numba takes for a uint64
            return repr(array.item())
        held = self.constants.setdefault(array.dtype.name, [])
        start = sum(a.size for a in held)
        held.append(array.reshape(-1))
        return Buffer(f"c_{array.dtype.name}", start)

    def _position(self, place: Buffer, value: Value, index: Index) -> str:
        if isinstance(index, tuple):
            index = row_by_row(self.shape(value), index)
        if not place.start:
            return index
        return str(place.start) if index == "0" else f"{place.start} + {index}"

    def _formula(self, node: Node, index: Index) -> str:
        value = node.output()
        names = []
        for read in node.reads():
            names.append(self.named(read, self.broadcast(index, self.shape(value), read)))
        text, floats = formula_of(node, names), [dtype_of(v) for v in (value, *node.reads())]
        assert text is not None
        return next((of_dtype(text, d) for d in floats if d in DTYPES), text)

    def named(self, value: Value, index: Index) -> str:
        """Give a variable that holds an element; it is read once."""
        place = self._place(value)
        if isinstance(place, str):
            return place
        for known in self._named:
            if (value, index) in known:
                return known[value, index]
        self._named[-1][value, index] = name = self.name(self.element(value, index))
        return name

    # The whole

    def finish(self) -> str:
        """Give the source: a function that gives 0, or 1 where it leaves numbers to the kernels."""
        for k, value in enumerate(self.graph.outputs):
            if self._place(value) != Buffer(f"y{k}", 0):
                with self.elementwise(value) as index:
                    at = Buffer(f"y{k}", 0)
                    text = self.element(value, index)
                    self.line(f"{at.array}[{self._position(at, value, index)}] = {text}")
        ends = {"x": list(self.graph.inputs), "y": list(self.graph.outputs)}
        sizes = {f"{c}{k}": self.size(v) for c, vs in ends.items() for k, v in enumerate(vs)}
        arguments = [f"_{name}" for name in sizes] + [f"c_{name}" for name in self.constants]
        rows = [f" {name} = _{name}.reshape({size})" for name, size in sizes.items()]
        rows += [f" s_{name} = empty({size}, {name})" for name, size in self._scratch.items()]
        return "\n".join([f"def run({', '.join(arguments)}):", *rows, *self._lines, " return 0"])


def aligned(index: tuple[str, ...], shape: Sequence[int]) -> tuple[str, ...]:
    """Give the index of what is broadcast: along its own axes, which are the last."""
    last = index[len(index) - len(shape) :]
    return tuple("0" if n == 1 else i for n, i in zip(shape, last, strict=True))


def row_by_row(shape: Sequence[int], index: Sequence[str]) -> str:
    """Give the place of an element among all, row by row."""
    terms, stride = [], 1
    for size, at in zip(shape[::-1], index[::-1], strict=True):
        if at != "0":
            terms.append(at if stride == 1 else f"{stride} * ({at})")
        stride *= size
    return " + ".join(terms) or "0"
