"""Time every form of the gradients of convolutions in onnxruntime, and the form that is chosen.

    python tests/benchmarks/convolution_forms.py [--rounds 7] [--threads 2]

Prints a table in milliseconds: a row per shape, the chosen form marked, and last how much slower
than the best it is. Each gradient is a graph of its own, on random float32 arrays; the forms of a
row take turns, and the fastest of the rounds counts. With one thread it is the thread's own time
that is taken, which other programs disturb little.
"""

import argparse
from time import perf_counter, thread_time
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

import onnxgrad as og
from onnxgrad.compiler.composites import FORMS
from onnxgrad.compiler.composites.form_choice import choose_form


class Shape(NamedTuple):
    """A convolution with 3×3 kernels that keeps the size but for its stride."""

    batch: int
    channels: int
    maps: int
    size: int
    stride: int = 1
    dilation: int = 1

    def __str__(self) -> str:
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        dilation = f" dilation {self.dilation}" if self.dilation > 1 else ""
        return f"{self.channels}→{self.maps} @{self.size}{stride}{dilation}, {self.batch} images"


SHAPES = [
    Shape(64, 1, 32, 28),
    Shape(32, 3, 64, 32),
    Shape(64, 32, 64, 28, stride=2),
    Shape(64, 64, 64, 14, dilation=2),
    Shape(32, 64, 64, 32),
    Shape(32, 64, 128, 32, stride=2),
    Shape(32, 128, 128, 16),
    Shape(32, 256, 256, 8),
    Shape(32, 256, 512, 8, stride=2),
    Shape(32, 512, 512, 4),
]


def gradient(shape: Shape, by: str) -> og.Graph:
    """Build the graph of one gradient alone: the convolution itself is dead code."""
    b = og.Builder("gradient")
    x = b.input("x", "float32", (shape.batch, shape.channels, shape.size, shape.size))
    w = b.input("w", "float32", (shape.maps, shape.channels, 3, 3))
    y = b.op.Conv(
        x,
        w,
        strides=[shape.stride] * 2,
        dilations=[shape.dilation] * 2,
        pads=[shape.dilation] * 4,
    )
    b.output(y, "y")
    graph = og.vjp(b.build(), "y", by)
    graph.outputs = [v for v in graph.outputs if v.name == f"{by}.grad"]
    return graph


def session_of(graph: og.Graph, composite: str, form: str, threads: int) -> Any:
    """Open onnxruntime on a gradient in one form."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    model = og.to_onnx(graph, forms={composite: form})
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def feeds_of(session: Any) -> dict[str, np.ndarray]:
    """Draw the inputs."""
    random = np.random.default_rng(0)
    return {v.name: random.standard_normal(v.shape, dtype=np.float32) for v in session.get_inputs()}


def time_forms(
    shape: Shape, composite: str, by: str, rounds: int, threads: int
) -> dict[str, float]:
    """Give the milliseconds of each form, in turns."""
    graph = gradient(shape, by)
    sessions = {f: session_of(graph, composite, f, threads) for f in FORMS[composite]}
    feeds = {form: feeds_of(session) for form, session in sessions.items()}
    best = dict.fromkeys(sessions, float("inf"))
    clock = thread_time if threads == 1 else perf_counter
    for _ in range(rounds):
        for form, session in sessions.items():
            start = clock()
            session.run(None, feeds[form])
            best[form] = min(best[form], 1000 * (clock() - start))
    return best


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for composite, by in (("ConvInputGrad", "x"), ("ConvWeightGrad", "w")):
        print(f"\n{composite}: {' / '.join(FORMS[composite])}")
        for shape in SHAPES:
            times = time_forms(shape, composite, by, arguments.rounds, arguments.threads)
            (node,) = [n for n in gradient(shape, by).nodes() if n.op_type == composite]
            chosen = choose_form(node) or next(iter(FORMS[composite]))
            cells = " / ".join(f"{'*' * (f == chosen)}{t:.1f}" for f, t in times.items())
            excess = 100 * (times[chosen] / min(times.values()) - 1)
            print(f"{str(shape):40} {cells:40} +{excess:.0f} %")


if __name__ == "__main__":
    main()
