"""(F) vmap is a loop over examples, whichever inputs have the batch axis."""

from collections.abc import Callable
from typing import Any

import numpy as np

import onnxgrad as og

from ..case import Case, Feeds
from ..closeness import largest, plain, require_close
from ..program import Array
from ..verdict import Undecided, Wrong
from .derivatives import draw_derivative
from .law import Law, smooth

TOLERANCE = 1e-9


def check(case: Case) -> None:
    """Batch some inputs of the graph or of a derivative; compare with one example at a time."""
    rng = case.rng(1)
    graph = case.graph
    feeds_of: Callable[[int], Feeds] = case.feeds
    if case.targets and case.sources and rng.random() < 0.4:
        derivative = draw_derivative(case, rng)
        graph, feeds_of = derivative.graph, derivative.feeds
    names = [v.name for v in graph.inputs]
    chosen = [n for n in names if rng.random() < 0.5] or [str(rng.choice(names))]
    together = og.compile(og.vmap(graph, chosen)).run
    alone = og.compile(graph).run
    for world in range(case.program.worlds):
        _check_world(case, rng, feeds_of(world), chosen, together, alone, world)


def _check_world(
    case: Case,
    rng: np.random.Generator,
    feeds: Feeds,
    chosen: list[str],
    together: Any,
    alone: Any,
    world: int,
) -> None:
    count = int(rng.choice([0, 1, 2, 3], p=[0.1, 0.2, 0.4, 0.3]))
    examples = [{n: _other(rng, feeds[n]) for n in chosen} for _ in range(count)]
    results = [alone({**feeds, **example}) for example in examples]
    batch = {n: _stack([e[n] for e in examples], feeds[n]) for n in chosen}
    shapes = [{n: np.shape(a) for n, a in r.items()} for r in results]
    if any(s != shapes[0] for s in shapes):
        raise Undecided("examples of different shapes")
    try:
        found = together({**feeds, **batch})
    except og.GraphError as error:
        if not count and any(feeds[n].dtype.kind in "ib" for n in chosen):
            raise Undecided("no example tells sizes and conditions") from error
        raise
    for name, array in found.items():
        if not count:
            if len(array):
                raise Wrong(f"{name} of no examples has shape {array.shape}")
            continue
        wanted = np.stack([r[name] for r in results])
        tolerance = TOLERANCE * max(largest(plain(wanted)), 1.0)
        require_close(
            f"{name}, {count} examples, batched {chosen}, world {world}", array, wanted, tolerance
        )


def _other(rng: np.random.Generator, array: Array) -> Array:
    """Move floats a little; whole numbers and truths stay."""
    if array.dtype.kind != "f":
        return array
    return array * (1 + 0.01 * rng.uniform(-1, 1, array.shape))


def _stack(arrays: list[Array], like: Array) -> Array:
    return np.stack(arrays) if arrays else np.zeros((0, *like.shape), like.dtype)


LAW = Law("F", "vmap is a loop over examples", smooth, check)
