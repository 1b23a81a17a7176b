"""Run one graph on several backends and compare: run first, compare afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...compiler.errors import BackendUnavailableError, UnsupportedOpError
from ...compiler.graph.ir import Graph, Node, Value
from ...compiler.standard.randomness import is_random
from ..registry import available_backends, backend_names, find_backend
from .comparison import compare, magnitude_of
from .report import Comparison, Report

Results = dict[str, dict[str, Any]]
"""What each backend gave, by value name."""


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
    report.comparisons = compare_values(graph, outputs, results, tolerances)
    if not all(c.passed for c in report.comparisons):
        report.first = _first_divergence(graph, feeds, list(results), tolerances, random)
        if report.first is None:
            report.notes.append(
                "no single value differs when all are asked for: a backend's fusion is at fault"
            )
    return report


def run_everywhere(
    graph: Graph, feeds: Mapping[str, Any], backends: Sequence[str] | None, report: Report
) -> Results:
    """Run a graph on backends (None: all); note in the report which could not, and why."""
    results: Results = {}
    if isinstance(backends, str):
        backends = [backends]
    for name in set(backends or ()) - set(backend_names()):
        find_backend(name)  # an error that lists those there are
    for name in available_backends() if backends is None else backends:
        try:
            results[name] = find_backend(name).prepare(graph).run(feeds)
        except BackendUnavailableError as error:
            report.unavailable[name] = str(error)
        except UnsupportedOpError as error:
            (report.unavailable if backends is None else report.failures)[name] = str(error)
        except Exception as error:  # one backend's failure is a finding, not the end
            report.failures[name] = f"{type(error).__name__}: {error}"
    return results


def compare_values(
    graph: Graph, values: Iterable[Value], results: Results, tolerances: Mapping[str, float]
) -> list[Comparison]:
    """Compare values of all backends with those of the first."""
    first, *others = results or [""]
    values = list(values)
    names = {v.name for v in values}
    given = results.get(first, {})
    magnitude = max((magnitude_of(a) for n, a in given.items() if n in names), default=0.0)
    found = []
    for value in values:
        for other in others:
            apart = compare(results[other][value.name], given[value.name], tolerances, magnitude)
            found.append(
                Comparison(
                    value.name,
                    other,
                    first,
                    apart.error,
                    apart.tolerance,
                    apart.passed,
                    _label(graph.producer(value)),
                    apart.note,
                )
            )
    return found


def _first_divergence(
    graph: Graph,
    feeds: Mapping[str, Any],
    backends: Sequence[str],
    tolerances: Mapping[str, float],
    random: set[Value],
) -> Comparison | None:
    """Compare every value in topological order; give the first that differs."""
    open_graph = graph.copy()
    known = {v.name for v in open_graph.outputs}
    for node in open_graph.nodes():
        for value in node.writes():
            if value.constant is None and value.name not in known:
                open_graph.outputs.append(value)
    results = run_everywhere(open_graph, feeds, backends, Report(""))
    if len(results) < 2:
        return None
    for node in graph.nodes():
        values = [v for v in node.writes() if v not in random and v.name in results[backends[0]]]
        around = [*values, *(v for v in node.reads() if v.name in results[backends[0]])]
        nearby = {b: {v.name: r[v.name] for v in around} for b, r in results.items()}
        compared = compare_values(graph, around, nearby, tolerances)
        for comparison in compared[: len(values) * (len(results) - 1)]:
            if not comparison.passed:
                return comparison
    return None


def _random_values(graph: Graph) -> set[Value]:
    drawn = [v for n in graph.nodes() if is_random(n) for v in n.writes()]
    return {v for v in graph.downstream(drawn) if isinstance(v, Value)}


def _label(node: Node | None) -> str:
    if node is None:
        return ""
    return node.label
