"""(I) What is wrong is refused by an OnnxgradError with a reason, never by another exception."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import onnxgrad as og

from ..builder_road import build
from ..case import Case, Feeds
from ..file_road import write
from ..mutations import mutate
from ..program import Program, every_call, is_sorted
from ..verdict import Wrong
from .law import Law, any_precision

SHORTEST = 12
"""A reason has more letters."""


def check(case: Case) -> None:
    """Build, load, transform and run a broken program."""
    program = case.program
    if any(
        c.op == "Loop" and (not c.inputs or c.inputs[0] is None) for c in every_call(program.block)
    ):
        return  # without a count it may rightly run for ever
    graphs = [attempt(lambda: build(program))] if is_sorted(program.block) else []
    try:
        model = write(program)
    except Exception:  # there is no file of it
        model = None
    if model is not None:
        graphs.append(attempt(lambda: og.load(model)))
    for graph in graphs:
        if graph is not None:
            _use(case, program, graph)


def attempt(action: Callable[[], Any]) -> Any:
    """Give what an action gives, None where it is refused with a reason or memory ends."""
    try:
        return action()
    except MemoryError:
        return None
    except og.OnnxgradError as error:
        if len(str(error)) < SHORTEST:
            raise Wrong(f"no reason: {error!r}") from error
        return None


def _use(case: Case, program: Program, graph: og.Graph) -> None:
    feeds = {program.name(f.number): f.array(0) for f in program.inputs()}
    outputs = [v.name for v in graph.outputs]
    sources = [v.name for v in graph.inputs]
    for backend in ("numpy", "onnxruntime"):
        case.stage(f"{backend}: compiles and runs")
        _run(graph, feeds, backend)
    transformed = [
        attempt(partial(og.vjp, graph, outputs, sources, allow_unused=True)),
        attempt(partial(og.jvp, graph, sources, outputs, allow_unused=True)),
        attempt(partial(og.vmap, graph)),
        attempt(partial(og.optimize, graph)),
    ]
    for found in transformed:
        if found is not None:
            attempt(partial(og.to_onnx, found))
            _run(found, {v.name: _fed(v, feeds) for v in found.inputs}, "numpy")


def _run(graph: og.Graph, feeds: Feeds, backend: str) -> None:
    compiled = attempt(partial(og.compile, graph, backend))
    if compiled is not None:
        attempt(partial(compiled.run, feeds))


def _fed(value: og.Value, feeds: Feeds) -> Any:
    """Give what is fed to an input: its array, or ones."""
    if value.name in feeds:
        return feeds[value.name]
    shape = [d if isinstance(d, int) else 2 for d in value.shape or ()]
    return np.ones(shape, value.dtype)


LAW = Law("I", "what is wrong is refused with a reason", any_precision, check, mutate)
