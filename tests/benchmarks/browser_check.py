"""The same numbers in the browser's runtime as on NumPy: random bits, training, every gradient.

The runtime is onnxruntime-web's WebAssembly, run by node; models are exported as browsers read
them. Random bits and masks must be equal, losses of the demo's training by each optimizer and
gradients of each loss within 1e-5, gradients of every row of tests/helpers/op_samples in float32
within 1e-4.

Run: make browser, or python tests/benchmarks/browser_check.py (needs node, npm and the network)
"""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import onnxgrad as og

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "helpers"), str(HERE.parents[1] / "examples")]

from demo.network import batches, build_network, load_digits  # noqa: E402  # see below
from op_samples import SAMPLES, graphs  # noqa: E402  # they are no package

PACKAGE = "onnxruntime-web@1.30.0"
Arrays = dict[str, np.ndarray]


ADAM = og.optim.Adam(2e-3)
OPTIMIZERS: dict[str, og.optim.Optimizer] = {
    "adam": ADAM,
    "adagrad": og.optim.Adagrad(0.01),
    "rmsprop": og.optim.RMSprop(1e-3),
    "adafactor": og.optim.Adafactor(0.01),
    "lion": og.optim.Lion(1e-4),
    "muon": og.optim.groups(ADAM, {"dense.weight": og.optim.Muon(0.01)}),
    "cosine": og.optim.SGD(og.optim.cosine(0.1, steps=20, warm_up=5)),
    "one_cycle": og.optim.SGD(og.optim.one_cycle(0.1, steps=20)),
    "clipped": og.optim.clip_by_global_norm(og.optim.clip_by_value(ADAM, 0.1), 1.0),
    "averaged": og.optim.decay_weights(og.optim.average_weights(ADAM), 0.01),
    "scaled": og.optim.scale_loss(og.optim.accumulate(ADAM, 2), interval=5),
    "skipped": og.optim.skip_non_finite(ADAM),
}


@dataclass
class Task:
    """A graph to run in the browser's runtime, and what NumPy gives in each step."""

    kind: str
    label: str
    graph: og.Graph
    feeds: Arrays
    expected: list[Arrays]
    tolerance: float
    state: dict[str, str] = field(default_factory=dict)


Draw = Callable[[og.Builder, og.Tensor], og.Tensor]


def random_tasks() -> Iterator[Task]:
    """Yield draws of every kind; the seed is an input."""
    draws: dict[str, Draw] = {
        "bits": lambda b, seed: og.random.bits(b, seed, (1000,)),
        "uniform": lambda b, seed: og.random.uniform(b, seed, (1000,), -1, 3),
        "bernoulli": lambda b, seed: og.random.bernoulli(b, seed, (1000,), 0.3),
        "dropout": lambda b, seed: og.random.dropout(b, b.constant(np.ones(1000)), seed),
        "normal": lambda b, seed: og.random.normal(b, seed, (1000,)),
    }
    for name, draw in draws.items():
        for seed in (0, 1, 2**40 + 7):
            b = og.Builder(name)
            b.output(draw(b, b.input("seed", "int64", ())), "y")
            graph, feeds = b.build(), {"seed": np.array(seed)}
            tolerance = 1e-6 if name == "normal" else 0
            expected = [og.compile(graph).run(feeds)]
            yield Task(name, f"seed {seed}", graph, feeds, expected, tolerance)


def training_tasks() -> Iterator[Task]:
    """Train the demo's network on one batch for twenty steps, one by one and in a loop."""
    (batch,) = islice(batches(load_digits(), 1), 1)
    for name, optimizer in OPTIMIZERS.items():
        step = og.train_step(build_network(), "loss", optimizer)
        stepper = og.compile(step).stepper()
        losses = [{"loss": stepper.run(batch)["loss"]} for _ in range(20)]
        state = json.loads(step.metadata["onnxgrad.state"])
        feeds = batch | og.initial_state(step)
        yield Task("training", f"20 steps of {name}", step, feeds, losses, 1e-5, state)
        if name == "adam":
            feeds = feeds | {"rows": np.tile(np.arange(len(batch["label"])), (20, 1))}
            curve = [{"loss": np.array([each["loss"] for each in losses])}]
            yield Task("training", "a loop", og.train_loop(step, 20), feeds, curve, 1e-5, state)


def loss_tasks() -> Iterator[Task]:
    """Yield the gradient of every loss."""
    random = np.random.default_rng(0)
    inputs = {
        "x": random.normal(size=(2, 6, 4)).astype(np.float32),
        "label": np.array([[1, 2, 2], [3, -100, -100]]),
    }
    matrix = random.normal(size=(5, 4)).astype(np.float32)
    shares = random.dirichlet(np.ones(4), 5).astype(np.float32)
    for name in og.losses.__all__:
        if name in ("check_labels", "total"):
            continue
        b = og.Builder(name)
        feeds = inputs if name == "ctc" else {"x": matrix}
        b.output(b.op.Tanh(b.input("x", "float32", feeds["x"].shape)), "y")
        graph = og.grad(getattr(og.losses, name)(b.build()), "loss", "x")
        missing = [v for v in graph.inputs if v.name not in feeds]
        feeds = feeds | {
            v.name: shares if v.dtype == np.float32 else np.array([0, 3, 1, -100, 2])
            for v in missing
        }
        yield Task("loss", name, graph, feeds, [og.compile(graph).run(feeds)], 1e-5)


def gradient_tasks() -> Iterator[Task]:
    """Yield the gradient of every sample row that onnxruntime runs."""
    for sample in SAMPLES:
        if not sample.onnxruntime:
            continue
        forward = graphs.graph_of(sample, dtype=np.float32)
        of = graphs.float_outputs(forward)
        graph = og.vjp(forward, of, graphs.wrt_of(sample))
        feeds = graphs.feeds_of(graph, sample)
        feeds |= graphs.cotangents(og.compile(forward).run(feeds), of)
        expected = [og.compile(graph).run(feeds)]
        yield Task("gradient", str(sample), graph, feeds, expected, 1e-4)


def run_in_browser(tasks: list[Task]) -> list[Any]:
    """Give each task's outputs by step, or the runtime's error."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", name]
        subprocess.run([*install, PACKAGE], check=True)
        shutil.copy(HERE / "browser_runtime.mjs", folder)
        cases = []
        for k, task in enumerate(tasks):
            og.save(task.graph, folder / f"{k}.onnx")
            cases.append(
                {
                    "model": f"{k}.onnx",
                    "feeds": {n: encode(np.asarray(a)) for n, a in task.feeds.items()},
                    "outputs": list(task.expected[0]),
                    "state": task.state,
                    "steps": len(task.expected),
                }
            )
        (folder / "cases.json").write_text(json.dumps(cases))
        subprocess.run(["node", str(folder / "browser_runtime.mjs"), name], check=True)
        answers: list[Any] = json.loads((folder / "results.json").read_text())
    return answers


def encode(array: np.ndarray) -> dict[str, Any]:
    """Give an array as the runner reads it."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.name, "dims": array.shape, "bytes": data}


def decode(tensor: dict[str, Any]) -> np.ndarray:
    """Give an array that the runner wrote."""
    data = base64.b64decode(tensor["bytes"])
    return np.frombuffer(data, tensor["dtype"]).reshape(tensor["dims"])


def judge(task: Task, answer: dict[str, Any]) -> tuple[str, str]:
    """Give equal, close, wrong or refused, and what is to say about it."""
    if "error" in answer:
        return "refused", answer["error"]
    largest = 0.0
    for expected, given in zip(task.expected, answer["given"], strict=True):
        for name, array in expected.items():
            result = decode(given[name])
            if result.shape != array.shape:
                return "wrong", f"{name}: shape {result.shape} for {array.shape}"
            if np.array_equal(result, array):
                continue
            gap = np.abs(np.subtract(result, array, dtype=np.float64)).max()
            largest = max(largest, float(gap) / max(1.0, float(np.abs(array).max())))
    if not largest <= task.tolerance:
        return "wrong", f"{largest:.1e} off"
    return ("close", f"{largest:.1e} off") if largest else ("equal", "")


def main() -> int:
    """Compare everything and print what came out; exit 1 where something is wrong."""
    tasks = [*random_tasks(), *training_tasks(), *loss_tasks(), *gradient_tasks()]
    verdicts: Counter[tuple[str, str]] = Counter()
    for task, answer in zip(tasks, run_in_browser(tasks), strict=True):
        verdict, detail = judge(task, answer)
        verdicts[task.kind, verdict] += 1
        if verdict in ("wrong", "refused") or task.kind == "training":
            print(f"{task.kind} {task.label}: {verdict} {detail}")
    for (kind, verdict), count in sorted(verdicts.items()):
        print(f"{kind}: {count} {verdict}")
    return int(any(verdict == "wrong" for _, verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
