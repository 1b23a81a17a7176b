"""Learning rates that change from step to step, computed inside the graph.

Each is a function of t, how many steps are done: 0 at the first. It is called with the builder and
t, a float64 scalar, and emits the rate, another one; any such function is a schedule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_count, require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Schedule, emit_rate
from .settings import require, require_fraction


@dataclass(frozen=True, slots=True)
class constant:
    """Always the same rate.

    Args:
        rate: the rate.
    """

    rate: float

    def __post_init__(self) -> None:
        require_number(self.rate, "rate")

    def __call__(self, op: Ops, t: Value) -> Value:
        """η"""
        return op.like(self.rate, t)


@dataclass(frozen=True, slots=True)
class cosine:
    """Half a cosine from a peak to an end, where it stays; before it, a straight way up.

    Args:
        peak: the highest rate.
        steps: after how many steps it is at its end.
        warm_up: how many of them rise from 0 to the peak.
        end: the last rate.
    """

    peak: float
    steps: int
    warm_up: int = 0
    end: float = 0.0

    def __post_init__(self) -> None:
        require_number(self.peak, "peak")
        require_count(self.warm_up, "warm_up")
        require_count(self.steps, "steps", least=1)
        part = f"less than steps={self.steps}, which it is part of"
        require(self.warm_up < self.steps, "warm_up", part, self.warm_up)
        require_number(self.end, "end")

    def __call__(self, op: Ops, t: Value) -> Value:
        """end + (peak − end)·(1 + cos πx)/2, x from 0 to 1"""
        fall = _half_cosine(op, _passed(op, t, self.warm_up, self.steps), self.peak, self.end)
        return _warmed(op, t, self.warm_up, self.peak, fall)


@dataclass(frozen=True, slots=True)
class linear_warm_up:
    """A straight way up to another schedule, whose first step is where the way ends.

    Args:
        schedule: what follows, a number or a schedule.
        steps: how many steps rise.
        start: the rate of the first.
    """

    schedule: float | Schedule
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.schedule):
            require_number(self.schedule, "a schedule that is not a function")
        require_count(self.steps, "steps", least=1)
        require_number(self.start, "start")

    def __call__(self, op: Ops, t: Value) -> Value:
        """start + (η₀ − start)·t/steps, then the schedule at t − steps"""
        later = op.Max(op.Sub(t, float(self.steps)), op.like(0, t))
        if callable(self.schedule):
            after = emit_rate(op, self.schedule, later)
            first = emit_rate(op, self.schedule, op.like(0, t))
        else:
            after = first = op.like(self.schedule, t)
        share = op.Div(t, float(self.steps))
        rise = op.Add(op.Mul(op.Sub(first, self.start), share), self.start)
        rate: Value = op.Where(op.Less(t, float(self.steps)), rise, after)
        return rate


@dataclass(frozen=True, slots=True)
class one_cycle:
    """Half a cosine up and a longer one down (Smith and Topin, 2018), as torch's OneCycleLR.

    Args:
        peak: the highest rate.
        steps: of the whole cycle; afterwards the rate stays.
        rise: the share of the steps that go up.
        first: what the peak is divided by to give the first rate.
        last: what the first rate is divided by to give the last one.
    """

    peak: float
    steps: int
    rise: float = 0.3
    first: float = 25.0
    last: float = 1e4

    def __post_init__(self) -> None:
        require_number(self.peak, "peak")
        require_count(self.steps, "steps", least=2)
        require_fraction(self.rise, "rise")
        for name in ("first", "last"):
            given = getattr(self, name)
            require(require_number(given, name) > 0, name, "over 0", given)

    def __call__(self, op: Ops, t: Value) -> Value:
        """first → peak → last by half cosines"""
        top, last = self.rise * self.steps - 1, self.steps - 1
        start = self.peak / self.first
        down = _half_cosine(op, _passed(op, t, top, last), self.peak, start / self.last)
        if top <= 0:
            return down
        up = _half_cosine(op, op.Div(t, top), start, self.peak)
        rate: Value = op.Where(op.LessOrEqual(t, op.like(top, t)), up, down)
        return rate


@dataclass(frozen=True, slots=True)
class piecewise:
    """One rate up to a step, then others.

    Args:
        rate: the first rate.
        later: rates by the step that they begin at, counted from 0.
    """

    rate: float
    later: Mapping[int, float]

    def __post_init__(self) -> None:
        require_number(self.rate, "rate")
        if not isinstance(self.later, Mapping):
            raise GraphError(f"later must be a dict of rates by step, not {self.later!r}")
        for step, rate in self.later.items():
            require_count(step, "a step", least=1)
            require_number(rate, f"the rate from step {step} on")

    def __call__(self, op: Ops, t: Value) -> Value:
        """The rate of the last step that is reached"""
        rate = op.like(self.rate, t)
        for step, number in sorted(self.later.items()):
            rate = op.Where(op.Less(t, float(step)), rate, op.like(number, t))
        return rate


def _passed(op: Ops, t: Value, start: float, end: float) -> Value:
    """Give how much of the way from start to end is done, 1 after it."""
    done: Value = op.Min(op.Div(op.Sub(t, float(start)), float(end - start)), op.like(1, t))
    return done


def _half_cosine(op: Ops, x: Value, start: float, end: float) -> Value:
    wave = op.Add(op.Cos(op.Mul(x, pi)), 1.0)
    rate: Value = op.Add(op.Mul(wave, (start - end) / 2), end)
    return rate


def _warmed(op: Ops, t: Value, steps: int, peak: float, after: Value) -> Value:
    if not steps:
        return after
    rate: Value = op.Where(op.Less(t, float(steps)), op.Mul(t, peak / steps), after)
    return rate
