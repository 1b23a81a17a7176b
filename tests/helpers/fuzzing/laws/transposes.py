"""(C) Forward and reverse mode are transposes of each other: <v, J u> = <Jᵀ v, u>."""

from typing import Any

import numpy as np

import onnxgrad as og

from ..case import Case
from ..closeness import directions
from ..program import Array
from ..verdict import Undecided, Wrong
from .law import Law, smooth

TOLERANCE = 1e-9


def check(case: Case) -> None:
    """Compare both products in every world."""
    if not case.targets or not case.sources:
        raise Undecided("no float to differentiate")
    of = [case.program.output(k) for k in case.targets]
    wrt = [case.program.name(leaf.number) for leaf in case.sources]
    reverse = og.compile(og.vjp(case.graph, of=of, wrt=wrt, allow_unused=True)).run
    forward = og.compile(og.jvp(case.graph, wrt=wrt, of=of, allow_unused=True)).run
    rng = case.rng(1)
    for world in range(case.program.worlds):
        feeds = case.feeds(world)
        values = case.run(feeds)
        v = dict(zip(of, directions(rng, [values[n] for n in of]), strict=True))
        sources = [leaf.array(world) for leaf in case.sources]
        u = dict(zip(wrt, directions(rng, sources), strict=True))
        gradients = reverse({**feeds, **{f"{n}.grad": a for n, a in v.items()}})
        tangents = forward({**feeds, **{f"{n}.tangent": a for n, a in u.items()}})
        left = _product(v, {n: tangents[f"{n}.tangent"] for n in of})
        right = _product(u, {n: gradients[f"{n}.grad"] for n in wrt})
        scale = left[1] + right[1]
        if not abs(left[0] - right[0]) <= TOLERANCE * max(scale, 1e-3):
            raise Wrong(f"<v, J u> = {left[0]:.12g} and <Jᵀ v, u> = {right[0]:.12g}, world {world}")


def _product(a: dict[str, Array], b: dict[str, Any]) -> tuple[float, float]:
    """Give the inner product, and that of the magnitudes."""
    for name, array in a.items():
        if b[name].shape != array.shape:
            raise Wrong(f"the derivative of {name} has shape {b[name].shape}, not {array.shape}")
    terms = [a[n] * b[n] for n in a]
    return sum(float(t.sum()) for t in terms), sum(float(np.abs(t).sum()) for t in terms)


LAW = Law("C", "forward and reverse mode are transposes", smooth, check)
