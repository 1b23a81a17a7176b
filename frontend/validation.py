"""Check a graph on all backends, and its gradients against finite differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxgrad.backends import find_backend
from onnxgrad.backends.checking.comparison import (
    ROUNDING_UNITS,
    TOLERANCES,
    difference,
    magnitude_of,
)
from onnxgrad.backends.checking.everywhere import compare_backends, run_everywhere
from onnxgrad.backends.checking.random_feeds import draw_feeds
from onnxgrad.backends.checking.report import Comparison, Report
from onnxgrad.backends.feeds import check_feeds
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GradientError
from onnxgrad.compiler.graph.arguments import require_graph, require_mapping
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import dtype_name, is_float
from onnxgrad.compiler.passes.precision import with_dtype

from .selection import OF, WRT, Selection, find_values
from .transforms import vjp

Feeds = Mapping[str, Any]

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
"""Steps of the central differences; the two neighbours that agree best give the estimate."""

DIRECTIONS = 3

DOUBLE = np.dtype(np.float64)


def validate(
    graph: Graph,
    feeds: Feeds | None = None,
    backends: Sequence[str] | None = None,
    *,
    seed: int = 0,
    tolerances: Mapping[str, float] | None = None,
) -> Report:
    """Run a graph on several backends and compare the outputs.

    Args:
        graph: any graph.
        feeds: arrays by input name; what is not given is drawn by its type.
        backends: names of backends; by default all that can run here. The first is the reference.
        seed: seed of the values that are drawn.
        tolerances: allowed difference relative to the largest magnitude, by dtype name.

    Returns:
        A report, falsy where outputs differ or a backend failed. It names the first value in
        topological order that differs, what computes it, and by how much.

    Raises:
        GraphError: the feeds do not fit, or nothing can be drawn for an input.
    """
    drawn = draw_feeds(require_graph(graph), feeds or {}, seed)
    check_feeds(graph.inputs, drawn)
    allowed = require_mapping(tolerances or {}, "tolerances")
    return compare_backends(graph, drawn, backends, allowed, f"validate {graph.name}")


def check_gradients(
    graph: Graph,
    of: Selection,
    wrt: Selection,
    feeds: Feeds | None = None,
    backends: Sequence[str] | None = None,
    *,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> Report:
    """Check gradients against central differences in float64, and on backends as they are.

    The gradient of Σ <random cotangent, of> is compared along random directions with differences
    of the graph in float64; then each backend's gradient, in the graph's own dtype, with that.

    Args:
        graph: any graph.
        of: what is differentiated, one value or several.
        wrt: by what: inputs, initializers or any value inside.
        feeds: arrays by input name; what is not given is drawn by its type.
        backends: names of backends; by default all that can run here.
        seed: seed of what is drawn.
        tolerance: allowed difference from central differences, relative to the gradient.

    Returns:
        A report, falsy where a gradient is off, overflows or cannot be compared, for the graph is
        not finite there, or a backend failed.

    Raises:
        GradientError, UnsupportedOpError: as `grad` does.
        GraphError: the feeds do not fit, or nothing can be drawn for an input.
    """
    chosen = find_values(require_graph(graph), of, OF), find_values(graph, wrt, WRT)
    targets = [v.name for v in chosen[0].only(graph.downstream(chosen[1].values)).values]
    sources = [v.name for v in chosen[1].only(graph.upstream(chosen[0].values)).values]
    if both := [n for n in sources if n in targets]:
        raise GradientError(f"'{both[0]}' is in both of and wrt: there is nothing to check")
    drawn = draw_feeds(graph, feeds or {}, seed)
    check_feeds(graph.inputs, drawn)
    rng = np.random.default_rng(seed)
    double = with_dtype(graph, DOUBLE)
    wide = {name: _widened(array) for name, array in drawn.items()}
    values = _run(_with_outputs(double, [*targets, *sources]), wide)
    cotangents = {n: np.asarray(rng.uniform(0.5, 1.5, values[n].shape)) for n in targets}
    backward, renamed = _gradient(graph, targets, sources)
    fed = {renamed[n]: a.astype(graph.find(n).dtype) for n, a in cotangents.items()}
    cotangents = {n: _widened(fed[renamed[n]]) for n in targets}  # what rounding left of them
    exact, names = _gradient(double, targets, sources)
    found = _run(exact, wide | {names[n]: cotangents[n] for n in targets})
    gradients = {n: found[names[n]] for n in sources}
    report = Report(f"gradients of {graph.name}")
    moved = _Moved(double, {n: values[n] for n in sources}, wide, cotangents)
    for name in sources:
        directions = [_direction(rng, values[name]) for _ in range(DIRECTIONS)]
        checks = [moved.check(name, gradients[name], d, tolerance) for d in directions]
        report.comparisons.append(max(checks, key=lambda c: (not c.passed, c.error)))
    results = run_everywhere(backward, drawn | fed, backends, report)
    for backend, result in results.items():
        given = {n: result[renamed[n]] for n in sources}
        report.comparisons += _against_double(backend, given, gradients)
    return report


class _Moved:
    """A graph whose values can be moved: Σ <cotangent, of> at points around the feeds."""

    def __init__(self, graph: Graph, values: Feeds, feeds: Feeds, cotangents: Feeds) -> None:
        graph = _with_outputs(graph, list(cotangents))
        self._steps = {name: _add_step(graph, graph.find(name)) for name in values}
        outputs = [v.name for v in graph.outputs]  # one of them may have been moved itself
        self._cotangents = dict(zip(outputs, cotangents.values(), strict=True))
        self._feeds = dict(feeds)
        self._feeds |= {self._steps[n]: np.zeros_like(a) for n, a in values.items()}
        self._run = find_backend("numpy").prepare(graph).run

    def check(
        self, name: str, gradient: np.ndarray, direction: np.ndarray, tolerance: float
    ) -> Comparison:
        """Compare <gradient, direction> with central differences along that direction."""
        slopes, largest = [], 0.0
        for step in STEPS:
            ahead, behind = (self._total(name, sign * step * direction) for sign in (1, -1))
            slopes.append((ahead - behind) / (2 * step))
            largest = max(largest, abs(ahead), abs(behind))
        gaps = np.abs(np.diff(slopes))
        best = int(np.argmin(gaps))
        slope, gap = slopes[best + 1], gaps[best]
        analytic = float((gradient * direction).sum())
        length = np.linalg.norm(direction) / np.sqrt(max(direction.size, 1))
        scale = max(abs(slope), float(np.linalg.norm(gradient) * length))
        noise = ROUNDING_UNITS * float(np.finfo(DOUBLE).eps) * largest / STEPS[best + 1]
        apart = difference(np.array(analytic), np.array(slope), tolerance, noise)
        error = abs(analytic - slope) / scale if scale and apart.error else apart.error
        finite = bool(np.isfinite(slope))
        passed = finite and not apart.note and error <= tolerance
        note = apart.note if finite else "not finite here: nothing can be compared, try other feeds"
        if not passed and not note and gap > tolerance * scale:
            note = f"not smooth here: differences part by {gap / scale:.1g} among themselves"
        return Comparison(
            f"{name}.grad", "gradient", "finite differences", error, tolerance, passed, "", note
        )

    def _total(self, name: str, step: np.ndarray) -> float:
        results = self._run({**self._feeds, self._steps[name]: step})
        return float(sum((results[n] * dy).sum() for n, dy in self._cotangents.items()))


def _add_step(graph: Graph, value: Value) -> str:
    """Let everything that reads a value read value + step, a new input; give its name."""
    step = Value(graph.names.fresh(f"{value.name}.step"), value.type)
    graph.inputs.append(graph.add_value(step))
    moved = Ops(graph).Add(value, step)
    node = graph.producer(moved)
    assert node is not None
    graph.replace_uses(value, moved)
    node.inputs = (value, step)
    graph.reconnect(node)
    return step.name


def _gradient(graph: Graph, of: list[str], wrt: list[str]) -> tuple[Graph, dict[str, str]]:
    """Give the gradient's graph with nothing else as output, and the names of what it added."""
    names = {n: graph.names.fresh(f"{n}.check") for n in dict.fromkeys([*of, *wrt])}
    backward = vjp(graph, of, wrt, names=names, allow_unused=False)
    return _with_outputs(backward, [names[n] for n in wrt]), names


def _against_double(backend: str, given: Feeds, exact: Feeds) -> list[Comparison]:
    """Compare a backend's gradients, in their own dtype, with those in float64."""
    largest = max((magnitude_of(a) for a in exact.values()), default=0.0)
    found = []
    for name, gradient in given.items():
        dtype = dtype_name(gradient.dtype)
        noise = ROUNDING_UNITS * TOLERANCES[dtype] ** 2 * largest
        apart = difference(_widened(gradient), exact[name], TOLERANCES[dtype], noise)
        note = apart.note
        if note and np.isfinite(exact[name]).all():
            note = f"overflows {dtype}: finite in float64, up to {magnitude_of(exact[name]):.2g}"
        found.append(
            Comparison(
                f"{name}.grad",
                backend,
                "float64",
                apart.error,
                apart.tolerance,
                apart.passed,
                "",
                note,
            )
        )
    return found


def _with_outputs(graph: Graph, names: Sequence[str]) -> Graph:
    copy = graph.copy()
    copy.outputs = [copy.find(name) for name in dict.fromkeys(names)]
    return copy


def _run(graph: Graph, feeds: Feeds) -> dict[str, Any]:
    return find_backend("numpy").prepare(graph).run(feeds)


def _widened(array: Any) -> Any:
    if isinstance(array, list):
        return [_widened(a) for a in array]
    floating = hasattr(array, "dtype") and is_float(array.dtype)
    return array.astype(DOUBLE) if floating else array


def _direction(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """Draw a direction as long as the values are large."""
    return np.asarray(rng.standard_normal(array.shape)) * (magnitude_of(array) or 1.0)
