"""Check a graph on all backends, and its gradients against finite differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnxgrad.backends import find_backend
from onnxgrad.backends.checking.agreement import compare_backends
from onnxgrad.backends.checking.differences import (
    EPSILON,
    NUDGES,
    MovedGraph,
    random_direction,
    scatter,
)
from onnxgrad.backends.checking.draws import drawing_nodes, hold_draws, show_draws
from onnxgrad.backends.checking.everywhere import compare_gradients, computed_in, run_everywhere
from onnxgrad.backends.checking.random_feeds import draw_feeds
from onnxgrad.backends.checking.report import Comparison, Report, undecided
from onnxgrad.backends.registry import backend_names
from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.graph.arguments import (
    optional_mapping,
    require_graph,
    require_number,
    require_texts,
)
from onnxgrad.compiler.graph.ir import Graph, Node
from onnxgrad.compiler.graph.types import TensorType, is_float
from onnxgrad.compiler.passes.precision import with_dtype

from .extending.custom_gradients import chosen_between
from .selection import OF, WRT, Selection, find_values
from .transforms import vjp

Feeds = Mapping[str, Any]

DIRECTIONS = 3

DRAWS = 4
"""How many times inputs are drawn at most, where the gradient is 0."""

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
        backends: names of two backends or more; by default all that can run here. The first is the
            reference.
        seed: seed of the values that are drawn.
        tolerances: allowed difference relative to the largest magnitude, by dtype name.

    Returns:
        A report, falsy where outputs differ or a backend failed. It names the first value in
        topological order that differs, what computes it, and by how much.

    Raises:
        GraphError: the feeds do not fit, nothing can be drawn for an input, or one backend alone
            is named.
    """
    drawn = draw_feeds(require_graph(graph), feeds, seed)
    named = None if backends is None else {*require_texts(backends, "backends")}
    if named is not None and len(named) < 2 and named <= {*backend_names()}:
        raise GraphError(
            f"backends=… names {' '.join(named) or 'none'}, but it takes two to compare; name "
            "another, or leave it out for all that there are"
        )
    allowed = optional_mapping(tolerances, "tolerances")
    for dtype, number in allowed.items():
        require_number(number, f"tolerances['{dtype}']", least=0)
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
    What is drawn at random, such as the mask of Dropout, is drawn once and then held.

    Args:
        graph: any graph.
        of: what is differentiated, one value or several.
        wrt: by what: inputs, initializers or any value inside; patterns as in `grad`. Where nothing
            depends on it, that is checked: the gradient must be zero.
        feeds: arrays by input name; what is not given is drawn by its type, and drawn again where
            a gradient is 0 there.
        backends: names of backends; by default all that can run here.
        seed: seed of what is drawn.
        tolerance: allowed difference from central differences, relative to the gradient.

    Returns:
        A report, falsy where a gradient is off, overflows or cannot be compared, for the graph is
        not finite there, a backend failed, or nothing was decided. Undecided is what differences
        cannot tell: the graph is not smooth at this point, a loop draws random numbers, or a
        `stop_gradient`, a `custom_gradient` or quantization that is passed straight through lies
        between, whose derivative is meant to be another one.

    Raises:
        GradientError, UnsupportedOpError: as `grad` does.
        GraphError: the feeds do not fit, or nothing can be drawn for an input.
    """
    chosen = find_values(require_graph(graph), of, OF), find_values(graph, wrt, WRT)
    targets = [v.name for v in chosen[0].only(graph.downstream(chosen[1].values)).values]
    sources = [v.name for v in chosen[1].only(graph.upstream(chosen[0].values)).values]
    if both := [n for n in sources if n in targets]:
        raise GradientError(f"of=… and wrt=… both name '{both[0]}': there is nothing to check")
    require_number(tolerance, "tolerance", least=0)
    drawn = draw_feeds(graph, feeds, seed)
    report = Report(f"gradients of {graph.name}")
    held, loose = ([n.label for n in nodes] for nodes in drawing_nodes(graph))
    if loose:
        why = f"{', '.join(loose)} draws random numbers, other ones in each run"
        report.comparisons += [undecided(f"{name}.grad", why) for name in sources]
        return report
    if held:
        report.notes.append(f"drawn at random, once for all: {', '.join(held)}")
    rng = np.random.default_rng(seed)
    taken = _differentiate(graph, targets, sources, drawn, rng)
    for other in range(seed + 1, seed + DRAWS if len(drawn) > len(feeds or {}) else 0):
        if all(g.any() for g in taken.gradients.values()):
            break  # a rule that is wrong may be right where all is 0
        drawn = draw_feeds(graph, feeds, other)
        taken = _differentiate(graph, targets, sources, drawn, rng)
    if taken.narrow:
        listed = ", ".join(taken.narrow)
        report.notes.append(f"differences are in less than float64, for there is none of {listed}")
    if flat := [name for name in sources if not taken.gradients[name].any()]:
        report.notes.append(f"all 0 at these inputs, which a wrong rule may be: {', '.join(flat)}")
    for name in sources:
        gradient = taken.gradients[name]
        directions = [random_direction(rng, taken.values[name]) for _ in range(DIRECTIONS)]
        found = taken.moved.check(name, gradient, directions, tolerance)
        kinds = chosen_between(taken.double, [name], targets)
        report.comparisons.append(_unless_chosen(found, kinds))
    outputs = {n: taken.backward.find(taken.outputs[n]) for n in sources}
    dtypes = {n: computed_in(taken.backward, v) for n, v in outputs.items()}
    for backend, result in run_everywhere(taken.backward, taken.feeds, backends, report).items():
        given = {n: result[taken.outputs[n]] for n in sources}
        report.comparisons += compare_gradients(
            backend, given, taken.gradients, taken.terms, dtypes
        )
    return report


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was differentiated: in float64, at one point, and ready to run on backends."""

    values: Feeds
    double: Graph
    exact: Graph
    at: Feeds
    """What `exact`, the gradient in float64, is fed."""
    names: Mapping[str, str]
    """The names of the gradients in `exact`."""
    gradients: Feeds
    moved: MovedGraph
    backward: Graph
    feeds: Feeds
    outputs: Mapping[str, str]
    """The names of the gradients in `backward`."""
    narrow: Sequence[str]
    """The nodes that compute in less than float64, for their operators do not take it."""

    def terms(self, name: str) -> float:
        """Give the size of the terms that a gradient sums, as far as its rounding shows them."""
        run = find_backend("numpy").prepare(_with_outputs(self.exact, [self.names[name]])).run
        points = ({n: _larger(a, by) for n, a in self.at.items()} for by in NUDGES)
        rounding = scatter(run(point)[self.names[name]] for point in points)
        return max(self.moved.terms(name), rounding / EPSILON)


def _differentiate(
    graph: Graph, of: list[str], wrt: list[str], feeds: Feeds, rng: np.random.Generator
) -> _Taken:
    double = with_dtype(graph, DOUBLE)
    wide = {name: _widened(array) for name, array in feeds.items()}
    values = _run(_with_outputs(double, [*of, *wrt]), wide)
    cotangents = {n: np.asarray(rng.uniform(0.5, 1.5, values[n].shape)) for n in of}
    backward, outputs = _gradient(graph, of, wrt)
    fed = {outputs[n]: a.astype(graph.find(n).dtype) for n, a in cotangents.items()}
    cotangents = {n: _widened(fed[outputs[n]]) for n in of}  # what rounding left of them
    exact, names = _gradient(double, of, wrt)
    shown = show_draws(exact)
    at = wide | {names[n]: cotangents[n] for n in of}
    found = _run(exact, at)
    draws = {key: found[name] for key, name in shown.items()}
    around = _with_outputs(double, of)
    for random in (around, backward, exact):
        hold_draws(random, draws)
    moving = {n: values[n] for n in wrt}
    narrow = [n.label for n in double.nodes() if n.op_type != "Cast" and _is_narrow(n)]
    return _Taken(
        moving,
        double,
        exact,
        at,
        names,
        {n: found[names[n]] for n in wrt},
        MovedGraph(around, moving, wide, cotangents),
        backward,
        {**feeds, **fed},
        outputs,
        narrow,
    )


def _unless_chosen(found: Comparison, kinds: Sequence[str]) -> Comparison:
    """Leave open what compares a gradient that was chosen, unless it is not even finite."""
    if not kinds or found.passed is False and found.note:
        return found
    why = f"the graph holds {', '.join(kinds)}: differences see the value's own derivative"
    return replace(found, passed=None, note=why)


def _larger(array: Any, by: float) -> Any:
    floating = hasattr(array, "dtype") and is_float(array.dtype)
    return array * (1 + by) if floating else array


def _is_narrow(node: Node) -> bool:
    types = [v.type for v in (*node.reads(), *node.writes())]
    dtypes = [t.dtype for t in types if isinstance(t, TensorType)]
    return any(is_float(d) and d != DOUBLE for d in dtypes)


def _gradient(graph: Graph, of: list[str], wrt: list[str]) -> tuple[Graph, dict[str, str]]:
    """Give the gradient's graph with nothing else as output, and the names of what it added."""
    names = {n: graph.names.fresh(f"{n}.check") for n in dict.fromkeys([*of, *wrt])}
    backward = vjp(graph, of, wrt, names=names, allow_unused=True)
    return _with_outputs(backward, [names[n] for n in wrt]), names


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
