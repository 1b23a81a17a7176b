"""Derivatives of a program, drawn at random, with what they are fed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import onnxgrad as og

from ..case import Case, Feeds
from ..closeness import directions, plain

OBJECTIVE = "an objective"

KINDS = ("vjp", "jvp", "grad", "hvp")


@dataclass(frozen=True)
class Derivative:
    """A graph of derivatives; `feeds` gives all that it is fed in a world."""

    kind: str
    graph: og.Graph
    feeds: Callable[[int], Feeds]


def draw_derivative(case: Case, rng: np.random.Generator) -> Derivative:
    """Give one derivative of a program that has float outputs and sources."""
    kind = str(rng.choice(KINDS))
    of = [case.program.output(k) for k in case.targets]
    wrt = [case.program.name(leaf.number) for leaf in case.sources]

    def tangents(world: int) -> Feeds:
        arrays = directions(case.rng(7), [leaf.array(world) for leaf in case.sources])
        typed = [case.typed(f.number, a) for f, a in zip(case.sources, arrays, strict=True)]
        given = {f"{n}.tangent": a for n, a in zip(wrt, typed, strict=True)}
        return {**case.feeds(world), **given}

    def cotangents(world: int) -> Feeds:
        feeds = case.feeds(world)
        values = case.run(feeds)
        arrays = directions(case.rng(7), [plain(values[n]) for n in of])
        given = {f"{n}.grad": a.astype(values[n].dtype) for n, a in zip(of, arrays, strict=True)}
        return {**feeds, **given}

    match kind:
        case "vjp":
            graph = og.vjp(case.graph, of=of, wrt=wrt, allow_unused=True)
            return Derivative(kind, graph, cotangents)
        case "jvp":
            graph = og.jvp(case.graph, wrt=wrt, of=of, allow_unused=True)
            return Derivative(kind, graph, tangents)
        case "grad":
            graph = og.grad(with_objective(case), OBJECTIVE, wrt, allow_unused=True)
            return Derivative(kind, graph, case.feeds)
        case _:
            graph = og.hvp(with_objective(case), OBJECTIVE, wrt, allow_unused=True)
            return Derivative(kind, graph, tangents)


def with_objective(case: Case) -> og.Graph:
    """Add a scalar to a program's graph: a sum of squares over all its float outputs."""
    b = og.Builder.extend(case.graph)
    parts = []
    dtype = b.value(case.program.output(case.targets[0])).dtype
    for k in case.targets:
        y = b.value(case.program.output(k))
        weight, shift = (b.constant(np.array(n, y.dtype)) for n in (0.7, 1.3))
        part = b.op.ReduceSum(y * (weight * y + shift), keepdims=0)
        parts.append(part if y.dtype == dtype else b.op.Cast(part, to=dtype))
    b.output(b.op.Sum(*parts), OBJECTIVE)
    return b.build()
