"""Convolutions by Winograd's F(2, 3) against sums over taps in float64."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from onnxgrad.backends.compiled.winograd import IN_REGISTERS
from onnxgrad.backends.kernels import convolution, winograd

TRANSFORMS = {"numpy": winograd.IN_NUMPY, "numba": IN_REGISTERS}

CASES = {
    "even": ((2, 4, 6, 8), 5, 1, (1, 1), (1, 1, 1, 1)),
    "odd": ((3, 3, 7, 5), 4, 1, (1, 1), (0, 1, 2, 0)),
    "one output": ((2, 3, 3, 3), 2, 1, (1, 1), (0, 0, 0, 0)),
    "dilated": ((2, 3, 11, 9), 4, 1, (2, 3), (2, 3, 2, 3)),
    "groups": ((2, 6, 6, 7), 9, 3, (1, 1), (1, 1, 1, 1)),
    "line": ((2, 4, 9), 3, 1, (1,), (1, 1)),
    "wide": ((2, 35, 6, 7), 33, 1, (1, 1), (1, 1, 1, 1)),
    "volume": ((2, 3, 4, 5, 6), 4, 1, (1, 2, 1), (1, 2, 1, 1, 2, 1)),
}
"""Shape of x, maps, groups, dilations, pads."""


@pytest.fixture(params=TRANSFORMS)
def by(request: pytest.FixtureRequest) -> winograd.Transforms:
    """Who adds up."""
    return TRANSFORMS[request.param]


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let small convolutions go this way, in several blocks; tell which functions ran."""
    ran: list[str] = []
    for name in ("_LEAST_TILES", "_LEAST_PRODUCTS"):
        monkeypatch.setattr(winograd, name, 0)
    for transforms in TRANSFORMS.values():
        monkeypatch.setattr(transforms, "sum_cost", -1000)
    monkeypatch.setattr(winograd, "core_count", lambda: 1)
    monkeypatch.setattr(winograd, "_PLANES_BYTES", 4096)
    for name in ("correlate", "weight_gradient"):
        monkeypatch.setattr(winograd, name, noted(ran, name, getattr(winograd, name)))
    return ran


def noted(ran: list[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function note its name when it runs."""

    def run(*arguments: Any) -> Any:
        ran.append(name)
        return function(*arguments)

    return run


def by_taps(
    x: np.ndarray, w: np.ndarray, group: int, dilations: Sequence[int], pads: Sequence[int]
) -> np.ndarray:
    """Convolve as ONNX defines it: a sum over taps, in float64."""
    rank = w.ndim - 2
    around = [(0, 0), (0, 0), *((pads[i], pads[i + rank]) for i in range(rank))]
    x = np.pad(x.astype(float), around)
    outputs = [n - 2 * d for n, d in zip(x.shape[2:], dilations, strict=True)]
    y = np.zeros((len(x), group, w.shape[0] // group, *outputs))
    weight = w.astype(float).reshape(group, -1, w.shape[1], 3**rank)
    for k, tap in enumerate(itertools.product(range(3), repeat=rank)):
        part = [slice(i * d, i * d + n) for i, d, n in zip(tap, dilations, outputs, strict=True)]
        met = x[(slice(None), slice(None), *part)].reshape(len(x), group, -1, *outputs)
        y += np.einsum("ngc...,gkc->ngk...", met, weight[..., k])
    return y.reshape(len(x), -1, *outputs)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_three_are_those_of_the_sum_over_taps(
    by: winograd.Transforms, name: str, dtype: str, always: list[str]
) -> None:
    """The gradients are those of ⟨dy, y⟩, which is linear in x and in w: its coefficients."""
    shape, maps, group, dilations, pads = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(dtype)
    w = rng.normal(size=(maps, shape[1] // group, *(3,) * len(dilations))).astype(dtype)
    ones = [1] * len(dilations)
    y = convolution.conv(np, x, w, dilations=dilations, pads=pads, group=group, transforms=by)
    wanted = by_taps(x, w, group, dilations, pads)
    dy = rng.normal(size=wanted.shape).astype(dtype)
    shapes = (np.array(a.shape, np.int64) for a in (x, w))
    dx = convolution.conv_input_grad(
        np, dy, w, next(shapes), ones, dilations, pads, group, transforms=by
    )
    dw = convolution.conv_weight_grad(
        np, dy, x, next(shapes), ones, dilations, pads, group, transforms=by
    )
    assert always == ["correlate"] * 2 * group + ["weight_gradient"] * group
    within = 1e-5 if dtype == "float32" else 1e-13
    assert y.dtype == dx.dtype == dw.dtype == dtype
    np.testing.assert_allclose(y, wanted, atol=within * np.abs(wanted).max())
    for gradient, array, place in ((dx, x, 0), (dw, w, 1)):
        v = rng.normal(size=array.shape)
        moved = by_taps(v if place == 0 else x, v if place else w, group, dilations, pads)
        assert np.vdot(gradient, v) == pytest.approx(np.vdot(dy, moved), abs=within * y.size)


def test_each_gradient_element_is_its_own(by: winograd.Transforms, always: list[str]) -> None:
    """One weight and one pixel at a time."""
    shape, maps, group, dilations, pads = CASES["odd"]
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=shape), rng.normal(size=(maps, shape[1], 3, 3))
    dy = rng.normal(size=by_taps(x, w, group, dilations, pads).shape)
    shapes = [np.array(a.shape, np.int64) for a in (x, w)]
    dx = convolution.conv_input_grad(np, dy, w, shapes[0], [1, 1], dilations, pads, transforms=by)
    dw = convolution.conv_weight_grad(np, dy, x, shapes[1], [1, 1], dilations, pads, transforms=by)
    for place in [(0, 0, 0, 0), (3, 2, 2, 2), (1, 1, 0, 2), (2, 0, 2, 1)]:
        unit = np.zeros(w.shape)
        unit[place] = 1
        assert dw[place] == pytest.approx(np.vdot(dy, by_taps(x, unit, group, dilations, pads)))
    for place in [(0, 0, 0, 0), (2, 2, 6, 4), (1, 1, 3, 2)]:
        unit = np.zeros(x.shape)
        unit[place] = 1
        assert dx[place] == pytest.approx(np.vdot(dy, by_taps(unit, w, group, dilations, pads)))
    assert "weight_gradient" in always


def test_windows_of_zeros_give_zero(by: winograd.Transforms, always: list[str]) -> None:
    """What lies outside the receptive field is exactly 0, as with products of whole windows."""
    rng = np.random.default_rng(2)
    x = np.zeros((1, 4, 12, 12), np.float32)
    x[:, :, 5:8, 4:6] = rng.normal(size=(1, 4, 3, 2))
    w = rng.normal(size=(6, 4, 3, 3)).astype(np.float32)
    y = convolution.conv(np, x, w, pads=[1] * 4, transforms=by)
    assert always == ["correlate"]
    assert np.array_equal(y != 0, np.broadcast_to(by_taps(x, w, 1, (1, 1), [1] * 4) != 0, y.shape))


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e30, 1e4])
@np.errstate(all="ignore")
def test_a_towering_number_stays_in_its_windows(
    by: winograd.Transforms, odd: float, always: list[str]
) -> None:
    """Its neighbours would carry its rounding error, or NaN."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 4, 8, 8)).astype(np.float32)
    w = rng.normal(size=(4, 4, 3, 3)).astype(np.float32)
    plain = by_taps(x, w, 1, (1, 1), [1] * 4)
    x[0, 0, 0, 0] = odd
    y = convolution.conv(np, x, w, pads=[1] * 4, transforms=by)
    dw = convolution.conv_weight_grad(
        np, plain, x, np.array(w.shape), [1, 1], [1, 1], [1] * 4, transforms=by
    )
    assert not always
    assert np.isfinite(dw[:, 1:]).all()
    far = np.ones(y.shape, bool)
    far[0, :, :2, :2] = False
    np.testing.assert_allclose(y[far], plain[far], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("odd", [np.nan, -np.inf, 1e30])
@np.errstate(all="ignore")
def test_a_towering_weight_stays_in_its_map(
    by: winograd.Transforms, odd: float, always: list[str]
) -> None:
    """And so does a gradient, in those of its map's weights; all are told, turned around, too."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2, 4, 8, 8)).astype(np.float32)
    w = rng.normal(size=(5, 4, 3, 3)).astype(np.float32)
    plain = by_taps(x, w, 1, (1, 1), [1] * 4)
    w[1, 2, 0, 1] = odd
    y = convolution.conv(np, x, w, pads=[1] * 4, transforms=by)
    dy = rng.normal(size=y.shape).astype(np.float32)
    rest = ([1, 1], [1, 1], [1] * 4)
    dx = convolution.conv_input_grad(np, dy, w, np.array(x.shape), *rest, transforms=by)
    dy[1, 3, 4, 5] = odd
    dw = convolution.conv_weight_grad(np, dy, x, np.array(w.shape), *rest, transforms=by)
    assert not always
    np.testing.assert_allclose(np.delete(y, 1, 1), np.delete(plain, 1, 1), rtol=1e-4, atol=1e-4)
    assert np.isfinite(np.delete(dx, 2, 1)).all() and np.isfinite(np.delete(dw, 3, 0)).all()


def test_tiny_numbers_are_no_zeros(by: winograd.Transforms) -> None:
    """Their squares are 0 in float32."""
    x = np.full((1, 4, 6, 6), 1e-25, np.float32)
    x[0, 0, 0, 0] = 1e-21
    w = np.ones((4, 4, 3, 3), np.float32)
    y = convolution.conv(np, x, w, transforms=by)
    np.testing.assert_allclose(y, by_taps(x, w, 1, (1, 1), [0] * 4), rtol=1e-5)


def test_integers_are_convolved_as_integers(by: winograd.Transforms, always: list[str]) -> None:
    """Halves of weights have no place there."""
    x, w = np.arange(72).reshape(1, 2, 6, 6), np.arange(36).reshape(2, 2, 3, 3)
    y = convolution.conv(np, x, w, transforms=by)
    assert not always
    assert np.array_equal(y, by_taps(x, w, 1, (1, 1), [0] * 4))


def test_large_convolutions_go_this_way(
    by: winograd.Transforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer of a ResNet does; a thin one, one of stride 2 and one of few images do not.

    On several cores none does.
    """
    monkeypatch.undo()
    monkeypatch.setattr(winograd, "core_count", lambda: 1)
    ran: list[str] = []
    monkeypatch.setattr(winograd, "correlate", noted(ran, "it", winograd.correlate))
    rng = np.random.default_rng(4)
    x = rng.normal(size=(32, 128, 16, 16)).astype(np.float32)
    w = rng.normal(size=(128, 128, 3, 3)).astype(np.float32)
    y = convolution.conv(np, x, w, pads=[1] * 4, transforms=by)
    assert ran == ["it"]
    wanted = by_taps(x[:2], w[:8], 1, (1, 1), [1] * 4)
    np.testing.assert_allclose(y[:2, :8], wanted, atol=1e-5 * np.abs(wanted).max())
    convolution.conv(np, x, w, pads=[1] * 4, strides=[2, 2], transforms=by)
    convolution.conv(np, x[:1, :, :4, :4], w, pads=[1] * 4, transforms=by)
    convolution.conv(np, x[:, :16], w[:16, :16], pads=[1] * 4, transforms=by)
    monkeypatch.setattr(winograd, "core_count", lambda: 2)
    convolution.conv(np, x, w, pads=[1] * 4, transforms=by)
    assert ran == ["it"] * (1 if by.one_core else 2)


@pytest.mark.parametrize("rows", [6, 7])
def test_what_must_not_be_written_to_is_read(rows: int, by: winograd.Transforms) -> None:
    """Arrays of a file that lies in memory, and such as start between two words."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, rows, rows, 17)).astype(np.float32)
    w = rng.normal(size=(4, 17, 3, 3)).astype(np.float32)
    wanted = by_taps(x.transpose(0, 3, 1, 2), w, 1, (1, 1), [0] * 4)
    fixed = np.frombuffer(x.tobytes(), np.float32).reshape(x.shape)
    shifted = np.frombuffer(b"0" + x.tobytes(), np.float32, offset=1).reshape(x.shape)
    assert not fixed.flags.writeable and not shifted.flags.aligned
    for image in (fixed, shifted):
        y = convolution.conv(np, image.transpose(0, 3, 1, 2), w, transforms=by)
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)
