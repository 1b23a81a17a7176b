"""(E) What is optimized, saved, loaded or transformed gives the same outputs and gradients."""

from collections.abc import Callable

import numpy as np
import onnx

import onnxgrad as og
from onnxgrad.compiler.opset import EXPORT_OPSET

from ..case import Case
from ..closeness import expected, largest, plain, require_close, unit_of
from ..element_types import NEWEST
from ..file_road import opset_of
from ..verdict import Wrong
from .derivatives import draw_derivative
from .law import Law, any_precision

Change = Callable[[og.Graph, np.random.Generator, Case], og.Graph]


def check(case: Case) -> None:
    """Change a graph several times over; its outputs and its derivative's must stay."""
    rng = case.rng(1)
    graph = _changed(case.graph, rng, case)
    run = og.compile(graph).run
    names = case.program.outputs()
    for world in range(case.program.worlds):
        values, tolerances = expected(case.program, world)
        results = run(case.feeds(world))
        for name, value, tolerance in zip(names, values, tolerances, strict=True):
            require_close(f"{name}, world {world}", results[name], value, tolerance)
    if case.targets and case.sources:
        _check_derivative(case, rng)


def _check_derivative(case: Case, rng: np.random.Generator) -> None:
    derivative = draw_derivative(case, rng)
    before = og.compile(derivative.graph).run
    after = og.compile(_changed(derivative.graph, rng, case)).run
    unit = unit_of(case.program)
    for world in range(case.program.worlds):
        feeds = derivative.feeds(world)
        wanted, found = before(feeds), after(feeds)
        if list(wanted) != list(found):
            raise Wrong(f"{derivative.kind}: outputs {list(found)}, before {list(wanted)}")
        for name, value in wanted.items():
            tolerance = 1000 * unit * max(largest(plain(value)), 1.0)
            require_close(
                f"{derivative.kind}: {name}, world {world}", found[name], value, tolerance
            )


def _changed(graph: og.Graph, rng: np.random.Generator, case: Case) -> og.Graph:
    for _ in range(int(rng.integers(1, 4))):
        change = CHANGES[int(rng.integers(len(CHANGES)))]
        graph = change(graph, rng, case)
    return graph


def _saved(graph: og.Graph, rng: np.random.Generator, case: Case) -> og.Graph:
    """Write at an opset, as functions or not, and read again."""
    opset = int(rng.integers(opset_of(case.program), NEWEST + 1))
    opset = opset if rng.random() < 0.5 else EXPORT_OPSET
    model = og.to_onnx(graph, opset, functions=bool(rng.random() < 0.4))
    onnx.checker.check_model(model, full_check=True)
    return og.load(model.SerializeToString())


def _extended(graph: og.Graph, rng: np.random.Generator, case: Case) -> og.Graph:
    return og.Builder.extend(graph).build()


def _reweighted(graph: og.Graph, rng: np.random.Generator, case: Case) -> og.Graph:
    """Put the same weights in place of the weights."""
    same = {v.name: v.constant for v in graph.values() if v.parameter and v.constant is not None}
    return og.with_parameters(graph, same) if same else graph


def _optimized(graph: og.Graph, rng: np.random.Generator, case: Case) -> og.Graph:
    return og.optimize(graph)


def _straight(graph: og.Graph, rng: np.random.Generator, case: Case) -> og.Graph:
    return og.straight_through(graph)


CHANGES: list[Change] = [_saved, _saved, _optimized, _optimized, _extended, _reweighted, _straight]

LAW = Law("E", "changes of form keep outputs and derivatives", any_precision, check)
