"""RNN, GRU and LSTM with their default activations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..operator import Operator, Unsuitable, register
from ..program import Array
from ..scope import Scope, Sizes, same
from .special import sigmoid

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def _draw(name: str) -> Callable[[Scope], None]:
    def draw(s: Scope) -> None:
        if s.drawn.profile.dtypes[0] in ("float16", "bfloat16"):
            raise Unsuitable("half precision")
        try:
            x = s.pick(rank=(3, 3), where=lambda a: a.size > 0, dtype=s.drawn.profile.dtypes[0])
        except Unsuitable:
            x = s.new([s.size(), s.size(), s.size()])
        time, batch, width = s.dims(x)
        if len(set(width)) > 1:
            raise Unsuitable("a width that is no number")
        direction = s.choice(["forward", "forward", "reverse", "bidirectional"])
        ways, hidden = 2 if direction == "bidirectional" else 1, s.whole(1, 3)
        gates = _GATES[name]
        dtype = s.dtype(x)
        weights = [[same(s, n) for n in (ways, gates * hidden, k)] for k in (width[0], hidden)]
        inputs: list[int | None] = [x, *(s.matching(dims, dtype) for dims in weights)]
        has_bias = s.chance(0.6)
        bias = [same(s, ways), same(s, 2 * gates * hidden)]
        inputs.append(s.matching(bias, dtype) if has_bias else None)
        inputs.append(_lengths(s, time, batch) if s.chance(0.25) else None)
        state: list[Sizes] = [same(s, ways), batch, same(s, hidden)]
        states = 2 if name == "LSTM" else 1
        inputs += [s.matching(state, dtype) if s.chance(0.5) else None for _ in range(states)]
        settings: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
        if name == "GRU" and s.chance(0.5):
            settings["linear_before_reset"] = 1
        s.call(name, inputs, **settings)

    return draw


def _lengths(s: Scope, time: Sizes, batch: Sizes) -> int:
    if len(set(batch)) > 1:
        raise Unsuitable("a batch that is no number")
    if min(time) < 1:
        raise Unsuitable("no steps")
    lengths = s.rng.integers(1, min(time) + 1, batch[0]).astype(np.int32)
    return s.constant(lengths)


Cell = Callable[[Array, Array, Array, Array, tuple[Array, ...], int], tuple[Array, ...]]


def _rnn(p: Array, r: Array, pb: Array, rb: Array, state: tuple[Array, ...], linear: int) -> Any:
    (h,) = state
    return (np.tanh(p + pb + h @ r.T + rb),)


def _gru(p: Array, r: Array, pb: Array, rb: Array, state: tuple[Array, ...], linear: int) -> Any:
    (h,) = state
    n = h.shape[-1]
    given = p + pb
    back = h @ r[: 2 * n].T + rb[: 2 * n]
    z, reset = sigmoid(given[:, :n] + back[:, :n]), sigmoid(given[:, n : 2 * n] + back[:, n:])
    if linear:
        inner = reset * (h @ r[2 * n :].T + rb[2 * n :])
    else:
        inner = (reset * h) @ r[2 * n :].T + rb[2 * n :]
    return ((1 - z) * np.tanh(given[:, 2 * n :] + inner) + z * h,)


def _lstm(p: Array, r: Array, pb: Array, rb: Array, state: tuple[Array, ...], linear: int) -> Any:
    h, c = state
    i, o, f, g = np.split(p + pb + h @ r.T + rb, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def _forward(cell: Cell, states: int) -> Callable[..., tuple[Array, ...]]:
    def forward(
        x: Array,
        w: Array,
        r: Array,
        b: Array | None = None,
        lengths: Array | None = None,
        *initial: Array | None,
        hidden_size: int,
        direction: str,
        linear_before_reset: int = 0,
    ) -> tuple[Array, ...]:
        time, batch, _ = x.shape
        b = np.zeros((len(w), 2 * w.shape[1])) if b is None else b
        lengths = np.full(batch, time) if lengths is None else lengths
        y = np.zeros((time, len(w), batch, hidden_size))
        last = [np.zeros((len(w), batch, hidden_size)) for _ in range(states)]
        for way in range(len(w)):
            given = [a for a in (*initial, None, None)[:states]]
            state = tuple(np.zeros((batch, hidden_size)) if a is None else a[way] for a in given)
            pb, rb = np.split(b[way], 2)
            backwards = direction == "reverse" or way == 1
            for t in reversed(range(time)) if backwards else range(time):
                alive = (t < lengths)[:, None]
                new = cell(x[t] @ w[way].T, r[way], pb, rb, state, linear_before_reset)
                state = tuple(np.where(alive, a, o) for a, o in zip(new, state, strict=True))
                y[t, way] = np.where(alive, state[0], 0)
            for k, a in enumerate(state):
                last[k][way] = a
        return (y, *last)

    return forward


register(
    Operator("RNN", _draw("RNN"), _forward(_rnn, 1), weight=0.4),
    Operator("GRU", _draw("GRU"), _forward(_gru, 1), weight=0.4),
    Operator("LSTM", _draw("LSTM"), _forward(_lstm, 2), weight=0.5),
)
