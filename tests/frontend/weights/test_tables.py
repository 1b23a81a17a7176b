"""What numbers give away: waves and masks are found, learned tables are not taken for them."""

import ml_dtypes
import numpy as np
import pytest

from onnxgrad.weights.tables import is_mask, is_ramp, is_selection, is_wave

LENGTHS = [(4, 8), (16, 32), (77, 512), (2048, 64)]


def angles(rows: int, size: int) -> np.ndarray:
    return np.outer(np.arange(rows), 10000.0 ** -(np.arange(size) / size))


@pytest.mark.parametrize("shape", LENGTHS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_sines_and_cosines(shape: tuple[int, int], dtype: type) -> None:
    """In any layout: one after the other, in turns, along any axis, scaled, from any start on."""
    waves = angles(*shape)
    both = np.concatenate([np.sin(waves), np.cos(waves)], axis=1)
    turns = np.stack([np.sin(waves), np.cos(waves)], axis=-1).reshape(shape[0], -1)
    for table in (np.sin(waves), np.cos(waves), both, turns, 0.1 * both.T, turns[None, :, None]):
        assert is_wave(table.astype(dtype))
    assert not is_mask(both) and not is_selection(both)


@pytest.mark.parametrize("shape", LENGTHS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_learned_tables(shape: tuple[int, int], dtype: type) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=shape)
    trained = np.sin(angles(*shape)) + 0.1 * noise
    outlier = 0.02 * noise
    outlier[-1, -1] = 1e3
    for table in (noise, 0.02 * noise, trained, outlier, np.zeros(shape), np.ones(shape)):
        table = table.astype(dtype)
        assert not (is_wave(table) or is_ramp(table) or is_mask(table) or is_selection(table))


def test_ramps() -> None:
    rows = np.arange(12, dtype=np.float32)
    assert is_ramp(np.outer(rows, [1.0, 0.5, -0.25])) and is_ramp(rows[None])
    assert not is_ramp(rows) and not is_ramp(np.outer(rows**2, [1.0, 2.0]))


def test_masks() -> None:
    low = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
    assert is_mask(low) and is_mask(np.maximum(low, -1e4)) and not is_mask(np.maximum(low, -10))
    assert not is_mask(np.full(4, -np.inf)) and not is_mask(np.zeros(4))
    assert is_selection(np.eye(3)) and not is_selection(np.ones(3)) and not is_selection(low)
