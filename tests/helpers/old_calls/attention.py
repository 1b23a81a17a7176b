"""Calls of the newest layers, which take no float64."""

import numpy as np
from op_samples.sample import random

from .call import OldCall

ANGLES = [random(5, 2), random(5, 2, seed=1)]
DECAY = -random(1, 3, 2, seed=3, low=0.1, high=0.9)

PREVIEW = "ai.onnx.preview"
QUERIES = [random(1, 2, 3, 4, seed=k) for k in range(3)]

CALLS = [
    OldCall("FlexAttention", QUERIES, domain=PREVIEW),
    OldCall("FlexAttention", QUERIES, {"scale": 0.7}, domain=PREVIEW),
    OldCall("RotaryEmbedding", [random(1, 2, 3, 4), *ANGLES, np.array([[1, 0, 4]])]),
    OldCall(
        "RotaryEmbedding", [random(1, 2, 3, 4), *ANGLES, np.array([[1, 0, 4]])], {"interleaved": 1}
    ),
    OldCall("CausalConvWithState", [random(1, 2, 5), random(2, 1, 3), random(2)], outputs=2),
    OldCall(
        "LinearAttention",
        [random(1, 3, 4), random(1, 3, 4, seed=1), random(1, 3, 6, seed=2), None, DECAY],
        {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "gated"},
        2,
    ),
]
