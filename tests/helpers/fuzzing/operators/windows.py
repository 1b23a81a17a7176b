"""Convolutions, pools and resampling."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from ..operator import Operator, Unsuitable, f32, register
from ..program import Array
from ..scope import Scope, Sizes, given, same
from .elementwise import some
from .special import mean


def image(s: Scope, spatial: tuple[int, int] = (1, 2), channels: Sizes | None = None) -> int:
    """Give a batch of images: one that is there, or a new one."""
    if channels is None and s.chance(0.5):
        fits = lambda a: min(a.shape[2:], default=0) >= 2 and a.size > 0  # noqa: E731
        found = [
            n for n in s.visible() if s._fits(n, "f", (2 + spatial[0], 2 + spatial[1]), fits, None)
        ]
        if found:
            return int(s.choice(found))
    dims = [s.size(), channels or same(s, s.whole(1, 4))]
    dims += [s.size(low=3) for _ in range(s.whole(*spatial))]
    return s.new(dims)


def _same(s: Scope, size: int) -> Sizes:
    return (size,) * s.drawn.profile.worlds


def _window_settings(s: Scope, kernel: Sequence[int], pads: bool = True) -> dict[str, Any]:
    """Draw strides, dilations and padding for a kernel."""
    rank = len(kernel)
    settings: dict[str, Any] = {}
    if s.chance(0.4):
        settings["strides"] = [s.whole(1, 3) for _ in range(rank)]
    if s.chance(0.25):
        settings["dilations"] = [s.whole(1, 2) for _ in range(rank)]
    if pads and s.chance(0.5):
        settings["pads"] = [s.whole(0, k - 1) for k in (*kernel, *kernel)]
    elif pads and s.chance(0.3):
        settings["auto_pad"] = s.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
    return settings


def _geometry(
    shape: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Give strides, dilations and padding in full."""
    rank = len(kernel)
    strides, dilations = list(strides or [1] * rank), list(dilations or [1] * rank)
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        pads = pads or [0] * (2 * rank)
        return strides, dilations, [(pads[k], pads[k + rank]) for k in range(rank)]
    found = []
    for n, k, stride, dilation in zip(shape, kernel, strides, dilations, strict=True):
        total = max((-(-n // stride) - 1) * stride + (k - 1) * dilation + 1 - n, 0)
        small, large = total // 2, total - total // 2
        found.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return strides, dilations, found


def _windows(
    x: Array,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[tuple[int, int]],
    fill: float = 0.0,
) -> Array:
    """Give all windows: (batch, channels, *output, *kernel)."""
    rank = len(kernel)
    padded = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=fill)
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=tuple(range(2, 2 + rank)))
    steps = [slice(None, None, n) for n in (*strides, *dilations)]
    return np.asarray(views[(slice(None), slice(None), *steps)])


def _draw_conv(s: Scope) -> None:
    group = s.choice([1, 1, 1, 2, 3])
    x = image(s, channels=same(s, group * s.whole(1, 2)) if group > 1 else None)
    channels = s.dims(x)[1]
    if len(set(channels)) > 1:
        raise Unsuitable("channels that are no number")
    kernel = [s.whole(1, 3) for _ in s.dims(x)[2:]]
    out = group * s.whole(1, 3)
    w = s.new([same(s, n) for n in (out, channels[0] // group, *kernel)], s.dtype(x))
    bias = s.matching([same(s, out)], s.dtype(x)) if s.chance(0.5) else None
    settings = _window_settings(s, kernel)
    if group > 1:
        settings["group"] = group
    if s.chance(0.3):
        settings["kernel_shape"] = kernel
    s.call("Conv", [x, w, bias], **settings)


def _conv(x: Array, w: Array, b: Array | None = None, **settings: Any) -> Array:
    kernel, group = w.shape[2:], settings.get("group", 1)
    geometry = _geometry(x.shape[2:], kernel, *_four(settings))
    views = _windows(x, kernel, *geometry)
    rank = len(kernel)
    taps = list(range(2 + rank, 2 + 2 * rank))
    parts = [
        np.tensordot(v, u, axes=([1, *taps], [1, *range(2, 2 + rank)]))
        for v, u in zip(np.split(views, group, axis=1), np.split(w, group), strict=True)
    ]
    y = np.moveaxis(np.concatenate(parts, axis=-1), -1, 1)
    return y if b is None else y + b.reshape(-1, *[1] * rank)


def _four(settings: dict[str, Any]) -> tuple[Any, Any, Any, str]:
    strides, dilations, pads = (settings.get(n) for n in ("strides", "dilations", "pads"))
    return strides, dilations, pads, settings.get("auto_pad", "NOTSET")


def _draw_conv_transpose(s: Scope) -> None:
    group = s.choice([1, 1, 2])
    x = image(s, channels=same(s, group * s.whole(1, 2)))
    kernel = [s.whole(1, 3) for _ in s.dims(x)[2:]]
    out = s.whole(1, 2)
    w = s.new([same(s, n) for n in (s.shape(x)[1], out, *kernel)], s.dtype(x))
    bias = s.matching([same(s, out * group)], s.dtype(x)) if s.chance(0.4) else None
    settings = _window_settings(s, kernel)
    settings.pop("auto_pad", None)
    strides = settings.get("strides", [1] * len(kernel))
    if max(strides) > 1 and s.chance(0.4):
        settings["output_padding"] = [s.whole(0, n - 1) for n in strides]
    if group > 1:
        settings["group"] = group
    s.call("ConvTranspose", [x, w, bias], **settings)


def _conv_transpose(x: Array, w: Array, b: Array | None = None, **settings: Any) -> Array:
    kernel, group = w.shape[2:], settings.get("group", 1)
    rank = len(kernel)
    strides, dilations, pads = _geometry(x.shape[2:], kernel, *_four(settings))
    extra = settings.get("output_padding", [0] * rank)
    zipped = zip(x.shape[2:], kernel, strides, dilations, extra, strict=True)
    full = [(n - 1) * s + (k - 1) * d + 1 + e for n, k, s, d, e in zipped]
    channels = w.shape[1] * group
    y = np.zeros((x.shape[0], channels, *full))
    for k, tap in enumerate(product(*map(range, kernel))):
        at = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilations, x.shape[2:], strides, strict=True)
        )
        parts = [
            np.einsum("nc...,co->no...", v, u.reshape(*u.shape[:2], -1)[:, :, k])
            for v, u in zip(np.split(x, group, axis=1), np.split(w, group), strict=True)
        ]
        y[(slice(None), slice(None), *at)] += np.concatenate(parts, axis=1)
    cut = tuple(slice(a, n - c) for (a, c), n in zip(pads, full, strict=True))
    if any(c.stop <= c.start for c in cut):
        raise ValueError("nothing is left")
    y = y[(slice(None), slice(None), *cut)]
    return y if b is None else y + b.reshape(-1, *[1] * rank)


def _draw_pool(name: str) -> Any:
    def draw(s: Scope) -> None:
        x = image(s)
        kernel = [s.whole(1, 3) for _ in s.dims(x)[2:]]
        settings = _window_settings(s, kernel)
        if "auto_pad" in settings:  # the standard's text and runtimes part where windows lie apart
            settings["strides"] = [min(k, 2) for k in kernel]
            settings.pop("dilations", None)
        if name == "AveragePool" and s.chance(0.5):
            settings["count_include_pad"] = 1
        if name == "LpPool" and s.chance(0.5):
            settings["p"] = s.choice([1, 2, 3])
        s.call(name, [x], kernel_shape=kernel, **settings)

    return draw


def _max_pool(x: Array, **settings: Any) -> Array:
    kernel = settings["kernel_shape"]
    views = _windows(x, kernel, *_geometry(x.shape[2:], kernel, *_four(settings)), fill=-np.inf)
    return np.asarray(views.max(axis=tuple(range(-len(kernel), 0))))


def _max_pool_distance(x: Array, **settings: Any) -> Array:
    kernel = settings["kernel_shape"]
    views = _windows(x, kernel, *_geometry(x.shape[2:], kernel, *_four(settings)), fill=-1e9)
    flat = np.sort(views.reshape(*views.shape[: x.ndim], -1), axis=-1)
    return np.ones(()) if flat.shape[-1] < 2 else flat[..., -1] - flat[..., -2]


def _average_pool(x: Array, count_include_pad: int = 0, **settings: Any) -> Array:
    kernel = settings["kernel_shape"]
    geometry = _geometry(x.shape[2:], kernel, *_four(settings))
    axes = tuple(range(-len(kernel), 0))
    total = _windows(x, kernel, *geometry).sum(axis=axes)
    if count_include_pad:
        return np.asarray(total / np.prod(kernel))
    counts = _windows(np.ones_like(x), kernel, *geometry).sum(axis=axes)
    return np.asarray(total / counts)


def _lp_pool(x: Array, p: int = 2, **settings: Any) -> Array:
    kernel = settings["kernel_shape"]
    views = _windows(x, kernel, *_geometry(x.shape[2:], kernel, *_four(settings)))
    return np.asarray((np.abs(views) ** p).sum(axis=tuple(range(-len(kernel), 0))) ** (1 / p))


def _draw_global(name: str) -> Any:
    def draw(s: Scope) -> None:
        s.call(name, [image(s)], **given(name == "GlobalLpPool", p=s.choice([1, 2, 3])))

    return draw


def _spatial(x: Array) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _global_distance(x: Array) -> Array:
    flat = np.sort(x.reshape(*x.shape[:2], -1), axis=-1)
    return np.ones(()) if flat.shape[-1] < 2 else flat[..., -1] - flat[..., -2]


def _global_lp(x: Array, p: int = 2) -> Array:
    return np.asarray((np.abs(x) ** p).sum(axis=_spatial(x), keepdims=True) ** (1 / p))


def _draw_lrn(s: Scope) -> None:
    settings = some(alpha=[0.25, 1.0], beta=[0.5, 0.75], bias=[1.0, 2.0])(s)
    s.call("LRN", [image(s)], size=s.choice([1, 2, 3, 5]), **settings)


def _lrn(
    x: Array, size: int, alpha: float = f32(1e-4), beta: float = 0.75, bias: float = 1.0
) -> Array:
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    squares = np.pad(x * x, [(0, 0), (before, after), *[(0, 0)] * (x.ndim - 2)])
    total = sum(squares[:, k : k + x.shape[1]] for k in range(size))
    return np.asarray(x / (bias + alpha / size * total) ** beta)


def _draw_resize(s: Scope) -> None:
    x = image(s)
    rank = s.rank(x) - 2
    settings: dict[str, Any] = {"mode": s.choice(["nearest", "linear", "linear", "cubic"])}
    settings["coordinate_transformation_mode"] = s.choice(
        ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    )
    if settings["mode"] == "nearest":
        settings["coordinate_transformation_mode"] = "asymmetric"
        settings["nearest_mode"] = s.choice(["floor", "ceil"])
    if s.chance(0.5) and not any(len(set(d)) > 1 for d in s.dims(x)[:2]):
        sizes = [s.whole(1, 5) for _ in range(rank)]
        target = s.setting(np.array([*s.shape(x)[:2], *sizes]))
        s.call("Resize", [x, None, None, target], **settings)
    else:
        scales = np.array([1.0, 1.0, *(s.choice([0.5, 1.0, 1.5, 2.0, 2.5]) for _ in range(rank))])
        s.call("Resize", [x, None, s.constant(scales, "float32")], **settings)


def _resize(
    x: Array,
    roi: None,
    scales: Array | None = None,
    sizes: Array | None = None,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
) -> Array:
    for axis in range(2, x.ndim):
        size = x.shape[axis]
        length = size * float(scales[axis]) if scales is not None else float(sizes[axis])  # type: ignore[index]  # one is there
        new = int(np.floor(length))
        at = _coordinates(size, new, length, coordinate_transformation_mode)
        matrix = _interpolation(size, at, mode, nearest_mode)
        x = np.moveaxis(np.tensordot(x, matrix, axes=([axis], [1])), -1, axis)
    return x


def _coordinates(size: int, new: int, length: float, mode: str) -> Array:
    k = np.arange(new, dtype=np.float64)
    if mode == "asymmetric":
        return k * size / length
    if mode == "align_corners":
        return k * (size - 1) / (length - 1) if new > 1 else k * 0
    if mode == "pytorch_half_pixel" and new <= 1:
        return k * 0
    return (k + 0.5) * size / length - 0.5


def _interpolation(size: int, at: Array, mode: str, nearest: str) -> Array:
    """Give the matrix that samples an axis at coordinates; the edge goes on for ever."""
    shift = 1e-9 if nearest == "ceil" else 0.5  # a half goes down
    matrix = np.zeros((len(at), size))
    for row, c in zip(matrix, at, strict=True):
        if mode == "nearest":
            taps = {int(np.floor(c + 1e-9) if nearest == "floor" else np.ceil(c - shift)): 1.0}
        elif mode == "linear":
            low = int(np.floor(c))
            taps = {low: 1 - (c - low), low + 1: c - low}
        else:
            low = int(np.floor(c))
            taps = {low + k: _cubic(abs(c - low - k)) for k in range(-1, 3)}
        for k, weight in taps.items():
            row[min(max(k, 0), size - 1)] += weight
    return matrix


def _cubic(t: float, a: float = -0.75) -> float:
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


register(
    Operator("Conv", _draw_conv, _conv, weight=2),
    Operator("ConvTranspose", _draw_conv_transpose, _conv_transpose),
    Operator("MaxPool", _draw_pool("MaxPool"), _max_pool, _max_pool_distance),
    Operator("AveragePool", _draw_pool("AveragePool"), _average_pool),
    Operator("LpPool", _draw_pool("LpPool"), _lp_pool, lambda x, **_: np.abs(x) / 2, weight=0.6),
    Operator(
        "GlobalAveragePool",
        _draw_global("GlobalAveragePool"),
        lambda x: mean(x, _spatial(x)),
        weight=0.5,
    ),
    Operator(
        "GlobalMaxPool",
        _draw_global("GlobalMaxPool"),
        lambda x: x.max(axis=_spatial(x), keepdims=True),
        _global_distance,
        weight=0.5,
    ),
    Operator(
        "GlobalLpPool",
        _draw_global("GlobalLpPool"),
        _global_lp,
        lambda x, p=2: np.abs(x) / 2,
        weight=0.3,
    ),
    Operator("LRN", _draw_lrn, _lrn, weight=0.5),
    Operator("Resize", _draw_resize, _resize),
)
