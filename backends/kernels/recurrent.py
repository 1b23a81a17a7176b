"""RNN, GRU and LSTM: one product for all inputs, then one for each step, over the whole batch."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .activations import (
    elu,
    hard_sigmoid,
    leaky_relu,
    relu,
    sigmoid,
    softplus,
    softsign,
    thresholded_relu,
)
from .precision import widened
from .registry import Array, kernel

_Activation = Callable[[Array], Array]

_ACTIVATIONS: dict[str, tuple[Callable[..., Array], dict[str, float]]] = {
    "affine": (lambda xp, x, alpha, beta: alpha * x + beta, {"alpha": 1.0, "beta": 0.0}),
    "elu": (elu, {"alpha": 1.0}),
    "hardsigmoid": (hard_sigmoid, {"alpha": 0.2, "beta": 0.5}),
    "leakyrelu": (leaky_relu, {"alpha": 0.01}),
    "relu": (relu, {}),
    "scaledtanh": (
        lambda xp, x, alpha, beta: alpha * xp.tanh(beta * x),
        {"alpha": 1.0, "beta": 1.0},
    ),
    "sigmoid": (sigmoid, {}),
    "softplus": (softplus, {}),
    "softsign": (softsign, {}),
    "tanh": (lambda xp, x: xp.tanh(x), {}),
    "thresholdedrelu": (thresholded_relu, {"alpha": 1.0}),
}
"""Activations, and what their parameters are where a node gives none."""

# (what the inputs give at this step, the states before) → the states after, the first being h
_Step = Callable[[Array, tuple[Array, ...]], tuple[Array, ...]]
_MakeStep = Callable[[int], _Step]


def _directions(direction: str) -> list[bool]:
    """Return for each direction whether it runs backwards."""
    return {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]


def _activations(
    xp: Any,
    names: Sequence[str] | None,
    defaults: Sequence[str],
    direction: str,
    clip: float | None,
    alpha: Sequence[float] | None,
    beta: Sequence[float] | None,
) -> Sequence[Sequence[_Activation]]:
    """Return the activations of each direction; those that take alpha and beta get them in order.

    A clip bounds what every activation gets.
    """
    directions = len(_directions(direction))
    given = {"alpha": iter(alpha or []), "beta": iter(beta or [])}
    functions = []
    for name in [n.lower() for n in names or [*defaults] * directions]:
        function, parameters = _ACTIVATIONS[name]
        settings = {p: next(given[p], default) for p, default in parameters.items()}
        functions.append(_clipped(xp, functools.partial(function, xp, **settings), clip))
    return [functions[i * len(defaults) : (i + 1) * len(defaults)] for i in range(directions)]


def _clipped(xp: Any, function: _Activation, clip: float | None) -> _Activation:
    if not clip:
        return function
    return lambda x: function(xp.clip(x, -clip, clip))


def _unroll(
    xp: Any,
    x: Array,
    w: Array,
    b: Array | None,
    lengths: Array | None,
    initial: Sequence[Array | None],
    make_step: _MakeStep,
    direction: str,
    layout: int,
    hidden: int,
) -> tuple[Array, ...]:
    """Return Y and the last states of all directions.

    x: (steps, batch, inputs), w: (directions, gates·hidden, inputs), b: (directions, 2·gates·
    hidden), states: (directions, batch, hidden); layout 1 puts the batch first in all but w, b.
    """
    x = x.swapaxes(0, 1) if layout else x
    steps, batch = x.shape[:2]
    backwards = _directions(direction)
    y = xp.zeros((steps, len(backwards), batch, hidden), x.dtype)
    last: list[list[Array]] = [[] for _ in initial]
    for i, reverse in enumerate(backwards):
        given = xp.matmul(x.reshape(steps * batch, x.shape[2]), w[i].T)
        if b is not None:
            given += b[i, : given.shape[1]]
        given = given.reshape(steps, batch, w.shape[1])
        states = tuple(
            xp.zeros((batch, hidden), x.dtype) if s is None else s[:, i] if layout else s[i]
            for s in initial
        )
        step = make_step(i)
        for t in reversed(range(steps)) if reverse else range(steps):
            after = step(given[t], states)
            if lengths is None:
                states, y[t, i] = after, after[0]
                continue
            runs = (t < lengths).reshape(-1, 1)
            states = tuple(xp.where(runs, a, s) for a, s in zip(after, states, strict=True))
            y[t, i] = xp.where(runs, after[0], x.dtype.type(0))
        for state, states_of in zip(states, last, strict=True):
            states_of.append(state)
    ends = [xp.stack(states, axis=1 if layout else 0) for states in last]
    return (y.transpose(2, 0, 1, 3) if layout else y, *ends)


def _recurrent_bias(b: Array | None, i: int, width: int) -> Any:
    """Return the second half of a direction's biases, those of the recurrent product."""
    return 0 if b is None else b[i, width:]


@kernel("RNN")
@widened
def rnn(
    xp: Any,
    x: Array,
    w: Array,
    r: Array,
    b: Array = None,
    lengths: Array = None,
    initial_h: Array = None,
    hidden_size: int | None = None,
    direction: str = "forward",
    layout: int = 0,
    activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    clip: float | None = None,
) -> tuple[Array, ...]:
    """Return all h and the last: h = f(x·wᵀ + h·rᵀ + biases)."""
    count = len(_directions(direction))
    chosen = (activations or [])[:count]  # the schema's default names two
    f = _activations(xp, chosen, ["tanh"], direction, clip, activation_alpha, activation_beta)
    hidden = r.shape[-1]

    def make_step(i: int) -> _Step:
        bias = _recurrent_bias(b, i, hidden)

        def step(given: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
            return (f[i][0](given + states[0] @ r[i].T + bias),)

        return step

    return _unroll(xp, x, w, b, lengths, [initial_h], make_step, direction, layout, hidden)


@kernel("GRU")
@widened
def gru(
    xp: Any,
    x: Array,
    w: Array,
    r: Array,
    b: Array = None,
    lengths: Array = None,
    initial_h: Array = None,
    hidden_size: int | None = None,
    direction: str = "forward",
    layout: int = 0,
    linear_before_reset: int = 0,
    activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    clip: float | None = None,
) -> tuple[Array, ...]:
    """Return all h and the last: h = (1 - z)·n + z·h, gates in the order z, r, n."""
    f = _activations(
        xp, activations, ["sigmoid", "tanh"], direction, clip, activation_alpha, activation_beta
    )
    hidden = r.shape[-1]

    def make_step(i: int) -> _Step:
        gates, new = r[i, : 2 * hidden].T, r[i, 2 * hidden :].T
        bias = _recurrent_bias(b, i, 3 * hidden)
        gates_bias, new_bias = (bias[: 2 * hidden], bias[2 * hidden :]) if b is not None else (0, 0)

        def step(given: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
            (h,) = states
            zr = f[i][0](given[:, : 2 * hidden] + h @ gates + gates_bias)
            z, reset = zr[:, :hidden], zr[:, hidden:]
            if linear_before_reset:
                recurrent = reset * (h @ new + new_bias)
            else:
                recurrent = (reset * h) @ new + new_bias
            candidate = f[i][1](given[:, 2 * hidden :] + recurrent)
            return (candidate + z * (h - candidate),)

        return step

    return _unroll(xp, x, w, b, lengths, [initial_h], make_step, direction, layout, hidden)


@kernel("LSTM")
@widened
def lstm(
    xp: Any,
    x: Array,
    w: Array,
    r: Array,
    b: Array = None,
    lengths: Array = None,
    initial_h: Array = None,
    initial_c: Array = None,
    peepholes: Array = None,
    hidden_size: int | None = None,
    direction: str = "forward",
    layout: int = 0,
    input_forget: int = 0,
    activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    clip: float | None = None,
) -> tuple[Array, ...]:
    """Return all h, the last h and the last c; gates in the order input, output, forget, cell."""
    defaults = ["sigmoid", "tanh", "tanh"]
    f = _activations(xp, activations, defaults, direction, clip, activation_alpha, activation_beta)
    hidden = r.shape[-1]

    def make_step(i: int) -> _Step:
        bias = _recurrent_bias(b, i, 4 * hidden)
        gate, cell, output = f[i]
        p = [0, 0, 0] if peepholes is None else peepholes[i].reshape(3, hidden)

        def step(given: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
            h, c = states
            total = given + h @ r[i].T + bias
            i_, o_, f_, c_ = (total[:, k * hidden : (k + 1) * hidden] for k in range(4))
            admit = gate(i_ + p[0] * c)
            forget = 1 - admit if input_forget else gate(f_ + p[2] * c)
            c = forget * c + admit * cell(c_)
            return gate(o_ + p[1] * c) * output(c), c

        return step

    states = [initial_h, initial_c]
    return _unroll(xp, x, w, b, lengths, states, make_step, direction, layout, hidden)
