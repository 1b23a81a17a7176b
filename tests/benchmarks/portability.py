"""Which runtimes execute what we write: gradients of models and of operators, training steps.

The nine light models (drawn weights, smooth) with the gradient by the image and by the first and
the last weights, four training steps and the gradients of forty operators, in float32 with sizes
known, are saved for each runtime that installs from PyPI and npm, by `og.save(…, runtime=…)`, and
run there, in processes of their own. What they give is compared with NumPy's in float64, within
1e-4 of each array's largest number; and NumPy's gradients of the light models with torch's, in
float64 too, of which samples stand in tests/fixtures/light_gradients. Prints who executes what, and
the error of each that it does not.

Run: make portability, or python tests/benchmarks/portability.py --python PATH [--only tract,mnn]
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "helpers"), str(HERE)]

from light_models import FOLDER, smooth_with_drawn_weights  # noqa: E402  # python -P
from op_samples import SAMPLES  # noqa: E402
from op_samples.graphs import float_outputs, graph_of, wrt_of  # noqa: E402
from portability_runtimes import RUNTIMES, SECONDS  # noqa: E402

NODE = ("onnxruntime-node", "onnxruntime-web")
TOLERANCE = 1e-4

TORCH = HERE.parent / "fixtures" / "light_gradients" / "gradients.npz"

SAMPLES_KEPT = 256
"""So many elements of each gradient by torch stand in tests/fixtures/light_gradients."""

OPERATORS = (
    "Add Mul Div Sub Pow Exp Log Sqrt Tanh Sigmoid Relu LeakyRelu Elu Selu Softplus Gelu Erf Sin "
    "Abs Max Where Clip MatMul Gemm Conv ConvTranspose MaxPool AveragePool BatchNormalization "
    "LayerNormalization InstanceNormalization Softmax LogSoftmax ReduceSum ReduceMean Transpose "
    "Concat Slice Gather SoftmaxCrossEntropyLoss"
).split()
"""Forty operators that models are made of."""


def light_models() -> Iterator[tuple[str, og.Graph]]:
    for path in sorted(FOLDER.glob("*.onnx")):
        graph = og.load(smooth_with_drawn_weights(path))
        (y,) = graph.outputs
        held = [v for v in graph.values() if v.parameter and v in graph.upstream([y])]
        image, ends = graph.inputs[0], [held[0], held[-1]]
        yield path.stem, og.vjp(graph, y.name, [image.name, *(v.name for v in ends)])


def training_steps() -> Iterator[tuple[str, og.Graph]]:
    random = np.random.default_rng(0)

    def weight(b: og.Builder, name: str, *shape: int) -> og.Tensor:
        return b.parameter(name, (random.normal(size=shape) / 4).astype(np.float32))

    def step(b: og.Builder, logits: og.Tensor, optimizer: Any) -> og.Graph:
        label = b.input("label", "int64", (4,))
        b.output(b.op.SoftmaxCrossEntropyLoss(logits, label), "loss")
        return og.train_step(b.build(), "loss", optimizer)

    b = og.Builder("mlp")
    h = b.op.Gelu(b.input("x", "float32", (4, 8)) @ weight(b, "w1", 8, 16))
    yield "step of an MLP by SGD", step(b, h @ weight(b, "w2", 16, 4), og.optim.SGD(0.1))
    b = og.Builder("convolutional")
    h = b.op.Conv(b.input("x", "float32", (4, 1, 8, 8)), weight(b, "k", 6, 1, 3, 3), strides=[2, 2])
    h = b.op.Flatten(b.op.Relu(h))
    yield "step of a convolution by Adam", step(b, h @ weight(b, "w", 54, 4), og.optim.Adam(0.01))
    b = og.Builder("normalized")
    h = b.input("x", "float32", (4, 6, 8)) @ weight(b, "w1", 8, 8)
    h = b.op.LayerNormalization(h, weight(b, "g", 8), weight(b, "b", 8))
    h = b.op.ReduceMean(h, [1], keepdims=0)
    yield (
        "step with normalization by AdamW",
        step(b, h @ weight(b, "w2", 8, 4), og.optim.AdamW(0.01)),
    )
    b = og.Builder("attention")
    x = b.input("x", "float32", (4, 6, 8))
    q, k, v = (x @ weight(b, n, 8, 8) for n in "qkv")
    h = b.op.Softmax(q @ b.op.Transpose(k, perm=[0, 2, 1])) @ v
    h = b.op.ReduceMax(h, [1], keepdims=0)
    yield (
        "step of attention by momentum",
        step(b, h @ weight(b, "w", 8, 4), og.optim.SGD(0.1, momentum=0.9)),
    )


def operators() -> Iterator[tuple[str, og.Graph]]:
    for op in OPERATORS:
        sample = next(s for s in SAMPLES if s.op == op and s.onnxruntime)
        graph = graph_of(sample, False, "float32")
        yield op, og.vjp(graph, float_outputs(graph), wrt_of(sample), allow_unused=True)


KINDS: dict[str, Callable[[], Iterator[tuple[str, og.Graph]]]] = {
    "light models": light_models,
    "training steps": training_steps,
    "operators": operators,
}


def draw(value: Any, random: np.random.Generator) -> np.ndarray:
    """Draw a feed: labels, or positive numbers, as some of them are variances."""
    shape = [int(d) for d in value.shape]
    if value.dtype.kind in "iu":
        return random.integers(0, 2, shape).astype(value.dtype)
    return random.uniform(0.5, 1.5, shape).astype(value.dtype)


def feeds_of(graph: og.Graph) -> dict[str, Any]:
    random = np.random.default_rng(0)
    state = og.initial_state(graph) if "onnxgrad.state" in graph.metadata else {}
    return {v.name: state[v.name] if v.name in state else draw(v, random) for v in graph.inputs}


def sampled(array: np.ndarray) -> np.ndarray:
    """Give some elements of an array, the same ones for every array of that size."""
    flat = array.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, min(SAMPLES_KEPT, flat.size)).astype(int)]


def save(folder: Path, name: str, graph: og.Graph) -> None:
    """Write what a graph is fed, and what NumPy makes of that."""
    feeds = feeds_of(graph)
    np.savez(folder / f"{name}.npz", **feeds)
    (folder / f"{name}.json").write_text(json.dumps([v.name for v in graph.outputs]))
    packed = {
        key: {
            "kind": a.dtype.name,
            "shape": a.shape,
            "data": base64.b64encode(np.ascontiguousarray(a).tobytes()).decode(),
        }
        for key, a in feeds.items()
    }
    (folder / f"{name}.feeds.json").write_text(json.dumps(packed))
    np.savez(folder / f"{name}.expected.npz", *in_double(graph, feeds))


def in_double(graph: og.Graph, feeds: dict[str, Any]) -> list[np.ndarray]:
    """Run a graph on NumPy in float64."""
    double = with_dtype(graph, np.dtype(np.float64))
    wide = {v.name: np.asarray(feeds[v.name]).astype(v.dtype) for v in double.inputs}
    return list(og.compile(double).run(wide).values())


def check_by_torch(folder: Path, name: str) -> None:
    """Stop where NumPy's gradients of a light model are not torch's, in float64 both."""
    with np.load(TORCH) as kept, np.load(folder / f"{name}.expected.npz") as held:
        for k, array in enumerate(held[key] for key in held):
            *wanted, largest = kept[f"{name}/{k}"]
            gap = np.abs(sampled(array) - wanted).max()
            if not gap <= 1e-7 * largest:  # attributes such as epsilon are float32
                sys.exit(f"{name}, output {k}: differs from torch by {gap / largest:.1e}")


def run(command: list[str], folder: Path, name: str, place: Path) -> str:
    """Run a file in a process of its own; say why it failed, "" where it did not."""
    ended = subprocess.run(
        [*command, str(folder), name], capture_output=True, text=True, check=False, cwd=place
    )
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    said = next((line["failed"] for line in lines if "failed" in line), None)
    if said is not None:
        return str(said)
    if ended.returncode == -14:
        return f"it takes more than {SECONDS} s"
    last = (ended.stderr.splitlines() or [f"status {ended.returncode}"])[-1]
    return f"the process ends: {last[:200]}"


def results(folder: Path, name: str, runtime: str) -> list[np.ndarray]:
    path = folder / f"{name}.{runtime}.npz"
    if path.exists():
        with np.load(path) as held:
            return [held[key] for key in held]
    listed = json.loads((folder / f"{name}.{runtime}.json").read_text())
    return [
        np.frombuffer(base64.b64decode(v["data"]), v["kind"]).reshape(v["shape"]) for v in listed
    ]


def compare(folder: Path, name: str, runtime: str) -> str:
    """Say how what a runtime gave differs from NumPy's, "" where it does not."""
    expected, found = results(folder, name, "expected"), results(folder, name, runtime)
    if len(found) != len(expected):
        return f"{len(found)} outputs, expected {len(expected)}"
    for a, b in zip(found, expected, strict=True):
        if a.size != b.size:
            return f"the shape {list(a.shape)}, expected {list(b.shape)}"
        gap = np.abs(a.reshape(b.shape).astype(np.float64) - b).max(initial=0)
        error = gap / (np.abs(b).max(initial=0) or 1)
        if not error <= TOLERANCE:
            return f"differs by {error:.1e}"
    return ""


def report(verdicts: dict[str, dict[str, dict[str, str]]]) -> None:
    """Print who executes how much of each kind, and the errors."""
    kinds = list(next(iter(verdicts.values())))
    print("| runtime | " + " | ".join(kinds) + " |")
    print("|---|" + "---|" * len(kinds))
    for runtime, by_kind in verdicts.items():
        cells = [f"{sum(not f for f in v.values())} of {len(v)}" for v in by_kind.values()]
        print(f"| {runtime} | " + " | ".join(cells) + " |")
    for runtime, by_kind in verdicts.items():
        failed: dict[str, list[str]] = defaultdict(list)
        for listed in by_kind.values():
            for name, reason in listed.items():
                if reason:
                    failed[reason].append(name)
        if failed:
            print(f"\n{runtime}:")
        for reason, names in failed.items():
            print(f"  {', '.join(names)}: {reason}")


def main() -> None:
    """Write the files, run them everywhere and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="an interpreter that has the runtimes")
    parser.add_argument("--node", help="a folder that has onnxruntime-node and -web")
    parser.add_argument("--only", default=",".join([*RUNTIMES, *NODE]), help="runtimes")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    given = parser.parse_args()
    verdicts: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for kind in given.kinds.split(","):
            for name, graph in KINDS[kind]():
                save(folder, name, graph)
                if kind == "light models":
                    check_by_torch(folder, name)
                for runtime in given.only.split(","):
                    if runtime in NODE and not given.node:
                        continue
                    command = [given.python, "-P", str(HERE / "portability_runtimes.py"), runtime]
                    place = folder
                    if runtime in NODE:
                        command = ["node", str(HERE / "portability_node.mjs"), runtime]
                        place = Path(given.node)
                    og.save(graph, folder / f"{name}.onnx", runtime=runtime)
                    failed = run(command, folder, name, place) or compare(folder, name, runtime)
                    verdicts[runtime].setdefault(kind, {})[name] = failed
                    print(f"{runtime}, {name}: {failed or 'right'}", file=sys.stderr)
    report(verdicts)


if __name__ == "__main__":
    main()
