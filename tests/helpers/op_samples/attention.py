"""Samples of attention, with masks, caches and rows that are masked whole."""

import numpy as np

from .sample import Sample, random

Q, K, V = random(1, 2, 3, 4), random(1, 2, 4, 4, seed=1), random(1, 2, 4, 2, seed=2)
BIAS = random(3, 4, seed=3)
KEPT = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]], bool)
PAST_K, PAST_V = random(1, 2, 2, 4, seed=4), random(1, 2, 2, 2, seed=5)
GROUPED_K, GROUPED_V = random(1, 1, 4, 4, seed=6), random(1, 1, 4, 2, seed=7)


def attention(*inputs: np.ndarray | None, outputs: int = 1, **attributes: int | float) -> Sample:
    """Give a sample of Attention, whose body at the exported opset has its scale in float32."""
    return Sample("Attention", inputs, attributes, outputs=outputs, forward_tolerance=1e-6)


SAMPLES = [
    attention(Q, K, V),
    attention(Q, K, V, is_causal=1, scale=0.7),
    attention(Q, K, V, BIAS, softcap=1.5),
    attention(Q, K, V, KEPT),
    attention(Q, GROUPED_K, GROUPED_V, is_causal=1),
    attention(Q, K, V, random(3, 6, seed=3), PAST_K, PAST_V, outputs=3),
    attention(Q, K, V, KEPT, outputs=4, qk_matmul_output_mode=1),
    attention(Q, K, V, BIAS, outputs=4, qk_matmul_output_mode=3),
    attention(Q, K, V, softcap=0.75, outputs=4),
    attention(Q, K, V, BIAS[:, :2], softcap=0.75, outputs=4, qk_matmul_output_mode=1),
    attention(Q, K, V, KEPT[None, None], outputs=4, qk_matmul_output_mode=3),
    attention(Q, K, V, left_window_size=1, right_window_size=0),
    attention(Q, K, V, random(3, 5, seed=3), PAST_K, PAST_V, is_causal=1, outputs=3),
    attention(Q, K, V, None, None, None, np.array([2]), is_causal=1),
    attention(
        random(2, 3, 8), random(2, 4, 4), random(2, 4, 4, seed=1), q_num_heads=4, kv_num_heads=2
    ),
]
