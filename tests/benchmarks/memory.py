"""What the gradients of single layers hold while they run, beside torch.

    make memory, or python tests/benchmarks/memory.py [--only Conv] [--torch PATH]

Prints a row per layer: the most megabytes above what stands before the call, for the gradient of
Σy² by every float input: torch's (where an interpreter that has it is named), the saved file's in
stock onnxruntime, our onnxruntime and NumPy backends'. Each is measured by the kernel (VmHWM of
/proc, so on Linux alone), in a process of its own, with one thread; memory that the allocator
already holds does not count, so that small numbers say little.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np


class Layer(NamedTuple):
    """An ONNX operator with its attributes on random inputs, and the same in torch."""

    op: str
    shapes: list[tuple[int, ...]]
    torch: str
    attributes: dict[str, Any] = {}
    arguments: dict[str, Any] = {}


LAYERS = {
    "Conv of audio, 225×1000": Layer(
        "Conv", [(1, 1, 225, 1000), (64, 1, 3, 3)], "conv2d", {"pads": [1] * 4}, {"padding": 1}
    ),
    "Conv of one axis": Layer(
        "Conv", [(1, 64, 32000), (64, 64, 9)], "conv1d", {"pads": [4, 4]}, {"padding": 4}
    ),
    "Conv, 1×1": Layer("Conv", [(4, 256, 56, 56), (64, 256, 1, 1)], "conv2d"),
    "Conv, 3×3": Layer(
        "Conv", [(4, 64, 112, 112), (64, 64, 3, 3)], "conv2d", {"pads": [1] * 4}, {"padding": 1}
    ),
    "Conv, 7×7, stride 2": Layer(
        "Conv",
        [(4, 3, 224, 224), (64, 3, 7, 7)],
        "conv2d",
        {"pads": [3] * 4, "strides": [2, 2]},
        {"padding": 3, "stride": 2},
    ),
    "Conv of a large image": Layer(
        "Conv", [(1, 16, 1024, 1024), (16, 16, 3, 3)], "conv2d", {"pads": [1] * 4}, {"padding": 1}
    ),
    "Conv, dilation 4": Layer(
        "Conv",
        [(2, 64, 112, 112), (64, 64, 3, 3)],
        "conv2d",
        {"pads": [4] * 4, "dilations": [4, 4]},
        {"padding": 4, "dilation": 4},
    ),
    "Conv, 4 groups": Layer(
        "Conv",
        [(4, 128, 56, 56), (128, 32, 3, 3)],
        "conv2d",
        {"pads": [1] * 4, "group": 4},
        {"padding": 1, "groups": 4},
    ),
    "Conv, depthwise 3×3": Layer(
        "Conv",
        [(4, 128, 112, 112), (128, 1, 3, 3)],
        "conv2d",
        {"pads": [1] * 4, "group": 128},
        {"padding": 1, "groups": 128},
    ),
    "Conv, depthwise 31×31": Layer(
        "Conv",
        [(1, 32, 128, 128), (32, 1, 31, 31)],
        "conv2d",
        {"pads": [15] * 4, "group": 32},
        {"padding": 15, "groups": 32},
    ),
    "Conv of three axes": Layer(
        "Conv",
        [(1, 16, 32, 64, 64), (16, 16, 3, 3, 3)],
        "conv3d",
        {"pads": [1] * 6},
        {"padding": 1},
    ),
    "ConvTranspose, 16×16, stride 8": Layer(
        "ConvTranspose",
        [(2, 32, 64, 64), (32, 32, 16, 16)],
        "conv_transpose2d",
        {"pads": [4] * 4, "strides": [8, 8]},
        {"padding": 4, "stride": 8},
    ),
    "MaxPool": Layer(
        "MaxPool",
        [(4, 64, 112, 112)],
        "max_pool2d",
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4},
        {"kernel_size": 3, "stride": 2, "padding": 1},
    ),
    "AveragePool": Layer(
        "AveragePool",
        [(4, 64, 112, 112)],
        "avg_pool2d",
        {"kernel_shape": [7, 7], "pads": [3] * 4, "count_include_pad": 1},
        {"kernel_size": 7, "stride": 1, "padding": 3},
    ),
    "InstanceNormalization": Layer(
        "InstanceNormalization", [(4, 64, 112, 112), (64,), (64,)], "instance_norm"
    ),
    "LRN": Layer("LRN", [(4, 64, 56, 56)], "local_response_norm", {"size": 5}, {"size": 5}),
    "Gelu": Layer("Gelu", [(64, 128, 768)], "gelu"),
    "Softmax": Layer("Softmax", [(8, 12, 256, 256)], "softmax", {}, {"dim": -1}),
    "LpNormalization": Layer("LpNormalization", [(256, 40960)], "normalize", {"axis": 1}),
    "GridSample": Layer(
        "GridSample",
        [(2, 16, 128, 128), (2, 128, 128, 2)],
        "grid_sample",
        {},
        {"align_corners": False},
    ),
}

CONTENDERS = ("torch", "stock", "onnxruntime", "numpy")


def held(call: Callable[[], Any]) -> int:
    """Count the bytes that a call holds at most, above those held before."""
    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    Path("/proc/self/clear_refs").write_text("5")
    call()
    status = Path("/proc/self/status").read_text().splitlines()
    (most,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
    return int(most) * 1024 - before


def in_torch(layer: Layer, arrays: list[Any]) -> int:
    torch = import_module("torch")
    torch.set_num_threads(1)
    x, *rest = (torch.from_numpy(a).requires_grad_() for a in arrays)
    function = getattr(torch.nn.functional, layer.torch)
    named = {"weight": rest[0], "bias": rest[1]} if layer.torch == "instance_norm" else {}
    return held(
        lambda: (
            (function(x, *([] if named else rest), **named, **layer.arguments) ** 2)
            .sum()
            .backward()
        )
    )


def in_ours(layer: Layer, arrays: list[Any], contender: str) -> int:
    og = import_module("onnxgrad")
    b = og.Builder("layer")
    names = [f"x{k}" for k in range(len(arrays))]
    given = [b.input(n, a.dtype, a.shape) for n, a in zip(names, arrays, strict=True)]
    y = getattr(b.op, layer.op)(*given, **layer.attributes)
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    graph, feeds = og.grad(b.build(), "loss", names), dict(zip(names, arrays, strict=True))
    if contender != "stock":
        compiled = og.compile(graph, contender)
        return held(lambda: compiled.run(feeds))
    ort = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    with TemporaryDirectory() as folder:
        og.save(graph, Path(folder) / "layer.onnx")
        session = ort.InferenceSession(Path(folder) / "layer.onnx", options)
    return held(lambda: session.run(None, feeds))


def measure(name: str, contender: str) -> int:
    """Measure in this process."""
    layer, random = LAYERS[name], np.random.default_rng(0)
    arrays = [random.normal(size=s).astype(np.float32) / 4 for s in layer.shapes]
    return in_torch(layer, arrays) if contender == "torch" else in_ours(layer, arrays, contender)


def megabytes(python: str, name: str, contender: str) -> str:
    """Measure in a process of its own."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    ended = subprocess.run(
        [python, "-P", __file__, "--measure", json.dumps([name, contender])],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **threads},
    )
    return f"{int(ended.stdout) / 2**20:.0f}" if ended.stdout else ended.stderr.splitlines()[-1]


def main() -> None:
    """Measure every layer by every contender and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", metavar="PATH", help="an interpreter that has torch")
    parser.add_argument("--only", default="", help="layers whose name starts so")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(measure(*json.loads(given.measure)))
        return
    pythons = {c: given.torch if c == "torch" else sys.executable for c in CONTENDERS}
    shown = [c for c in CONTENDERS if pythons[c]]
    print(f"| MB held at most | {' | '.join(shown)} |\n|{'---|' * (len(shown) + 1)}")
    for name in LAYERS:
        if name.startswith(given.only):
            cells = [megabytes(pythons[c], name, c) for c in shown]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
