"""Statistics of batches: sums of many numbers must not round far."""

import numpy as np
import pytest

from onnxgrad.backends.kernels.normalization import batch_normalization, batch_normalization_grad


def test_sums_over_a_batch_round_as_sums_over_an_image_do() -> None:
    rng = np.random.default_rng(0)
    images, dy = rng.uniform(0.5, 1.5, (2, 256, 32, 32, 3)).astype("f4").transpose(0, 1, 4, 2, 3)
    ones = np.ones(3, "f4")
    given = (ones, ones, ones, ones)
    _, mean, variance = batch_normalization(
        np, images, *given, momentum=0.0, training_mode=1, outputs=3
    )
    wide = images.astype("f8")
    np.testing.assert_allclose(mean, wide.mean((0, 2, 3)), rtol=2e-6)
    np.testing.assert_allclose(variance, wide.var((0, 2, 3)), rtol=2e-6)
    _, _, dbias = batch_normalization_grad(np, dy, images, ones)
    np.testing.assert_allclose(dbias, dy.astype("f8").sum((0, 2, 3)), rtol=2e-6)


@pytest.mark.parametrize("shape", [(6,), (6, 3), (2, 3, 5), (3, 4, 5, 2), (2, 3, 2, 4, 3)])
@pytest.mark.parametrize("is_last", [False, True])
def test_training_normalizes_in_any_layout(shape: tuple[int, ...], is_last: bool) -> None:
    """By its formula; dx and dscale are the slopes of Σ dy·y, by differences."""
    rng = np.random.default_rng(1)
    x, dy = rng.normal(size=(2, *shape))
    channels = x.shape[1] if x.ndim > 1 else 1
    if is_last and x.ndim > 1:
        x, dy = (np.moveaxis(np.moveaxis(a, 1, -1).copy(), -1, 1) for a in (x, dy))
    scale, shift = rng.normal(size=(2, channels))
    axes = tuple(k for k in range(x.ndim) if k != 1)

    def normalized(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
        middle, spread = x.mean(axes, keepdims=True), np.sqrt(x.var(axes, keepdims=True) + 1e-5)
        over = (-1, *[1] * max(x.ndim - 2, 0))
        return (x - middle) / spread * scale.reshape(over) + shift.reshape(over)

    zero = np.zeros(channels)
    y, mean, variance = batch_normalization(
        np, x, scale, shift, zero, zero, momentum=0.0, training_mode=1, outputs=3
    )
    np.testing.assert_allclose(y, normalized(x, scale), atol=1e-12)
    np.testing.assert_allclose(mean, np.ravel(x.mean(axes)), atol=1e-14)
    np.testing.assert_allclose(variance, np.ravel(x.var(axes)), atol=1e-14)
    dx, dscale, dbias = batch_normalization_grad(np, dy, x, scale)
    v, u = rng.normal(size=x.shape), rng.normal(size=scale.shape)
    step = 1e-6
    by_x = normalized(x + step * v, scale) - normalized(x - step * v, scale)
    by_scale = normalized(x, scale + step * u) - normalized(x, scale - step * u)
    assert np.vdot(dx, v) == pytest.approx(np.vdot(dy, by_x) / (2 * step), abs=1e-7)
    assert np.vdot(dscale, u) == pytest.approx(np.vdot(dy, by_scale) / (2 * step), abs=1e-7)
    np.testing.assert_allclose(dbias, np.ravel(dy.sum(axes)), atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0), (0, 3, 2, 2)])
def test_of_no_images_nothing_is_known(shape: tuple[int, ...]) -> None:
    """The mean of no numbers is NaN; what sums over them is 0."""
    x, ones = np.empty(shape), np.ones(3)
    with np.errstate(all="ignore"):
        y, mean, variance = batch_normalization(np, x, *[ones] * 4, training_mode=1, outputs=3)
        dx, *sums = batch_normalization_grad(np, x, x, ones)
    assert y.shape == dx.shape == shape
    assert np.isnan(mean).all() and np.isnan(variance).all()
    np.testing.assert_array_equal(sums, 0)
