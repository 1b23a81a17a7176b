"""How long a call of `og.torch.function` takes beside the same model in a session of its own.

Both run on one thread, whose own time counts: what is measured is the way there and back, not the
machine's other work.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch  # pyright: ignore[reportMissingImports]  # of the extra bridges

import onnxgrad as og

WIDTH, LAYERS, BATCH = 512, 4, 96
"""About a millisecond."""


def perceptron() -> og.Graph:
    """Build layers of matrix products."""
    rng = np.random.default_rng(0)
    b = og.Builder("perceptron")
    x = b.input("x", "float32", ("N", WIDTH))
    for k in range(LAYERS):
        w = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / np.float32(WIDTH**0.5)
        x = b.op.Relu(x @ b.parameter(f"w{k}", w))
    b.output(x, "y")
    return b.build()


def milliseconds(call: Callable[[], Any], runs: int = 100) -> float:
    """Give the median of many calls, after those of another contender have come to rest."""
    time.sleep(0.05)
    took = []
    for _ in range(runs):
        start = time.thread_time()
        call()
        took.append(time.thread_time() - start)
    return 1000 * median(took)


def main() -> None:
    """Print both times and their ratio, each a median over turns."""
    graph = perceptron()
    file = og.to_onnx(graph).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    f = og.torch.function(graph, backend="onnxruntime", threads=1)
    x = torch.randn(BATCH, WIDTH)
    feeds = {"x": x.numpy()}
    turns = [
        (milliseconds(lambda: f(x)), milliseconds(lambda: session.run(None, feeds)))
        for _ in range(11)
    ]
    called, raw = (median(times) for times in zip(*turns, strict=True))
    print(
        f"og.torch.function {called:.3f} ms, a raw session {raw:.3f} ms: {called / raw:.2f} times"
    )


if __name__ == "__main__":
    main()
