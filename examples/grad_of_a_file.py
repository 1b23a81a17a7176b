"""Differentiate a model file and write the gradient as another plain ONNX file.

Run: python examples/grad_of_a_file.py [MODEL.onnx]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import onnxgrad as og


def write_model(path: Path) -> None:
    """Write a small network, to have a file."""
    rng = np.random.default_rng(0)
    b = og.Builder("net")
    x = b.input("x", "float32", ("N", 4))
    hidden = b.op.Tanh(x @ b.parameter("w1", rng.normal(size=(4, 8)).astype(np.float32)))
    b.output(hidden @ b.parameter("w2", rng.normal(size=(8, 2)).astype(np.float32)), "y")
    og.save(b.build(), path)


def main(model: Path) -> None:
    """Write MODEL.vjp.onnx: inputs x and y.grad, outputs y, x.grad and a gradient per weight."""
    graph = og.load(model)
    weights = [v.name for v in graph.values() if v.parameter]
    inputs = [v.name for v in graph.inputs]
    outputs = [v.name for v in graph.outputs]
    gradient = og.vjp(graph, of=outputs, wrt=[*inputs, *weights])
    target = model.with_suffix(".vjp.onnx")
    og.save(gradient, target)
    print(f"{target}: {len(graph.nodes())} operators became {len(gradient.nodes())}")
    for value in gradient.outputs:
        print(f"  {value.name}: {value.type}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_model(Path(folder) / "net.onnx")
            main(Path(folder) / "net.onnx")
