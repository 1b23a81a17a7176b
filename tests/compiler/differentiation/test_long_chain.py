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


def test_eight_times_the_operators_do_not_take_much_more_than_eight_times_as_long() -> None:
    small = min(seconds(600) for _ in range(3))
    large = min(seconds(4800) for _ in range(2))
    # quadratic growth would be 64 times; a busy machine can double a time, so 8 times is not asked
    assert large < 3 * 8 * small
