"""Run one graph on several backends and compare: run first, compare afterwards."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...compiler.errors import BackendUnavailableError, UnsupportedOpError
from ...compiler.graph.arguments import require_texts
from ...compiler.graph.ir import Graph, Node, Value
from ...compiler.graph.subgraphs import nodes_within
from ...compiler.graph.types import TensorType, dtype_name, is_float
from ..registry import available_backends, backend_names, find_backend
from .comparison import ROUNDING_UNITS, TOLERANCES, compare, difference, epsilon, magnitude_of
from .differences import EPSILON
from .report import Comparison, Report

Results = dict[str, dict[str, Any]]
"""What each backend gave, by value name."""


def run_everywhere(
    graph: Graph, feeds: Mapping[str, Any], backends: Sequence[str] | None, report: Report
) -> Results:
    """Run a graph on backends (None: all); note in the report which could not, and why."""
    results: Results = {}
    backends = None if backends is None else require_texts(backends, "backends")
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
    graph: Graph,
    value: Value,
    results: Results,
    tolerances: Mapping[str, float],
    magnitude: float,
) -> list[Comparison]:
    """Compare a value of all backends with that of the first, beside others of a magnitude."""
    first, *others = results or [""]
    producer = graph.producer(value)
    found = []
    for other in others:
        apart = compare(
            results[other][value.name], results[first][value.name], tolerances, magnitude
        )
        found.append(
            Comparison(
                value.name,
                other,
                first,
                apart.error,
                apart.tolerance,
                apart.passed,
                "" if producer is None else producer.label,
                apart.note or apart.remark,
            )
        )
    return found


def computed_in(graph: Graph, value: Value) -> np.dtype:
    """Give the float dtype that rounds most of all that nodes compute on the way to a value."""
    found = {value.dtype}
    for item in graph.upstream([value]):
        for node in nodes_within(item) if isinstance(item, Node) else ():
            types = [v.type for v in node.writes()]
            found |= {t.dtype for t in types if isinstance(t, TensorType) and is_float(t.dtype)}
    return max(found, key=lambda dtype: TOLERANCES.get(dtype_name(dtype), 0.0))


def compare_gradients(
    backend: str,
    given: Mapping[str, Any],
    exact: Mapping[str, Any],
    terms: Callable[[str], float],
    dtypes: Mapping[str, np.dtype],
) -> list[Comparison]:
    """Compare a backend's gradients, as they are computed, with those in float64.

    A gradient that is zero but for the rounding of its terms may be so in either dtype.

    Args:
        backend: who gave the gradients.
        given, exact: the gradients by name, and what they are in float64.
        terms: gives the size of the terms that a gradient sums.
        dtypes: in which each is computed: a graph in mixed precision rounds like its halves.
    """
    largest = max((magnitude_of(a) for a in exact.values()), default=0.0)
    found = []
    for name, gradient in given.items():
        dtype = dtype_name(dtypes[name])
        wide, right = gradient.astype("f8"), exact[name]
        noise = ROUNDING_UNITS * TOLERANCES[dtype] ** 2 * largest
        apart = difference(wide, right, TOLERANCES[dtype], noise)
        if not apart.passed and magnitude_of(right) <= ROUNDING_UNITS * EPSILON * terms(name):
            noise = ROUNDING_UNITS * epsilon(dtypes[name]) * terms(name)
            apart = difference(wide, right, TOLERANCES[dtype], noise)
        note = apart.note
        if note and np.isfinite(right).all():
            note = f"overflows {dtype}: finite in float64, up to {magnitude_of(right):.2g}"
        found.append(
            Comparison(
                f"{name}.grad",
                backend,
                "float64",
                apart.error,
                apart.tolerance,
                apart.passed,
                "",
                note or apart.remark,
            )
        )
    return found
