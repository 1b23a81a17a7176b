"""Sequences of tensors: taken apart, read and put together."""

import numpy as np

from ..operator import Operator, register
from ..program import Array
from ..scope import Scope


def _draw_split_to_sequence(s: Scope) -> None:
    x = s.pick(rank=(1, 3), where=lambda a: a.shape[0] > 0)
    kept = s.whole(0, 1)
    (sequence,) = s.call("SplitToSequence", [x], dtype=s.dtype(x), axis=0, keepdims=kept)
    _draw_use(s, sequence, kept)


def _draw_sequence(s: Scope) -> None:
    x = s.pick(rank=(1, 3))
    parts = [x, *(s.matching(s.dims(x), s.dtype(x)) for _ in range(s.whole(0, 2)))]
    (sequence,) = s.call("SequenceConstruct", parts, dtype=s.dtype(x))
    if s.chance(0.4):
        more = s.matching(s.dims(x), s.dtype(x))
        (sequence,) = s.call("SequenceInsert", [sequence, more], dtype=s.dtype(x))
    _draw_use(s, sequence, 1)


def _draw_use(s: Scope, sequence: int, ranked: int) -> None:
    dtype = s.dtype(sequence)
    if s.chance(0.5):
        least = min(len(s.array(sequence, w)) for w in range(s.drawn.profile.worlds))
        at = s.whole(-least, least - 1)
        s.call("SequenceAt", [sequence, s.setting(np.array(at))], dtype=dtype)
    else:
        new = 0 if ranked and s.chance(0.6) else 1
        s.call("ConcatFromSequence", [sequence], dtype=dtype, axis=0, new_axis=new)


def _split_to_sequence(x: Array, axis: int, keepdims: int) -> tuple[list[Array]]:
    return ([x[k : k + 1] if keepdims else x[k] for k in range(len(x))],)


def _concat(sequence: list[Array], axis: int, new_axis: int) -> Array:
    return np.stack(sequence, axis) if new_axis else np.concatenate(sequence, axis)


register(
    Operator("SplitToSequence", _draw_split_to_sequence, _split_to_sequence, weight=0.3),
    Operator("SequenceConstruct", _draw_sequence, lambda *x: (list(x),), weight=0.3),
    Operator("SequenceInsert", _draw_sequence, lambda s, x: ([*s, x],), weight=0.1),
    Operator("SequenceAt", _draw_sequence, lambda s, k: s[int(k)], weight=0.1),
    Operator("ConcatFromSequence", _draw_sequence, _concat, weight=0.1),
)
