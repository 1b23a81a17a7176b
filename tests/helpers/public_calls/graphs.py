"""Small graphs that calls of the whole public face take."""

from collections.abc import Callable
from typing import Any

import numpy as np

import onnxgrad as og


def network() -> og.Graph:
    """loss = Σ tanh(x·w)², with an integer input."""
    b = og.Builder("net")
    x, w = b.input("x", "float32", ("N", 3)), b.parameter("w", np.ones((3, 2), np.float32))
    h = b.op.Tanh(x @ w)
    b.output(h, "h")
    b.output(b.op.ReduceSum(h * h, keepdims=0), "loss")
    b.output(b.input("k", "int64", ()) + 1, "next")
    return b.build()


def scores() -> og.Graph:
    """y = x·w: scores of 2 classes; frames: the same over time."""
    b = og.Builder("scores")
    x, w = b.input("x", "float32", ("N", 3)), b.parameter("w", np.ones((3, 2), np.float32))
    b.output(x @ w, "y")
    b.output(b.input("z", "float32", ("N", "T", 3)) @ w, "frames")
    return b.build()


def quantized() -> og.Graph:
    """y = x·w with a w of integers."""
    b = og.Builder("quantized")
    w = b.constant(np.ones((3, 2), np.int8), "w")
    b.output(b.input("x", "float32", ("N", 3)) @ b.op.DequantizeLinear(w, np.float32(0.5)), "y")
    return b.build()


og.register_operator("wrong.Same(x: T) -> y: T")
GRAPH = network()
STATIC = og.load(og.to_onnx(GRAPH), shapes={"N": 2})
SGD = og.optim.SGD(0.1)
STEP = og.train_step(GRAPH, "loss", SGD)
FEEDS = {"x": np.ones((2, 3), np.float32), "k": 1}
ADAPTED = og.lora(GRAPH, "w", rank=2)
QUANTIZED = quantized()
SCORES = scores()
OBJECTIVE = og.scipy.objective(GRAPH, "loss", "x", FEEDS)


def save_weights(**arguments: Any) -> Any:
    og.save(GRAPH, "like.onnx")
    return og.save_weights(**arguments)


def stepped(optimizer: Any) -> og.Graph:
    """Use an optimizer, for some of what is wrong with it shows only then."""
    return og.train_step(GRAPH, "loss", optimizer)


def load_adapter(**arguments: Any) -> Any:
    og.save_adapter(ADAPTED, "adapter.safetensors")
    return og.load_adapter(**arguments)


def building(call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a call on a new builder, with x: float32[2, 4] where x is asked for by "x"."""

    def called(**arguments: Any) -> Any:
        b = og.Builder()
        x = b.input("x", "float32", (2, 4))
        return call(b, x, **arguments)

    return called


Call = tuple[str, Callable[..., Any], dict[str, Any]]
"""A public function's name, a call of it, and arguments that it takes."""
