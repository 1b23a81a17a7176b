"""Operators that move elements, and those that compute with shapes."""

from typing import Any

import numpy as np

from ..operator import Operator, Unsuitable, draw_also, register
from ..program import Array
from ..scope import Scope, Sizes, given, same


def _draw_reshape(s: Scope) -> None:
    x = s.pick(rank=(0, 5))
    dims = s.dims(x)
    kind = s.whole(0, 3)
    if kind == 0:
        s.call("Reshape", [x, s.setting(np.array([-1]))])
    elif kind == 1 and len(dims) >= 2:  # merge two axes, keep the others
        k = s.whole(0, len(dims) - 2)
        target = [0] * k + [-1] + [0] * (len(dims) - k - 2)
        if any(s.dims(x)[j + 1] != s.dims(x)[j] for j in range(k + 1, len(dims) - 1)):
            target[k + 1 :] = [_fixed(d) for d in dims[k + 2 :]]
        s.call("Reshape", [x, s.setting(np.array(target))])
    elif kind == 2:  # split an axis
        target = []
        at = s.whole(0, max(len(dims) - 1, 0))
        for k, d in enumerate(dims):
            factors = [f for f in (2, 3) if d[0] and all(n % f == 0 for n in d)]
            if k == at and factors:
                target += [s.choice(factors), -1]
            else:
                target += [0 if len(target) == k and s.chance(0.5) else _fixed(d)]
        s.call("Reshape", [x, s.setting(np.array(target, np.int64))])
    else:  # as another tensor is shaped
        other = s.pick(where=lambda a: a.size == s.array(x).size)
        (shape,) = s.call("Shape", [other])
        s.call("Reshape", [x, shape])


def _fixed(sizes: Sizes) -> int:
    if len(set(sizes)) > 1 or sizes[0] == 0:
        raise Unsuitable("a size that is no number")
    return sizes[0]


def _reshape(x: Array, shape: Array, allowzero: int = 0) -> Array:
    target = [int(n) for n in shape]
    if not allowzero:
        target = [x.shape[k] if n == 0 else n for k, n in enumerate(target)]
    if -1 in target and 0 in target:
        raise ValueError("-1 beside 0")
    return x.reshape(target)


def _draw_transpose(s: Scope) -> None:
    x = s.pick(rank=(0, 5))
    if s.chance(0.2):
        s.call("Transpose", [x])
    else:
        s.call("Transpose", [x], perm=[int(k) for k in s.rng.permutation(s.rank(x))])


def _draw_squeeze(s: Scope) -> None:
    x = s.pick(rank=(1, 5), where=lambda a: 1 in a.shape)
    ones = [k for k, d in enumerate(s.dims(x)) if set(d) == {1}]
    if not ones:
        raise Unsuitable("no axis of size 1")
    if s.chance(0.2) and all(set(d) == {1} or 1 not in d for d in s.dims(x)):
        s.call("Squeeze", [x])
    else:
        axis = s.choice(ones) - s.rank(x) * s.chance(0.3)
        s.call("Squeeze", [x, s.setting(np.array([axis]))])


def _squeeze(x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, None if axes is None else tuple(int(a) for a in axes))


def _draw_unsqueeze(s: Scope) -> None:
    x = s.pick(rank=(0, 4))
    rank = s.rank(x) + 1
    s.call("Unsqueeze", [x, s.setting(np.array([s.whole(-rank, rank - 1)]))])


def _draw_flatten(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    s.call("Flatten", [x], axis=s.whole(-s.rank(x), s.rank(x)))


def _flatten(x: Array, axis: int = 1) -> Array:
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:])))


def _draw_concat(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    axis = s.axis(s.rank(x))
    parts = [x]
    for _ in range(s.whole(0, 2)):
        dims = list(s.dims(x))
        if s.chance(0.6):
            dims[axis] = s.size()
        parts.append(s.matching(dims, s.dtype(x)))
    order = [parts[k] for k in s.rng.permutation(len(parts))]
    s.call("Concat", order, axis=axis)


def _draw_split(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    axis = s.axis(s.rank(x))
    sizes = s.dims(x)[axis]
    if s.chance(0.5):
        s.call("Split", [x], axis=axis, num_outputs=s.whole(1, max(1, min(min(sizes), 3))))
    else:
        size = _fixed(sizes)
        first = s.whole(0, size)
        s.call("Split", [x, s.setting(np.array([first, size - first]))], axis=axis)


def _split(
    x: Array, split: Array | None = None, axis: int = 0, num_outputs: int = 0
) -> tuple[Array, ...]:
    size = x.shape[axis]
    if split is None:
        part = -(-size // num_outputs)
        if part * (num_outputs - 1) >= size:
            raise ValueError("a last part without elements")
        ends = [part * k for k in range(1, num_outputs)]
    else:
        if int(split.sum()) != size:
            raise ValueError("parts do not add up")
        ends = [int(n) for n in np.cumsum(split)[:-1]]
    return tuple(np.split(x, ends, axis=axis))


def _draw_slice(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    rank = s.rank(x)
    axes = [int(a) for a in s.rng.choice(rank, s.whole(1, min(rank, 2)), replace=False)]
    starts: list[int] = []
    ends: list[int] = []
    steps: list[int] = []
    for axis in axes:
        size = s.shape(x)[axis]
        step = s.choice([1, 1, 1, 2, -1, -2])
        low, high = s.whole(-size - 1, size), s.choice([s.whole(-size - 1, size + 1), 2**31 - 1])
        if step < 0:
            low, high = (
                s.choice([-1, size, 2**31 - 1, s.whole(-size, size)]),
                s.choice([-(2**31), s.whole(-size - 1, size)]),
            )
        for listed, number in ((starts, low), (ends, high), (steps, step)):
            listed.append(number)
    signed = [a - rank * s.chance(0.2) for a in axes]
    settings = [starts, ends, signed, steps]
    if axes == list(range(len(axes))) and s.chance(0.3) and set(steps) == {1}:
        settings = settings[:2]
    elif set(steps) == {1} and s.chance(0.4):
        settings = settings[:3]
    s.call("Slice", [x, *(s.setting(np.array(v)) for v in settings)])


def _slice(
    x: Array, starts: Array, ends: Array, axes: Array | None = None, steps: Array | None = None
) -> Array:
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), np.int64) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size, step = x.shape[axis], int(step)
        low, high = (int(v) + size if v < 0 else int(v) for v in (start, end))
        if step > 0:
            positions = range(min(max(low, 0), size), min(max(high, 0), size), step)
        else:
            positions = range(min(max(low, 0), size - 1), min(max(high, -1), size - 1), step)
        x = np.take(x, np.array(positions, np.int64), axis=axis)
    return x


def _draw_pad(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    rank = s.rank(x)
    mode = s.choice(["constant", "constant", "reflect", "edge", "wrap"])
    low = -1 if mode == "constant" and s.chance(0.3) else 0
    axes = sorted(int(a) for a in s.rng.choice(rank, s.whole(1, rank), replace=False))
    pads = [s.whole(low, 2) for _ in range(2 * len(axes))]
    inputs: list[int | None] = [x, s.setting(np.array(pads)), None, None]
    if mode == "constant" and s.chance(0.5):
        inputs[2] = s.new([], s.dtype(x))
    if axes != list(range(rank)) or s.chance(0.2):
        inputs[3] = s.setting(np.array(axes))
    s.call("Pad", inputs, **given(mode != "constant" or s.chance(0.5), mode=mode))


def _pad(
    x: Array,
    pads: Array,
    value: Array | None = None,
    axes: Array | None = None,
    mode: str = "constant",
) -> Array:
    axes = np.arange(x.ndim) if axes is None else axes
    widths = [(0, 0)] * x.ndim
    for k, axis in enumerate(axes):
        widths[axis] = (int(pads[k]), int(pads[k + len(axes)]))
    if mode != "constant":
        if min(map(min, widths)) < 0 or any(
            max(w) >= n for w, n in zip(widths, x.shape, strict=True)
        ):
            raise ValueError("not so far")
        return np.pad(x, widths, mode=mode)  # type: ignore[call-overload]  # one of four modes
    cut = tuple(
        slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, x.shape, strict=True)
    )
    if any(c.start > c.stop for c in cut):
        raise ValueError("more cut than there is")
    fill = 0 if value is None else value
    return np.pad(x[cut], [(max(a, 0), max(b, 0)) for a, b in widths], constant_values=fill)


def _draw_tile(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    repeats = [s.choice([1, 1, 2, 3, 0] if s.chance(0.1) else [1, 1, 2]) for _ in s.shape(x)]
    s.call("Tile", [x, s.setting(np.array(repeats))])


def _draw_expand(s: Scope) -> None:
    x = s.pick(rank=(0, 4))
    if s.chance(0.4):
        (shape,) = s.call("Shape", [s.pick()])
        s.call("Expand", [x, shape])
        return
    target = [_fixed(d) if set(d) != {1} or s.chance(0.5) else s.whole(1, 3) for d in s.dims(x)]
    if s.chance(0.4):
        target = [s.whole(1, 3), *target]
    elif target and s.chance(0.3):
        target = [1 if s.chance(0.5) else n for n in target[1:]]
    s.call("Expand", [x, s.setting(np.array(target, np.int64))])


def _expand(x: Array, shape: Array) -> Array:
    return x * np.ones([int(n) for n in shape])


def _draw_shape(s: Scope) -> None:
    x = s.pick()
    ends = [n for n in ("start", "end") if s.chance(0.2)]
    settings: dict[str, Any] = {n: s.whole(-s.rank(x), s.rank(x)) for n in ends}
    s.call("Shape", [x], **settings)


def _shape(x: Array, start: int = 0, end: int | None = None) -> Array:
    return np.array(x.shape[start:end], np.int64)


def _draw_whole_arithmetic(s: Scope) -> None:
    x = s.pick("i")
    op = s.choice(["Add", "Sub", "Mul"])
    s.call(op, [x, s.constant(np.array(s.whole(0, 2)))])


def _draw_trilu(s: Scope) -> None:
    x = s.pick(rank=(2, 4))
    inputs: list[int | None] = [x, s.setting(np.array(s.whole(-2, 2))) if s.chance(0.5) else None]
    s.call("Trilu", inputs, upper=s.whole(0, 1))


def _trilu(x: Array, k: Array | None = None, upper: int = 1) -> Array:
    return (np.triu if upper else np.tril)(x, 0 if k is None else int(k))


def _draw_blocks(name: str) -> Any:
    def draw(s: Scope) -> None:
        two = (2, 4) if s.chance(0.5) else (4, 4)
        sizes = [same(s, n) for n in (1, 4, *two)]
        x = s.new(sizes)
        mode = given(name == "DepthToSpace", mode=s.choice(["DCR", "CRD"]))
        s.call(name, [x], blocksize=2, **mode)

    return draw


def _depth_to_space(x: Array, blocksize: int, mode: str = "DCR") -> Array:
    n, c, h, w = x.shape
    b = blocksize
    if mode == "DCR":
        return (
            x.reshape(n, b, b, c // b**2, h, w)
            .transpose(0, 3, 4, 1, 5, 2)
            .reshape(n, c // b**2, h * b, w * b)
        )
    return (
        x.reshape(n, c // b**2, b, b, h, w)
        .transpose(0, 1, 4, 2, 5, 3)
        .reshape(n, c // b**2, h * b, w * b)
    )


def _space_to_depth(x: Array, blocksize: int) -> Array:
    n, c, h, w = x.shape
    b = blocksize
    return (
        x.reshape(n, c, h // b, b, w // b, b)
        .transpose(0, 3, 5, 1, 2, 4)
        .reshape(n, c * b**2, h // b, w // b)
    )


def _draw_reverse_sequence(s: Scope) -> None:
    x = s.pick(rank=(2, 4), where=lambda a: a.shape[0] > 0 and a.shape[1] > 0)
    time, batch = (0, 1) if s.chance(0.5) else (1, 0)
    longest = min(n for n in s.dims(x)[time])
    lengths = [s.whole(1, longest) for _ in range(_fixed(s.dims(x)[batch]))]
    s.call(
        "ReverseSequence",
        [x, s.setting(np.array(lengths))],
        time_axis=time,
        batch_axis=batch,
    )


def _reverse_sequence(x: Array, lengths: Array, time_axis: int, batch_axis: int) -> Array:
    moved = np.moveaxis(x, (batch_axis, time_axis), (0, 1)).copy()
    for row, length in zip(moved, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    return np.moveaxis(moved, (0, 1), (batch_axis, time_axis))


def _draw_constant_of_shape(s: Scope) -> None:
    (shape,) = s.call("Shape", [s.pick()])
    dtype = s.drawn.profile.dtypes[0]
    value = np.array([s.rng.uniform(0.5, 1)]).astype(dtype)
    s.call("ConstantOfShape", [shape], dtype=dtype, value=value)


def _draw_range(s: Scope) -> None:
    dtype = s.drawn.profile.dtypes[0]
    if dtype in ("float16", "bfloat16"):
        raise Unsuitable("no Range in half precision")
    limit = s.whole(1, 4)
    start = s.new([], dtype, values=lambda _: np.array(0.25))
    step = s.new([], dtype, values=lambda _: np.array(1.1))
    s.call("Range", [start, s.constant(np.array(0.25 + 1.1 * limit - 0.5)), step], dtype=dtype)


def _draw_eye_like(s: Scope) -> None:
    x = s.pick(rank=(2, 2))
    s.call("EyeLike", [x], k=s.whole(-1, 1))


def _eye_like(x: Array, k: int) -> Array:
    return np.eye(x.shape[0], x.shape[1], k=k)


register(
    Operator("Reshape", _draw_reshape, _reshape, weight=2.5),
    Operator("Transpose", _draw_transpose, lambda x, perm=None: np.transpose(x, perm), weight=2),
    Operator("Squeeze", _draw_squeeze, _squeeze),
    Operator("Unsqueeze", _draw_unsqueeze, lambda x, a: np.expand_dims(x, int(a[0])), weight=1.5),
    Operator("Flatten", _draw_flatten, _flatten),
    Operator("Concat", _draw_concat, lambda *x, axis: np.concatenate(x, axis=axis), weight=2),
    Operator("Split", _draw_split, _split, weight=1.5),
    Operator("Slice", _draw_slice, _slice, weight=2),
    Operator("Pad", _draw_pad, _pad, weight=1.5),
    Operator("Tile", _draw_tile, lambda x, repeats: np.tile(x, repeats)),
    Operator("Expand", _draw_expand, _expand, weight=1.5),
    Operator("Shape", _draw_shape, _shape, weight=0.4),
    Operator("Size", lambda s: s.call("Size", [s.pick()]), lambda x: np.array(x.size), weight=0.2),
    Operator("Trilu", _draw_trilu, _trilu, weight=0.6),
    Operator("DepthToSpace", _draw_blocks("DepthToSpace"), _depth_to_space, weight=0.3),
    Operator("SpaceToDepth", _draw_blocks("SpaceToDepth"), _space_to_depth, weight=0.3),
    Operator("ReverseSequence", _draw_reverse_sequence, _reverse_sequence, weight=0.6),
    Operator(
        "ConstantOfShape",
        _draw_constant_of_shape,
        lambda shape, value: np.full([int(n) for n in shape], value[0], np.float64),
        weight=0.4,
    ),
    Operator("Range", _draw_range, lambda a, b, step: np.arange(a, b, step), weight=0.3),
    Operator(
        "EyeLike", _draw_eye_like, lambda x, k: np.eye(x.shape[0], x.shape[1], k=k), weight=0.3
    ),
)

draw_also("Add", _draw_whole_arithmetic, 0.4)
