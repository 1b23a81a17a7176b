"""Models and data that train in a moment."""

from pathlib import Path

import numpy as np

import onnxgrad as og

Arrays = dict[str, np.ndarray]


def regression(dtype: str = "float32") -> og.Graph:
    """A layer of tanh and a linear one, with the mean squared distance from t as loss."""
    rng = np.random.default_rng(3)
    b = og.Builder("regression")
    x, t = b.input("x", dtype, ("N", 3)), b.input("t", dtype, ("N", 1))
    w1 = b.parameter("w1", rng.normal(size=(3, 8)).astype(dtype))
    w2 = b.parameter("w2", (rng.normal(size=(8, 1)) / 3).astype(dtype))
    y = b.op.Tanh(x @ w1) @ w2
    b.output(y, "y")
    b.output(b.op.ReduceMean((y - t) * (y - t), keepdims=0), "loss")
    return b.build()


def examples(count: int = 50, dtype: str = "float32") -> Arrays:
    """Points and a smooth function of them."""
    x = np.random.default_rng(4).normal(size=(count, 3))
    return {"x": x.astype(dtype), "t": np.sin(x.sum(1, keepdims=True)).astype(dtype)}


def weight(graph: og.Graph, name: str) -> np.ndarray:
    """Give what a graph holds under a name."""
    array = graph.find(name).constant
    assert array is not None
    return array


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays as .npz."""
    np.savez(path, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle
