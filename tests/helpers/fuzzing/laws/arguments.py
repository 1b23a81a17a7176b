"""(G) Nothing changes its arguments: graphs stay to the byte, fed arrays to the bit."""

from collections.abc import Callable
from typing import Any

import numpy as np

import onnxgrad as og

from ..case import Case, Feeds
from ..verdict import Wrong
from .derivatives import draw_derivative
from .law import Law, any_precision


def check(case: Case) -> None:
    """Transform and run, and look at what was handed in."""
    rng = case.rng(1)
    _untouched(case.graph, _transformations(case, rng))
    graph = case.graph
    feeds_of: Callable[[int], Feeds] = case.feeds
    if case.targets and case.sources:
        derivative = draw_derivative(case, rng)
        graph, feeds_of = derivative.graph, derivative.feeds
        _untouched(graph, {"compile": og.compile, "optimize": og.optimize})
    backend = str(rng.choice(["numpy", "onnxruntime"]))
    case.stage(f"{backend} compiles")
    run = og.compile(graph, backend).run
    for world in range(case.program.worlds):
        feeds = feeds_of(world)
        copies = {n: a.copy() for n, a in feeds.items()}
        case.stage(f"{backend} runs")
        first = run(feeds)
        kept = {n: np.array(a) for n, a in first.items()}
        second = run(feeds)
        for name, array in feeds.items():
            if array.tobytes() != copies[name].tobytes():
                raise Wrong(f"{backend} does not leave '{name}' (what it was fed)")
        for name, array in first.items():
            if np.asarray(array).tobytes() != kept[name].tobytes():
                raise Wrong(f"{backend} does not leave '{name}' (what the first run gave)")
            if np.asarray(second[name]).tobytes() != kept[name].tobytes():
                raise Wrong(f"{backend} does not leave '{name}' (the second run gives another)")


def _transformations(case: Case, rng: np.random.Generator) -> dict[str, Callable[[Any], Any]]:
    floats = [v.name for v in case.graph.inputs]
    found: dict[str, Callable[[Any], Any]] = {
        "optimize": og.optimize,
        "to_onnx": og.to_onnx,
        "to_onnx(functions=True)": lambda g: og.to_onnx(g, functions=True),
        "compile": og.compile,
        "compile on onnxruntime": lambda g: og.compile(g, "onnxruntime"),
        "vmap": lambda g: og.vmap(g, floats),
        "extend": lambda g: og.Builder.extend(g).build(),
        "straight_through": og.straight_through,
    }
    if case.targets and case.sources:
        of = [case.program.output(k) for k in case.targets]
        wrt = [case.program.name(leaf.number) for leaf in case.sources]
        found["vjp"] = lambda g: og.vjp(g, of, wrt, allow_unused=True)
        found["jvp"] = lambda g: og.jvp(g, of, wrt, allow_unused=True)
    chosen = rng.permutation(list(found))[:4]
    return {str(name): found[str(name)] for name in chosen}


def _untouched(graph: og.Graph, transformations: dict[str, Callable[[Any], Any]]) -> None:
    before = content(graph)
    for name, transform in transformations.items():
        transform(graph)
        if content(graph) != before:
            raise Wrong(f"{name} changed its argument")


def content(graph: og.Graph) -> bytes:
    """Give a graph as the bytes of its file."""
    return og.to_onnx(graph).SerializeToString(deterministic=True)


LAW = Law("G", "arguments stay untouched", any_precision, check)
