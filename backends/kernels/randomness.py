"""Kernels that draw random numbers; onnx.reference has all others."""

from typing import Any

from .precision import element_dtype
from .registry import Array, kernel


@kernel("Multinomial")
def multinomial(
    xp: Any, x: Array, dtype: int = 6, sample_size: int = 1, seed: float | None = None
) -> Array:
    """Draw classes with the odds exp(x): (batch, classes) → (batch, sample_size), int32 or int64.

    The greatest of x plus Gumbel noise is a class drawn so; that noise is −log of exponential one.
    """
    generator = xp.random.default_rng(None if seed is None else int(seed))
    noise = generator.standard_exponential((x.shape[0], sample_size, x.shape[1]))
    return xp.argmax(x[:, None, :] - xp.log(noise), axis=2).astype(element_dtype(dtype))
