"""A graph before it is one: leaves, calls and bodies, as plain data that a shrinker can take apart.

Values go by numbers, unique over the whole program, so that a body reads any value from outside.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Array = np.ndarray

Dim = int | str

Shape = tuple[Dim, ...] | None | str
"""A declared shape: None where even the rank is left open, SAME where it is that outside."""

SAME = "="

INPUT, PARAMETER, CONSTANT = "input", "parameter", "constant"


@dataclass(frozen=True)
class Leaf:
    """A value that is given: an input, a parameter or a constant.

    Attributes:
        arrays: what it is in each world; parameters and constants are the same in all.
        shape: the declared shape; None where even the rank is left open.
    """

    number: int
    role: str
    arrays: tuple[Array, ...]
    shape: tuple[Dim, ...] | None

    def array(self, world: int) -> Array:
        """Give what it is in one world."""
        return self.arrays[min(world, len(self.arrays) - 1)]


@dataclass(frozen=True)
class Call:
    """One call of an operator."""

    op: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    bodies: Mapping[str, "Block"] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """Leaves and calls in order: the whole program, or a body.

    Attributes:
        inputs: what a body is called with.
        shapes: the declared shape of each of `inputs`.
        outside: what each of `inputs` is at first: a value from outside, and the axis along which
            it is read entry by entry, if any; None for what the operator itself counts.
    """

    leaves: tuple[Leaf, ...]
    calls: tuple[Call, ...]
    outputs: tuple[int, ...]
    inputs: tuple[int, ...] = ()
    shapes: tuple[Shape, ...] = ()
    outside: tuple[tuple[int, int | None] | None, ...] = ()

    def numbers(self) -> Iterator[int]:
        """Yield the values that the block itself defines."""
        yield from self.inputs
        yield from (leaf.number for leaf in self.leaves)
        for call in self.calls:
            yield from call.outputs


@dataclass(frozen=True)
class Program:
    """A whole graph with what it is fed, in several worlds whose symbolic sizes differ.

    Attributes:
        seed: of everything that a law draws for it.
        dtypes: the element type of every value by its number.
        names: names of leaves and outputs by number, where they are not plain.
    """

    seed: int
    worlds: int
    block: Block
    dtypes: Mapping[int, str]
    names: Mapping[int, str] = field(default_factory=dict)

    def name(self, number: int) -> str:
        """Give the name of a leaf."""
        leaf = self.leaf(number)
        prefix = {INPUT: "x", PARAMETER: "w", CONSTANT: "c"}[leaf.role]
        return self.names.get(number, f"{prefix}{number}")

    def leaf(self, number: int) -> Leaf:
        """Give a leaf of the outermost block."""
        return next(leaf for leaf in self.block.leaves if leaf.number == number)

    def inputs(self) -> list[Leaf]:
        """List the leaves that are fed."""
        return [leaf for leaf in self.block.leaves if leaf.role == INPUT]

    def outputs(self) -> list[str]:
        """Name the outputs."""
        return [self.output(k) for k in range(len(self.block.outputs))]

    def output(self, index: int) -> str:
        """Name one output."""
        return self.names.get(-1 - index, f"y{index}")

    def generator(self, *salt: int) -> np.random.Generator:
        """Give the random numbers that belong to this program."""
        return np.random.default_rng([self.seed, *salt])


def every_block(block: Block) -> Iterator[Block]:
    """Yield a block and all bodies inside it."""
    yield block
    for call in block.calls:
        for body in call.bodies.values():
            yield from every_block(body)


def every_call(block: Block) -> Iterator[Call]:
    """Yield all calls of a block and of the bodies inside it."""
    for part in every_block(block):
        yield from part.calls


def reads(call: Call) -> Iterator[int]:
    """Yield what a call reads, its bodies' captures included."""
    yield from (number for number in call.inputs if number is not None)
    for body in call.bodies.values():
        own = set(body.numbers())
        read = [*body.outputs, *(n for inner in body.calls for n in reads(inner))]
        yield from (number for number in read if number not in own)


def is_sorted(block: Block, outer: frozenset[int] = frozenset()) -> bool:
    """Tell whether calls read only what stands before them, and give what their bodies give."""
    known = {*outer, *block.inputs, *(leaf.number for leaf in block.leaves)}
    for call in block.calls:
        if not known.issuperset(n for n in call.inputs if n is not None):
            return False
        for body in call.bodies.values():
            count = len(body.outputs) - (call.op == "Loop")
            if len(call.outputs) != count or not is_sorted(body, frozenset(known)):
                return False
        known.update(call.outputs)
    return known.issuperset(block.outputs)


def without_dead_code(block: Block) -> Block:
    """Leave out calls and leaves that nothing asked for needs; bodies included."""
    needed = set(block.outputs)
    calls: list[Call] = []
    for call in reversed(block.calls):
        if needed.isdisjoint(call.outputs):
            continue
        bodies = {name: without_dead_code(body) for name, body in call.bodies.items()}
        call = replace(call, bodies=bodies)
        needed.update(reads(call))
        calls.append(call)
    leaves = tuple(leaf for leaf in block.leaves if leaf.number in needed)
    return replace(block, leaves=leaves, calls=tuple(reversed(calls)))


def with_calls(block: Block, old: Call, new: tuple[Call, ...]) -> Block:
    """Put calls in place of one call, wherever it stands."""
    calls: list[Call] = []
    for call in block.calls:
        if call is old:
            calls.extend(new)
        elif call.bodies:
            bodies = {name: with_calls(body, old, new) for name, body in call.bodies.items()}
            calls.append(replace(call, bodies=bodies))
        else:
            calls.append(call)
    return replace(block, calls=tuple(calls))


def with_leaves(block: Block, old: Leaf, new: tuple[Leaf, ...]) -> Block:
    """Put leaves in place of one leaf, wherever it stands."""
    leaves = tuple(n for leaf in block.leaves for n in (new if leaf is old else (leaf,)))
    calls = []
    for call in block.calls:
        bodies = {name: with_leaves(body, old, new) for name, body in call.bodies.items()}
        calls.append(replace(call, bodies=bodies) if bodies else call)
    return replace(block, leaves=leaves, calls=tuple(calls))
