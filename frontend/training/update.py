"""What an optimizer's `update` emits through; it knows no update rule and no training step."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from inspect import signature
from reprlib import repr as shortened
from typing import Any, Protocol

import numpy as np

from onnxgrad.compiler.emission.naming import STEP
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.dims import shapes_may_equal
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType

Gradients = Mapping[Value, Value]
"""The gradient dw of each trained parameter w."""

Schedule = Callable[[Ops, Value], Value]
"""Emits a learning rate, a float64 scalar, from the number of steps that are done, 0 at first."""

Rate = float | str | Schedule
"""A number, the name of a float32 scalar input that the step gains for it, or a schedule."""


class Optimizer(Protocol):
    """What `train_step` asks of an optimizer."""

    @property
    def learning_rate(self) -> Rate:
        """A number, the name of a scalar input of the step, or a schedule."""
        ...

    def update(self, update: "Update", gradients: Gradients) -> dict[Value, Value]:
        """Emit the new value of each parameter; state goes through `update.state`."""
        ...


_COUNT = "step"

_SHARED = "optimizer."
"""Prefix of state that belongs to no single parameter."""

MASTER = "master"
"""State of a parameter of 16 bits: the same number in float32, which is what training moves."""

_SINGLE = np.dtype(np.float32)
_DOUBLE = np.dtype(np.float64)


def is_optimizer_state(name: str, parameters: Collection[str]) -> bool:
    """Tell whether an optimizer that trains these parameters may keep state of that name."""
    if not parameters:
        return False
    shared = name == _COUNT or name.startswith(_SHARED)
    counts = shared or name.removeprefix(f"{_COUNT}_").isdecimal()
    return counts or any(name.startswith(f"{p}.") for p in parameters)


@dataclass(slots=True)
class _Scope:
    """What optimizers share that make their steps together: count, rate, and state so far."""

    pairs: dict[Value, Value] = field(default_factory=dict)
    count: Value | None = None
    scheduled: list[tuple[Schedule, Value]] = field(default_factory=list)
    rate: Rate = 0.0
    numbers: dict[np.dtype, Value] = field(default_factory=dict)


class Update:
    """What an optimizer's `update` emits through: operators, state and the learning rate."""

    def __init__(self, graph: Graph) -> None:
        self.op = Ops(graph, prefix=STEP)
        self.rates: list[Value] = []
        self.loss_scale: Value | None = None
        self.finite: list[Value] = []
        self._graph = graph
        self._scope = _Scope()
        self._fed: dict[str, Value] = {}
        self._parameters: dict[Value, Value] = {}
        self._casts: dict[tuple[Value, np.dtype], Value] = {}

    @property
    def pairs(self) -> dict[Value, Value]:
        """What each state becomes at the next step."""
        return self._scope.pairs

    def apply(
        self, optimizer: Optimizer, gradients: Gradients, when: Value | None = None
    ) -> dict[Value, Value]:
        """Emit the update of an optimizer, under its own learning rate.

        Args:
            optimizer: any optimizer.
            gradients: by parameter.
            when: a boolean scalar; where it is false nothing changes, neither parameters nor the
                optimizer's state and count of steps.
        """
        outer = self._scope
        shared = when is None
        inner = _Scope(outer.pairs, outer.count, outer.scheduled) if shared else _Scope()
        self._scope = inner
        inner.rate = optimizer.learning_rate
        new = optimizer.update(self, gradients)
        if not isinstance(new, Mapping) or set(new) != set(gradients):
            raise GraphError(f"{optimizer!r} must give a new value for each parameter, and no more")
        for w, after in new.items():
            if not _has_shape_of(w, after):
                raise GraphError(
                    f"{optimizer!r} gives {_said(after)} for '{self.name(w)}', which is {w.type}"
                )
        self._scope = outer
        if when is None:
            outer.count = inner.count
            return new
        outer.pairs |= {v: self.op.Where(when, after, v) for v, after in inner.pairs.items()}
        return {w: self.op.Where(when, after, w) for w, after in new.items()}

    def parameter(self, w: Value) -> Value:
        """Give what an optimizer moves for a parameter: itself, or its master in float32."""
        if w.dtype.itemsize >= 4:
            self._parameters[w] = w
            return w
        start = None if w.constant is None else w.constant.astype(_SINGLE)
        type_ = TensorType(_SINGLE, w.shape)
        master = self._state(f"{w.name}.{MASTER}", type_, start)
        self._parameters[master] = w
        return master

    def name(self, w: Value) -> str:
        """Give the name of a parameter."""
        return self._parameters[w].name

    def rate(self, w: Value) -> Value:
        """Give the learning rate as a scalar of the dtype of `w`."""
        rate, numbers = self._read_rate(self._scope.rate), self._scope.numbers
        if isinstance(rate, Value):
            return self.cast(rate, w)
        if w.dtype not in numbers:
            numbers[w.dtype] = self.op.like(rate, w)
        return numbers[w.dtype]

    def cast(self, x: Value, w: Value) -> Value:
        """Convert to the dtype of `w`; once, however often it is asked for."""
        if (x, w.dtype) not in self._casts:
            self._casts[x, w.dtype] = self._convert(x, w.dtype)
        return self._casts[x, w.dtype]

    def count(self) -> Value:
        """Give the number of this step, 1 at the first, as a float64 scalar."""
        if self._scope.count is None:
            before = self._state(_COUNT, TensorType(np.dtype(np.int64), ()), np.array(0))
            now = self.op.Add(before, 1)
            self.keep(before, now)
            self._scope.count = self._convert(now, _DOUBLE)
        return self._scope.count

    def state(
        self, name: str, w: Value, start: float = 0.0, shape: tuple[int, ...] | None = None
    ) -> Value:
        """Add state of a parameter, "<parameter>.<name>", of its shape unless one is given."""
        shape = self.shape(w) if shape is None else shape
        # zeros that nobody has written take no memory
        array = np.full(shape, start, w.dtype) if start else np.zeros(shape, w.dtype)
        return self._state(f"{self.name(w)}.{name}", TensorType(w.dtype, shape), array)

    def copy(self, name: str, w: Value) -> Value:
        """Add state of a parameter, "<parameter>.<name>", that starts as the parameter does."""
        start = self._parameters[w].constant
        start = None if start is None else start.astype(w.dtype)
        return self._state(f"{self.name(w)}.{name}", w.type, start)

    def shared(self, name: str, start: np.generic) -> Value:
        """Add state that belongs to no single parameter: a scalar, "optimizer.<name>"."""
        return self._state(f"{_SHARED}{name}", TensorType(start.dtype, ()), np.array(start))

    def keep(self, before: Value, after: Value) -> None:
        """State that `after` is what the input `before` becomes at the next step."""
        if not _has_shape_of(before, after) or after.dtype != before.dtype:
            raise GraphError(
                f"the state '{before.name}' is {before.type}, it cannot become {_said(after)}"
            )
        self.pairs[before] = after

    def skip_unless(self, gradients: Gradients) -> Value:
        """Tell whether all gradients are finite; where not, statistics stay what they are, too."""
        self.finite.append(all_finite(self.op, list(gradients.values())))
        return self.finite[-1]

    def shape(self, w: Value) -> tuple[int, ...]:
        """Give the shape of a parameter in numbers."""
        shape = tuple(d for d in w.shape or () if isinstance(d, int))
        if w.shape is None or len(shape) < len(w.shape):
            raise GraphError(
                f"the optimizer's state for '{self.name(w)}' needs its shape in numbers, it is "
                f"{w.type}; load the model with shapes={{…}}"
            )
        return shape

    def _read_rate(self, given: Rate) -> Value | float:
        """Give a number as it is; let an input or a schedule be a scalar, once."""
        if isinstance(given, str):
            if given not in self._fed:
                if given in self._graph.names:
                    raise GraphError(f"the graph has a '{given}'; rename the learning rate")
                fed = self._graph.add_value(Value(given, TensorType(_SINGLE, ())))
                self._graph.inputs.append(fed)
                self._fed[given] = fed
            return self._fed[given]
        if not callable(given):
            return require_number(given, "a learning rate that is not a name")
        for schedule, known in self._scope.scheduled:
            if schedule == given:
                return known
        rate = emit_rate(self.op, given, self.op.Sub(self.count(), 1.0))
        self._scope.scheduled.append((given, rate))
        self.rates.append(rate)
        return rate

    def _convert(self, x: Value, dtype: np.dtype) -> Value:
        return x if x.dtype == dtype else self.op.Cast(x, to=dtype)

    def _state(self, name: str, type_: Any, start: np.ndarray | None) -> Value:
        value = Value(self._graph.names.fresh(name), type_, start, parameter=start is not None)
        return self._graph.add_value(value)


def _has_shape_of(before: Value, after: Any) -> bool:
    return isinstance(after, Value) and shapes_may_equal(after.shape, before.shape)


def _said(given: Any) -> str:
    return str(given.type) if isinstance(given, Value) else shortened(given)


def emit_rate(op: Ops, schedule: Schedule, t: Value) -> Value:
    """Ask a schedule for its rate at t; it may be a function of the caller's.

    Raises:
        GraphError: it takes other arguments, or gives something else than a float64 scalar.
    """
    try:
        signature(schedule).bind(op, t)
    except (TypeError, ValueError) as error:
        raise GraphError(f"a schedule is a function of a builder and t: {error}") from None
    rate = schedule(op, t)
    if not isinstance(rate, Value) or rate.type != TensorType(_DOUBLE, ()):
        raise GraphError(f"a schedule gives a float64 scalar, not {rate!r}")
    return rate


def all_finite(op: Ops, gradients: Sequence[Value]) -> Value:
    """Tell whether none holds NaN or ∞, by 0·x, which is 0 for every other number."""
    zeros = [op.ReduceSum(op.Mul(dw, 0.0), keepdims=0) for dw in gradients]
    finite: Value = op.Not(op.IsNaN(reduce(op.Add, [op.Cast(zero, to=_SINGLE) for zero in zeros])))
    return finite
