"""The regression whose training torch and optax wrote down, and what they wrote."""

from pathlib import Path

import numpy as np

import onnxgrad as og

STORED: dict[str, np.ndarray] = dict(
    np.load(Path(__file__).parents[1] / "fixtures" / "torch_optimizers" / "trajectories.npz")
)
FEEDS = {"x": STORED["x"], "t": STORED["t"]}


def regression(
    w: np.ndarray = STORED["w"], c: np.ndarray = STORED["c"], rows: int | str = "N"
) -> og.Graph:
    """The sum of (tanh(x·w + c) − t)², the loss of the stored trajectories."""
    b = og.Builder("regression")
    x = b.input("x", w.dtype, (rows, w.shape[0]))
    t = b.input("t", w.dtype, (rows, w.shape[1]))
    difference = b.op.Tanh(x @ b.parameter("w", w) + b.parameter("c", c)) - t
    b.output(b.op.ReduceSum(difference * difference, keepdims=0), "loss")
    return b.build()
