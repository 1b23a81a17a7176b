"""A program made into graphs, each made once however many laws read it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

import onnxgrad as og

from .builder_road import build
from .evaluation import dtype_of
from .file_road import write
from .program import INPUT, PARAMETER, Array, Leaf, Program

Feeds = dict[str, Array]

FLOATS = ("float64", "float32", "float16", "bfloat16")


class Case:
    """A program, its graph and what it is fed.

    Attributes:
        stage: is told before what may end the process.
        stock: whether onnxruntime is to run files by itself, too.
        refusal: what a law noted, to go on with what is not refused.
    """

    def __init__(
        self,
        program: Program,
        stage: Callable[[str], None] = lambda text: None,
        stock: bool = True,
    ) -> None:
        self.program = program
        self.stage = stage
        self.stock = stock
        self.refusal: og.OnnxgradError | None = None

    @cached_property
    def by_file(self) -> bool:
        """Tell whether the graph comes from a file rather than from a Builder."""
        return bool(self.program.generator(1).random() < 0.35)

    @cached_property
    def graph(self) -> og.Graph:
        """The graph."""
        if self.by_file:
            return og.load(write(self.program))
        return build(self.program)

    @cached_property
    def run(self) -> Callable[[Feeds], dict[str, Any]]:
        """The graph on NumPy."""
        return og.compile(self.graph).run

    def feeds(self, world: int) -> Feeds:
        """Give what the graph is fed in one world."""
        return {self.program.name(f.number): f.array(world).copy() for f in self.program.inputs()}

    def rng(self, salt: int) -> np.random.Generator:
        """Give random numbers of this program's own."""
        return self.program.generator(2, salt)

    @cached_property
    def sources(self) -> list[Leaf]:
        """Inputs and parameters that are floats: what derivatives are taken by."""
        return [
            leaf
            for leaf in self.program.block.leaves
            if leaf.role in (INPUT, PARAMETER) and self.is_float(leaf.number)
        ]

    @cached_property
    def targets(self) -> list[int]:
        """Which outputs are floats, and no inputs: what derivatives are taken of."""
        leaves = {leaf.number for leaf in self.program.block.leaves}
        outputs = self.program.block.outputs
        return [k for k, n in enumerate(outputs) if n not in leaves and self.is_float(n)]

    def is_float(self, number: int) -> bool:
        """Tell whether a value is a float."""
        return self.program.dtypes[number] in FLOATS

    def typed(self, number: int, array: Array) -> Array:
        """Give an array in a value's element type."""
        return array.astype(dtype_of(self.program.dtypes[number]))
