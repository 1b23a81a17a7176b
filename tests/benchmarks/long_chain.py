"""How long differentiating a chain of operators takes, and how it grows.

Run: python tests/benchmarks/long_chain.py [--operators 10000]
"""

import argparse
import time

import numpy as np

import onnxgrad as og


def chain(operators: int) -> og.Graph:
    """Build a chain of activations, products with one weight, scalings and residual sums."""
    b = og.Builder("chain")
    x = b.input("x", "float32", ("N", 8))
    w = b.parameter("w", np.eye(8, dtype=np.float32))
    steps = [b.op.Tanh, lambda h: h @ w, lambda h: h * 0.5, b.op.Sigmoid, lambda h: h + x]
    h = x
    for k in range(operators):
        h = steps[k % len(steps)](h)
    b.output(b.op.ReduceSum(h, keepdims=0), "loss")
    return b.build()


def seconds_to_differentiate(graph: og.Graph) -> float:
    """Time the gradient by the input and the weight."""
    start = time.perf_counter()
    og.grad(graph, "loss", ["x", "w"])
    return time.perf_counter() - start


def main() -> None:
    """Print the time for half the operators, all of them and twice as many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", type=int, default=10_000)
    operators = parser.parse_args().operators
    before = None
    for count in (operators // 2, operators, 2 * operators):
        taken = min(seconds_to_differentiate(chain(count)) for _ in range(2))
        growth = "" if before is None else f", {taken / before:.2f} times the half"
        print(f"{count} operators: {taken:.2f} s{growth}", flush=True)
        before = taken


if __name__ == "__main__":
    main()
