"""(D) Hessians are symmetric, and the differences of gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np

import onnxgrad as og

from ..case import Case, Feeds
from ..closeness import directions
from ..program import INPUT, Array
from ..verdict import Undecided, Wrong
from .derivatives import OBJECTIVE, with_objective
from .differences import require_slope
from .law import Law, smooth

SYMMETRY = 1e-8

TOLERANCE = 1e-5


def check(case: Case) -> None:
    """Compare <w, H u> with <u, H w>, and H u with differences of gradients along u."""
    if not case.targets or not any(leaf.role == INPUT for leaf in case.sources):
        raise Undecided("no float input to differentiate by")
    wrt = [case.program.name(leaf.number) for leaf in case.sources]
    fed = [case.program.name(leaf.number) for leaf in case.sources if leaf.role == INPUT]
    graph = with_objective(case)
    product = og.compile(og.hvp(graph, OBJECTIVE, wrt, allow_unused=True)).run
    gradient = og.compile(og.grad(graph, OBJECTIVE, wrt, allow_unused=True)).run
    rng = case.rng(1)
    for world in range(case.program.worlds):
        feeds = case.feeds(world)
        points = [leaf.array(world) for leaf in case.sources]
        u, w = (dict(zip(wrt, directions(rng, points, alone=0.0), strict=True)) for _ in "uw")
        u = {n: a if n in fed else 0 * a for n, a in u.items()}  # parameters are not moved
        hu, hw = (_product(product, feeds, v) for v in (u, w))
        left, right = _dot(w, hu), _dot(u, hw)
        scale = _size(w, hu) + _size(u, hw)
        if not abs(left - right) <= SYMMETRY * max(scale, 1e-3):
            raise Wrong(f"<w, H u> = {left:.12g} and <u, H w> = {right:.12g}, world {world}")

        def along(step: float, feeds: Feeds = feeds, u: Feeds = u, w: Feeds = w) -> float:
            found = gradient({**feeds, **{n: feeds[n] + step * u[n] for n in fed}})
            return _dot(w, {n: found[f"{n}.grad"] for n in wrt})

        found = gradient(feeds)
        scale += _size(w, {n: found[f"{n}.grad"] for n in wrt})
        require_slope(f"<w, H u>, world {world}", left, along, TOLERANCE * max(scale, 1e-2))


def _product(run: Callable[[Feeds], dict[str, Any]], feeds: Feeds, v: Feeds) -> Feeds:
    found = run({**feeds, **{f"{n}.tangent": a for n, a in v.items()}})
    return {n: found[f"{n}.hvp"] for n in v}


def _dot(a: dict[str, Array], b: dict[str, Array]) -> float:
    return sum(float((a[n] * b[n]).sum()) for n in a)


def _size(a: dict[str, Array], b: dict[str, Array]) -> float:
    return sum(float(np.abs(a[n] * b[n]).sum()) for n in a)


LAW = Law("D", "Hessians are symmetric and the differences of gradients", smooth, check)
