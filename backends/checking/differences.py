"""Judge a gradient by differences: of the graph itself, moved a little; it differentiates nothing.

A difference is worth as much as it is sure of. Where it ends in rounding the gradient may end
there too; where the graph is not smooth, ahead and behind or from step to step, nothing is decided.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...compiler.emission.ops import Ops
from ...compiler.graph.ir import Graph, Value
from ..registry import find_backend
from .comparison import ROUNDING_UNITS, magnitude_of
from .report import Comparison

Arrays = Mapping[str, Any]

STEPS = np.array([1e-3, 1e-4, 1e-5, 1e-6])
"""Steps of the central differences; the two neighbors that agree best give the estimate."""

EPSILON = float(np.finfo(np.float64).eps)

NUDGES = 1e-9 * np.arange(1, 17)
"""Far below a step, and far above the rounding of what is moved: there only rounding is seen."""

_SURE = 10
"""Differences that part by this fraction of what they miss the gradient by cannot blame it."""


@dataclass(frozen=True, slots=True)
class Point:
    """Σ <cotangent, of> at one point, and the size of its terms: Σ |cotangent·of|."""

    total: float
    size: float
    comparable: bool
    """Whether the outputs have the shapes of the cotangents."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """The slopes ahead and behind along a direction, at each of `STEPS`."""

    right: np.ndarray
    left: np.ndarray
    size: float
    """The largest of the points' sizes."""
    comparable: bool
    """Whether the outputs have one shape at all points."""

    def best(self) -> tuple[float, float, float]:
        """Give the central slope that agrees best with the one before, how well, and its step."""
        with np.errstate(all="ignore"):
            central = (self.right + self.left) / 2
            gaps = np.abs(np.diff(central))
        k = int(np.argmin(np.where(np.isfinite(gaps), gaps, np.inf)))
        return float(central[k + 1]), float(gaps[k]), float(STEPS[k + 1])

    def settle(self, tolerance: float) -> bool:
        """Tell whether smaller steps than the best agree with it, as far as rounding lets them.

        From afar stairs have a slope, too.
        """
        slope, gap, step = self.best()
        central, smaller = (self.right + self.left) / 2, STEPS < step
        apart = np.abs(central - slope)[smaller]
        rounding = ROUNDING_UNITS * EPSILON * self.size / STEPS[smaller]
        allowed = tolerance * abs(slope) + gap + rounding
        return bool((apart <= _SURE * allowed).all())

    def limits(self) -> list[float]:
        """Give what the central slopes come to if what they miss shrinks as the step or its square.

        So it does where the slope itself vanishes, and no step is small beside it.
        """
        large, small = ((self.right + self.left) / 2)[-2:]
        ratios = [(STEPS[-2] / STEPS[-1]) ** order for order in (1, 2)]
        return [float((r * small - large) / (r - 1)) for r in ratios]

    def largest(self) -> float:
        """Give the largest magnitude of a slope."""
        return float(np.max(np.abs([self.right, self.left])))

    def bends(self, allowed: float, rounding: float) -> bool:
        """Tell whether ahead and behind stay apart as the step shrinks, by more than rounding."""
        apart = np.abs(self.right - self.left)
        return bool(apart[-1] > allowed + 2 * rounding / STEPS[-1] and 2 * apart[-1] > apart[0])


class MovedGraph:
    """A graph in float64 whose values can be moved: Σ <cotangent, of> around the feeds."""

    def __init__(self, graph: Graph, values: Arrays, feeds: Arrays, cotangents: Arrays) -> None:
        """Prepare a graph whose outputs are those of `cotangents`; it is changed by this."""
        self._steps = {name: _add_step(graph, graph.find(name)) for name in values}
        outputs = [v.name for v in graph.outputs]  # one of them may have been moved itself
        self._cotangents = dict(zip(outputs, cotangents.values(), strict=True))
        self._values = values
        self._feeds = dict(feeds)
        self._feeds |= {self._steps[n]: np.zeros_like(a) for n, a in values.items()}
        self._run = find_backend("numpy").prepare(graph).run

    def check(
        self, name: str, gradient: np.ndarray, directions: Sequence[np.ndarray], tolerance: float
    ) -> Comparison:
        """Compare <gradient, direction> with differences along directions; give the worst.

        A bend in one of them makes all undecided: along others it may just not show.

        Steps that suit the largest elements carry small ones far away, out of the domain of a
        logarithm for one. So what does not pass is checked once more, magnitude by magnitude.
        """
        found = self._worst(name, gradient, directions, tolerance)
        parts = _by_magnitude(self._values[name])
        if found.passed or found.note.startswith(_BEND) or len(parts) < 2:
            return found
        whole = magnitude_of(self._values[name])
        each = []
        for part, size in parts:
            moved = [np.where(part, d * (size / whole), 0) for d in directions]
            each.append(self._worst(name, gradient, moved, tolerance))
        if found.passed is None and (sure := [c for c in each if c.passed is False and not c.note]):
            return max(sure, key=lambda c: c.error)
        if not all(c.passed and (not c.note or found.note == _NOT_FINITE) for c in each):
            return found
        return replace(max(each, key=lambda c: c.error), note="each magnitude moved by itself")

    def _worst(
        self, name: str, gradient: np.ndarray, directions: Sequence[np.ndarray], tolerance: float
    ) -> Comparison:
        found = [self._along(name, gradient, d, tolerance) for d in directions]
        bends = [c for c in found if c.note.startswith(_BEND)]
        return max(bends or found, key=lambda c: (c.passed is False, c.passed is None, c.error))

    def terms(self, name: str) -> float:
        """Give the size of what cancels on the way to the total, as its rounding shows it.

        It is relative to the value of that name: a gradient by it is a sum of terms of this size.
        """
        values = self._values[name]
        direction = random_direction(np.random.default_rng(0), values)
        here = self._point(name, np.zeros_like(direction))
        size = max(here.size, self._rounding(name, direction) / EPSILON)
        return size / (magnitude_of(values) or 1.0)

    def _along(
        self, name: str, gradient: np.ndarray, direction: np.ndarray, tolerance: float
    ) -> Comparison:
        slopes = self._slopes(name, direction)
        slope, gap, step = slopes.best()
        gradient, moved = gradient[direction != 0], direction[direction != 0]
        analytic = float((gradient * moved).sum())
        length = np.linalg.norm(moved) / np.sqrt(max(moved.size, 1))
        scale = max(abs(slope), float(np.linalg.norm(gradient) * length))
        off = abs(analytic - slope)
        error = off / scale if scale else 0.0

        def judged(passed: bool | None, note: str = "") -> Comparison:
            against = f"{name}.grad", "gradient", "finite differences"
            return Comparison(*against, error, tolerance, passed, "", note)

        if not slopes.comparable:
            return judged(None, f"{_BEND}: an output changes its shape nearby; try other feeds")
        if not np.isfinite(gap):
            return judged(False, _NOT_FINITE)
        if not np.isfinite(analytic):
            return judged(False, "NaN or infinite where the differences are finite")
        allowed, rounding = tolerance * scale, ROUNDING_UNITS * EPSILON * slopes.size
        bends = slopes.bends(allowed, rounding)
        if not bends and off <= allowed:
            return judged(True)
        rounding = max(rounding, ROUNDING_UNITS * self._rounding(name, direction))
        if bends and slopes.bends(allowed, rounding):
            sides = f"{slopes.right[-1]:.3g} ahead, {slopes.left[-1]:.3g} behind"
            return judged(None, f"{_BEND}: the slope is {sides}; try other feeds")
        if off <= allowed:
            return judged(True)
        if off <= rounding / step:
            return judged(True, "as far as rounding tells")
        missed = min(abs(analytic - limit) for limit in slopes.limits())
        if missed <= tolerance * slopes.largest():
            return judged(True, "in the limit of small steps")
        if not slopes.settle(tolerance):
            return judged(None, f"{_BEND}: differences part as steps get smaller; try other feeds")
        if off <= _SURE * gap:
            return judged(None, f"differences part by {gap / scale:.1g} among themselves")
        return judged(False)

    def _slopes(self, name: str, direction: np.ndarray) -> "Slopes":
        here = self._point(name, np.zeros_like(direction))
        ahead, behind = ([self._point(name, s * h * direction) for h in STEPS] for s in (1, -1))
        size = max(p.size for p in (here, *ahead, *behind))
        with np.errstate(all="ignore"):  # a graph that is not finite here is found out
            right = (np.array([p.total for p in ahead]) - here.total) / STEPS
            left = (here.total - np.array([p.total for p in behind])) / STEPS
        return Slopes(right, left, size, all(p.comparable for p in (here, *ahead, *behind)))

    def _rounding(self, name: str, direction: np.ndarray) -> float:
        """Estimate the rounding of the total."""
        return scatter(self._point(name, h * direction).total for h in NUDGES)

    def _point(self, name: str, step: np.ndarray) -> Point:
        results = self._run({**self._feeds, self._steps[name]: step})
        pairs = [(results[n], dy) for n, dy in self._cotangents.items()]
        if any(y.shape != dy.shape for y, dy in pairs):
            return Point(0.0, 0.0, False)
        terms = [y * dy for y, dy in pairs]
        total, size = (float(sum(t.sum() for t in of)) for of in (terms, map(np.abs, terms)))
        return Point(total, size, True)


def _by_magnitude(values: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Part elements by magnitude, a thousandfold each; give where they stand and the largest.

    Zeros, and what is not finite, stand among the smallest.
    """
    sizes = np.abs(values)
    known = np.isfinite(sizes) & (sizes > 0)
    if not known.any():
        return []
    order = np.floor(np.log10(sizes, where=known, out=np.zeros(sizes.shape)) / 3)
    order = np.where(known, order, order[known].min())
    return [(order == k, float(sizes[known & (order == k)].max())) for k in np.unique(order)]


_BEND = "not smooth here"

_NOT_FINITE = "not finite here: nothing can be compared, try other feeds"


def scatter(results: Iterable[Any]) -> float:
    """Estimate the rounding of what was computed at the `NUDGES`, by its third differences.

    Moré and Wild, "Estimating Computational Noise", 2011; the largest, for few results round in
    few ways. Of what is smooth there is left (third derivative)·1e-27.
    """
    with np.errstate(all="ignore"):
        third = np.abs(np.diff(np.stack([np.asarray(r) for r in results]), 3, axis=0))
        return float(third.max(initial=0.0) / np.sqrt(20))


def random_direction(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """Draw a direction as long as the values are large."""
    return np.asarray(rng.standard_normal(array.shape)) * (magnitude_of(array) or 1.0)


def _add_step(graph: Graph, value: Value) -> str:
    """Let everything that reads a value read value + step, a new input; give its name."""
    step = Value(graph.names.fresh(f"{value.name}.step"), value.type)
    graph.inputs.append(graph.add_value(step))
    op = Ops(graph)
    moved = op.Add(value, step)
    (node,) = op.emitted
    graph.replace_uses(value, moved)
    node.inputs = (value, step)
    graph.reconnect(node)
    return step.name
