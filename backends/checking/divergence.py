"""Find where backends part: the first operator at fault, or rounding, or a fusion."""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from ...compiler.graph.ir import Graph, Node, Value, copy_node
from ...compiler.graph.types import TensorType, is_float
from ...compiler.standard.traits import MOVES
from .comparison import magnitude_of
from .everywhere import Results, compare_values, run_everywhere
from .report import Comparison, Report


def opened(graph: Graph) -> Graph:
    """Copy a graph with all that its nodes compute as outputs."""
    copy = graph.copy()
    known = {v.name for v in copy.outputs}
    for node in copy.nodes():
        for value in node.writes():
            if value.constant is None and value.name not in known:
                copy.outputs.append(value)
    return copy


class Divergence:
    """What backends give for every value of a graph, and what that says of where they part."""

    def __init__(
        self,
        graph: Graph,
        feeds: Mapping[str, Any],
        inside: Results,
        tolerances: Mapping[str, float],
        random: Set[Value],
    ) -> None:
        self._graph = graph
        self._inside = inside
        self._tolerances = tolerances
        self._random = random
        self._known = {**feeds, **inside[next(iter(inside))]}
        self._adds_up = False

    def first(self) -> Comparison | None:
        """Give the first value in topological order that differs by its operator's fault.

        An operator that agrees on what the reference feeds it has only passed differences on.
        """
        for node in self._graph.nodes():
            for value in node.writes():
                if value in self._random or value.name not in self._known:
                    continue
                for found in self._compared(value, node, self._inside):
                    if found.passed:
                        continue
                    if not self._agrees_alone(node, value, found):
                        return found
                    self._adds_up = True
        return None

    def judge(self, output: Comparison, results: Results) -> Comparison:
        """Judge an output once more, where no operator is at fault."""
        value = self._graph.find(output.value)
        node = self._graph.producer(value)
        if output.passed or node is None:
            return output
        pair = {b: results[b] for b in (output.against, output.of)}
        (again,) = self._compared(value, node, pair)
        if again.passed:
            why = f"within the rounding of what {output.producer} reads"
            return replace(output, passed=True, note=why)
        if self._adds_up:
            why = "each operator agrees on equal inputs: rounding adds up on the way"
            return replace(output, passed=None, note=why)
        why = "no operator differs when all values are asked for: a fusion is at fault"
        return replace(output, note=output.note or why)

    def _compared(self, value: Value, node: Node, results: Results) -> list[Comparison]:
        return compare_values(self._graph, value, results, self._tolerances, self._around(node))

    def _around(self, node: Node) -> float:
        """Give the magnitude around a node: of the floats that it reads and gives.

        Of a node that only moves elements it is also that around those that compute them.
        """
        largest, pending, seen = 0.0, [node], {node}
        while pending:
            node = pending.pop()
            for value in (*node.writes(), *node.reads()):
                array: Any = self._known.get(value.name, value.constant)
                if hasattr(array, "dtype") and is_float(array.dtype):
                    largest = max(largest, magnitude_of(array))
            if not node.domain and node.op_type in MOVES:
                before = {p for v in node.reads() if (p := self._graph.producer(v)) is not None}
                pending += before - seen
                seen |= before
        return largest

    def _agrees_alone(self, node: Node, value: Value, found: Comparison) -> bool:
        """Tell whether a backend agrees on a node by itself, fed what the reference computed."""
        graph, mapping, feeds = Graph("alone"), dict[Value, Value](), {}
        for read in dict.fromkeys(node.reads()):
            array: Any = self._known.get(read.name, read.constant)
            if not isinstance(read.type, TensorType) or not hasattr(array, "dtype"):
                return False  # sequences are not taken apart
            type_ = TensorType(array.dtype, array.shape)
            mapping[read] = copy = graph.add_value(Value(read.name, type_, read.constant))
            if read.constant is None:
                graph.inputs.append(copy)
                feeds[read.name] = array
        for written in node.writes():
            mapping[written] = Value(written.name, written.type)
        graph.add_node(copy_node(node, mapping, graph.names))
        graph.outputs = [mapping[value]]
        results = run_everywhere(graph, feeds, [found.against, found.of], Report(""))
        return len(results) == 2 and all(c.passed for c in self._compared(value, node, results))
