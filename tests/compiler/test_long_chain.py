"""Differentiating is linear in the number of operators."""

import time

import numpy as np

import onnxgrad as og


def seconds(operators: int) -> float:
    b = og.Builder("chain")
    h = x = b.input("x", "float32", ("N", 8))
    w = b.parameter("w", np.eye(8, dtype=np.float32))
    for _ in range(operators // 3):
        h = b.op.Tanh(h @ w) + x
    b.output(b.op.ReduceSum(h, keepdims=0), "loss")
    graph = b.build()
    start = time.process_time()
    og.grad(graph, "loss", ["x", "w"])
    return time.process_time() - start


def test_four_times_the_operators_take_about_four_times_as_long() -> None:
    small = min(seconds(750) for _ in range(3))
    assert seconds(3000) < 4 * small * 1.5 + 0.2  # quadratic growth would be 16 times
