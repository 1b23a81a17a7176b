"""Count what a graph costs, operator by operator, beside the least that it could."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from onnxgrad.backends.checking.random_feeds import draw_feeds
from onnxgrad.backends.checking.report import render
from onnxgrad.backends.profiling import Timed, measure_rates, time_operators, typical
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import (
    as_dim,
    optional_mapping,
    require_graph,
    require_text,
)
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.passes.operator_costs import (
    OperatorCost,
    UnknownSize,
    bytes_of,
    cost_of,
    total,
)
from onnxgrad.compiler.passes.peak_memory import peak_of, runs
from onnxgrad.compiler.passes.pin_sizes import open_sizes, pin_sizes

if TYPE_CHECKING:
    from rich.console import RenderableType

_SHOWN = 20
"""Operators that a printed report lists one by one."""


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator. What nothing tells is None; seconds are None unless they were measured."""

    operator: str
    name: str
    flops: float | None
    read: float | None
    written: float | None
    seconds: float | None = None

    @property
    def moved(self) -> float:
        """Bytes read and written."""
        return (self.read or 0.0) + (self.written or 0.0)


@dataclass(slots=True)
class CostReport:
    """What a graph costs: flops, bytes read and written; the least bytes; the most bytes held.

    `least_bytes` are inputs, outputs and weights, each once. `floor` is the least time, by this
    machine's rates: all flops as fast as a large float32 product, or the least bytes as fast as a
    copy, whichever takes longer. `peak` is None where sizes are not known.
    """

    title: str
    rows: list[OperatorRow]
    flops: float
    read: float
    written: float
    least_bytes: float
    peak: int | None
    flops_per_second: float
    bytes_per_second: float
    backend: str | None = None
    unknown: list[str] = field(default_factory=list)
    """Operators whose sizes only running tells; no sum holds them."""

    @property
    def floor(self) -> float:
        """The least seconds."""
        return max(self.flops / self.flops_per_second, self.least_bytes / self.bytes_per_second)

    @property
    def seconds(self) -> float | None:
        """The measured time of all operators; None unless they were measured."""
        return sum(r.seconds or 0.0 for r in self.rows) if self.backend else None

    def to_json(self) -> str:
        """Give everything as JSON."""
        return json.dumps(self.as_dict(), indent=2)

    def as_dict(self) -> dict[str, Any]:
        """Give everything as dicts and lists."""
        return {**asdict(self), "floor": self.floor, "seconds": self.seconds}

    def summary(self) -> list[str]:
        """Give the lines under the tables."""
        lines = [
            f"{_short(self.flops)}flop, {_short(self.read)}B read, {_short(self.written)}B written",
            f"least: {_short(self.least_bytes)}B in inputs, outputs and weights; at "
            f"{_short(self.flops_per_second)}flop/s and {_short(self.bytes_per_second)}B/s "
            f"no less than {self.floor * 1e3:.3g} ms",
        ]
        if self.peak is not None:
            lines.append(f"most at once: {_short(self.peak)}B")
        if self.seconds is not None:
            lines.append(
                f"measured on {self.backend}: {self.seconds * 1e3:.3g} ms, "
                f"{self.seconds / max(self.floor, 1e-12):.3g} times the least"
            )
        if self.unknown:
            named = ", ".join(self.unknown[:5])
            rest = f" and {len(self.unknown) - 5} more" if len(self.unknown) > 5 else ""
            lines.append(f"not counted, for only running tells their sizes: {named}{rest}")
        return lines

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        columns = ["flops", "read", "written", *(["ms"] if self.backend else [])]
        kinds = Table("operator", "count", *columns, title=self.title, title_justify="left")
        for operator, rows in self._by_operator():
            kinds.add_row(operator, str(len(rows)), *self._cells(*rows))
        dearest = sorted(self.rows, key=_weight, reverse=True)[:_SHOWN]
        single = Table("operator", "name", *columns, title="the dearest", title_justify="left")
        for row in dearest:
            single.add_row(row.operator, Text(row.name), *self._cells(row))
        return Group(kinds, single, *(Text(line) for line in self.summary()))

    def _by_operator(self) -> list[tuple[str, list[OperatorRow]]]:
        groups: dict[str, list[OperatorRow]] = {}
        for row in self.rows:
            groups.setdefault(row.operator, []).append(row)
        return sorted(groups.items(), key=lambda g: sum(map(_weight, g[1])), reverse=True)

    def _cells(self, *rows: OperatorRow) -> list[str]:
        cells = [
            _short(sum(found)) if (found := [v for v in values if v is not None]) else "?"
            for values in zip(*((r.flops, r.read, r.written) for r in rows), strict=True)
        ]
        if self.backend:
            cells.append(f"{sum(r.seconds or 0.0 for r in rows) * 1e3:.3g}")
        return cells

    def __str__(self) -> str:
        return render(self)


def cost(
    graph: Graph,
    shapes: Mapping[str, int] | None = None,
    *,
    measure: str | None = None,
    feeds: Mapping[str, Any] | None = None,
) -> CostReport:
    """Count the arithmetic and the bytes of each operator; beside them the least possible.

    Products count two for each pair of factors, elementwise operators one for each element, others
    what their bodies do. Bytes count as if every operator read its inputs from memory and wrote its
    outputs there; views are free.

    Example:
        >>> print(og.cost(og.train_step(g, "loss", og.optim.Adam(1e-3)), shapes={"N": 32}))

    Args:
        graph: any graph.
        shapes: numbers for the sizes that its inputs leave open, by name, such as {"N": 8}.
        measure: a backend, "numpy" or "onnxruntime": its operators are listed, as it runs them,
            with the median time of five runs.
        feeds: arrays for measuring, by input name; what is not given is drawn.

    Raises:
        GraphError: a size is open, there is none of that name, or the backend tells no times.
    """
    pinned = require_graph(graph).copy()
    given = optional_mapping(shapes, "shapes")
    pin_sizes(pinned, {name: as_dim(f"shapes['{name}']", size) for name, size in given.items()})
    if still := open_sizes(pinned):
        example = ", ".join(f'"{name}": 8' for name in still)
        raise GraphError(
            f"costs need numbers for {', '.join(still)}; load the model with shapes={{{example}}}"
        )
    rows, costs, unknown = _count(pinned)
    if measure is not None:
        backend = require_text(measure, "measure")
        rows = _measured(time_operators(pinned, backend, draw_feeds(pinned, feeds)))
    rates = measure_rates()
    summed = total(costs)
    return CostReport(
        f"cost of {graph.name}", rows, summed.flops, summed.read, summed.written,
        _least(pinned), _peak(pinned), rates.flops, rates.moved, measure, unknown,
    )  # fmt: skip


def _count(graph: Graph) -> tuple[list[OperatorRow], list[OperatorCost], list[str]]:
    rows, costs, unknown = [], [], []
    for node in graph.nodes():
        if not runs(node):
            continue
        found = None
        try:
            found = cost_of(node)
            costs.append(found)
        except UnknownSize:
            unknown.append(node.label)
        rows.append(_row(node.operator, node.title, found))
    return rows, costs, unknown


def _row(operator: str, name: str, found: OperatorCost | None) -> OperatorRow:
    if found is None:
        return OperatorRow(operator, name, None, None, None)
    return OperatorRow(operator, name, found.flops, found.read, found.written)


def _measured(timed: list[Timed]) -> list[OperatorRow]:
    rows = []
    for entry in timed:
        row = _row(entry.operator, entry.name, entry.cost)
        rows.append(replace(row, seconds=typical(entry.seconds)))
    return rows


def _least(graph: Graph) -> float:
    ends = dict.fromkeys([*graph.inputs, *graph.parameters, *graph.outputs])
    return float(sum(_bytes_or_nothing(v) for v in ends))


def _bytes_or_nothing(value: Any) -> int:
    try:
        return bytes_of(value)
    except UnknownSize:
        return 0


def _peak(graph: Graph) -> int | None:
    try:
        return peak_of(graph).held
    except UnknownSize:
        return None


def _weight(row: OperatorRow) -> float:
    """Order rows by time, or by what takes time."""
    return row.seconds if row.seconds is not None else (row.flops or 0.0) / 8 + row.moved


def _short(number: float) -> str:
    """Write a count with a prefix of the SI: 1.23 G."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g} "
