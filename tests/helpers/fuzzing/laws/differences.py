"""(B) Gradients against central differences of the formulas, in float64."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

import onnxgrad as og

from ..case import Case
from ..closeness import directions
from ..evaluation import evaluate
from ..program import Array, Program
from ..verdict import Undecided, Wrong
from .law import Law, smooth

STEPS = (3e-4, 3e-5, 3e-6)

Objective = Callable[[Mapping[int, Array]], float]

TOLERANCE = 1e-6
"""Relative to the magnitudes that meet in a derivative."""


def check(case: Case) -> None:
    """Compare the derivative of <v, outputs> along a direction of each source with differences."""
    rng = case.rng(1)
    targets, sources = case.targets, case.sources
    if not targets or not sources:
        raise Undecided("no float to differentiate")
    inner = _inner(case, targets)
    of = [k for k in targets if k not in inner]
    names = [case.program.name(leaf.number) for leaf in sources]
    names += [case.program.output(k) for k in inner]
    numbers = [leaf.number for leaf in sources]
    numbers += [case.program.block.outputs[k] for k in inner]
    of_names = [case.program.output(k) for k in of]
    graph = og.vjp(case.graph, of=of_names, wrt=names, allow_unused=True)
    run = og.compile(graph).run
    for world in range(case.program.worlds):
        values = evaluate(case.program, world)
        cotangents = directions(rng, [values[k] for k in of])
        seeds = {f"{n}.grad": v for n, v in zip(of_names, cotangents, strict=True)}
        found = run({**case.feeds(world), **seeds})
        objective = partial(_objective, case.program, world, dict(zip(of, cotangents, strict=True)))
        for name, number in zip(names, numbers, strict=True):
            what = f"{name}.grad along a direction, world {world}"
            _require_gradient(what, number, found[f"{name}.grad"], objective, rng)


def _objective(
    program: Program, world: int, cotangents: Mapping[int, Array], moved: Mapping[int, Array]
) -> float:
    """Give <cotangents, outputs> where some values are moved as soon as they are computed."""

    def settle(number: int, array: Array) -> Array:
        return array + moved[number] if number in moved else array

    results = evaluate(program, world, settle)
    return sum(float((v * results[k]).sum()) for k, v in cotangents.items())


def _require_gradient(
    what: str, number: int, gradient: Array, objective: Objective, rng: np.random.Generator
) -> None:
    if not np.isfinite(gradient).all():
        raise Wrong(f"{what}: not finite")
    scale = abs(objective({}))
    for direction in directions(rng, [gradient, gradient] if gradient.size else []):
        terms = gradient * direction
        size = float(np.abs(terms).sum()) + scale

        def along(step: float, direction: Array = direction) -> float:
            return objective({number: step * direction})

        require_slope(what, float(terms.sum()), along, TOLERANCE * max(size, 1e-2))


def _inner(case: Case, targets: list[int]) -> list[int]:
    """Choose outputs to differentiate by: what is computed on the way to others, too."""
    outputs = case.program.block.outputs
    candidates = [k for k in targets if outputs.count(outputs[k]) == 1]
    if len(targets) > 1 and candidates and case.rng(3).random() < 0.4:
        return [int(case.rng(4).choice(candidates))]
    return []


def require_slope(
    what: str, actual: float, along: Callable[[float], float], tolerance: float
) -> None:
    """Compare a derivative with differences of fourth order of a function of a step.

    Raises:
        Wrong: differences of several steps agree with each other, not with it.
        Undecided: they do not agree with each other, either.
    """
    slopes: list[float] = []
    for step in STEPS:
        at = [along(k * step) for k in (-2, -1, 1, 2)]
        slopes.append((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step))
        if abs(actual - slopes[-1]) <= tolerance:
            return
    apart = min(abs(actual - slope) for slope in slopes)
    if not np.isfinite(slopes).all() or apart < 10 * (max(slopes) - min(slopes)):
        raise Undecided(f"{what}: differences do not settle: {slopes}, {actual}")
    raise Wrong(f"{what}: {actual:.10g}, differences {slopes}")


LAW = Law("B", "gradients are those of central differences", smooth, check)
