"""Statistics of batches: sums of many numbers must not round far."""

import numpy as np

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
    _, _, dbias = batch_normalization_grad(np, dy, images, ones, mean, variance)
    np.testing.assert_allclose(dbias, dy.astype("f8").sum((0, 2, 3)), rtol=2e-6)
