"""Compare what backends give for a graph; where they part, say where and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...compiler.graph.ir import Graph, Value
from ...compiler.standard.randomness import is_random
from .comparison import magnitude_of
from .divergence import Divergence, opened
from .everywhere import compare_values, run_everywhere
from .report import Report
from .saved_file import check_saved_file


def compare_backends(
    graph: Graph,
    feeds: Mapping[str, Any],
    backends: Sequence[str] | None,
    tolerances: Mapping[str, float],
    title: str = "backends",
) -> Report:
    """Run a graph on backends and compare each with the first of them that runs.

    Where outputs differ, all of the graph's values are compared to find the first that does.
    """
    report = Report(title)
    results = run_everywhere(graph, feeds, backends, report)
    random = _random_values(graph)
    if left_out := [v.name for v in graph.outputs if v in random]:
        report.notes.append(f"drawn at random, not compared: {', '.join(left_out)}")
    outputs = [v for v in dict.fromkeys(graph.outputs) if v not in random]
    given = next(iter(results.values()), {})
    magnitude = max((magnitude_of(given[v.name]) for v in outputs if given), default=0.0)
    report.comparisons = [
        c for v in outputs for c in compare_values(graph, v, results, tolerances, magnitude)
    ]
    if "onnxruntime" in results:
        check_saved_file(graph, feeds, results["onnxruntime"], tolerances, magnitude, report)
    if not all(c.passed for c in report.comparisons):
        inside = run_everywhere(opened(graph), feeds, list(results), Report(""))
        if len(inside) > 1:
            divergence = Divergence(graph, feeds, inside, tolerances, random)
            report.first = divergence.first()
            if report.first is None:
                report.comparisons = [divergence.judge(c, results) for c in report.comparisons]
    return report


def _random_values(graph: Graph) -> set[Value]:
    drawn = [v for n in graph.nodes() if is_random(n) for v in n.writes()]
    return {v for v in graph.downstream(drawn) if isinstance(v, Value)}
