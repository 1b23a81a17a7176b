"""A batch in parts: from what is summed over the parts, what a value is for the whole batch."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from ..emission.accumulation import as_float32, cast_to
from ..emission.ops import Ops
from ..graph.dims import divide
from ..graph.ir import Graph, Node, Value, copy_node
from ..graph.types import TensorType
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from ..standard.traits import MEASURES
from .registry import Rows, Total

PREFIX = "whole/"
"""Prefix of what is emitted for the whole batch."""


class Part(Enum):
    """What a value is that is computed of a part of the batch and holds no examples."""

    ALIKE = "made of sizes that all parts have"
    SIZE = "made of the number of examples"
    TOTAL = "made of sums over examples"


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum over examples.

    Args:
        part: what a part of the batch gives, in at least float32 or in int64.
        whole: the input that takes the sum over all parts.
    """

    part: Value
    whole: Value


@dataclass
class Parted:
    """A graph of which a batch may be computed in parts.

    Args:
        graph: the graph.
        counted: an input whose first axis counts the examples; None if there is but one.
        symbol: the number of examples, as sizes name it.
        rows: of the values that hold examples, where.
        parts: the values that are computed of a part of the batch and hold no examples.
        sums: what is summed over the parts, each after those that it is computed of.
        alike: what all parts compute alike, by what it is where there is no part to compute it of.
    """

    graph: Graph
    counted: Value | None
    symbol: str = ""
    rows: dict[Value, Rows] = field(default_factory=dict)
    parts: dict[Value, Part] = field(default_factory=dict)
    sums: list[Sum] = field(default_factory=list)
    alike: dict[Value, Value] = field(default_factory=dict)
    _totals: dict[Value, Total] = field(default_factory=dict)
    _whole: dict[Value, Value] = field(default_factory=dict)
    _computed_alike: list[Value] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give the graph the input that takes the number of examples of the whole batch."""
        self._op = Ops(self.graph, prefix=PREFIX)
        name = self.graph.names.fresh(f"{PREFIX}examples")
        self.examples = self.graph.add_value(Value(name, TensorType(np.dtype(np.int64), (1,))))
        self.graph.inputs.append(self.examples)
        one = self._op.constant(np.ones(1, np.int64))
        self._own = one if self.counted is None else self._op.Shape(self.counted, end=1)

    def whole(self, value: Value) -> Value:
        """Give what a value is for the whole batch, emitted where it is another for a part."""
        if value not in self.parts:
            return value
        if value not in self._whole:
            counted = self._by_count(value)
            self._whole[value] = self._emitted(value) if counted is None else counted
        return self._whole[value]

    def set_apart(self, of: Value) -> None:
        """Let what is of the whole batch be told from sums alone, see `alike`."""
        needed = self.graph.upstream([of])
        for value in [v for v in self._computed_alike if v in needed]:
            self.alike[value] = self._average(value, Total.MEAN)

    def note_total(self, value: Value, kind: Total) -> None:
        """Remember a value as a sum or a mean over examples."""
        self.parts[value] = Part.TOTAL
        self._totals[value] = kind

    def _by_count(self, value: Value) -> Value | None:
        """Give a value that is known to be made of the number of examples and of numbers."""
        known, symbol, op = elements_of(value), self.symbol, self._op
        if known is None or value.dtype.kind not in "iu":
            return None
        times = [d if isinstance(d, int) else divide(d, symbol) for d in known]
        if not all(isinstance(t, int) for t in times):
            return None
        listed = [
            op.constant([t]) if isinstance(d, int) else op.Mul(self.examples, op.constant([t]))
            for t, d in zip(times, known, strict=True)
        ]
        found = op.Concat(*listed, axis=0) if listed else op.constant([], "int64")
        shaped = found if value.rank else self._number(found)
        return cast_to(op, shaped, value)

    def _emitted(self, value: Value) -> Value:
        node = self.graph.producer(value)
        assert node is not None
        if value in self._totals:
            return self._average(value, self._totals[value])
        if self.parts[value] is Part.ALIKE:
            self._computed_alike.append(value)
            return value
        if node.operator in MEASURES and node.first_input in self.rows:
            self._computed_alike.append(found := self._measure(node))
            return found
        wholes = {v: self.whole(v) for v in node.reads() if v in self.parts}
        mapping = dict(wholes)
        for v in node.writes():
            mapping[v] = Value(self.graph.names.fresh(PREFIX + v.name), v.type)
        self._op.adopt(copy_node(node, mapping, self.graph.names, renamed=True))
        self._whole.update({v: mapping[v] for v in node.writes()})
        return mapping[value]

    def _average(self, value: Value, kind: Total) -> Value:
        """Give the sum of a value over all parts, or its mean weighted by their examples."""
        op = self._op
        wide = op.Cast(value, to="int64") if value.dtype.kind in "iub" else as_float32(op, value)
        if kind is Total.MEAN:
            wide = op.Mul(wide, op.Cast(self._number(self._own), to=wide.dtype))
        name = self.graph.names.fresh(f"{PREFIX}{value.name}")
        whole = self.graph.add_value(Value(name, wide.type))
        self.graph.inputs.append(whole)
        self.sums.append(Sum(wide, whole))
        if kind is Total.MEAN:
            whole = op.Div(whole, op.Cast(self._number(self.examples), to=wide.dtype))
        return cast_to(op, whole, value)

    def _number(self, count: Value) -> Value:
        scalar: Value = self._op.Squeeze(count, [0])
        return scalar

    def _measure(self, node: Node) -> Value:
        """Give a shape, or the product of it, with the number of all examples in place of a part's.

        It is the number on one axis, times what does not depend on it.
        """
        op, y, rows = self._op, node.output(), self.rows[node.first_input]
        scale = [self.examples, self._own]
        if node.op_type == "Shape":
            rank = len(node.first_input.shape or ())
            axes = range(rank)[attribute(node, "start") : node.attributes.get("end")]
            one = op.constant([1])
            scale = [
                op.Concat(*(s if axis == rows.axis else one for axis in axes), axis=0)
                for s in scale
            ]
        else:
            scale = [self._number(s) for s in scale]
        result: Value = op.Div(op.Mul(y, scale[0]), scale[1])
        return result
