"""Check and time the cupy backend on a GPU machine: `gpu_check.py --out DIR` does it all.

Runs ONNX's own cases, the gradient of every operator and whole models on the GPU against NumPy, and
times training steps. Writes gpu_check.json and gpu_check.txt. The cases run in a process of their
own: where one takes the GPU down, or hangs, the next goes on in a new one.
"""

import argparse
import faulthandler
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from gpu_cases import GpuCase, gpu_cases  # noqa: E402  # they are no package

import onnxgrad as og  # noqa: E402

SECONDS = 120
"""A case that takes longer is given up."""

Entry = dict[str, Any]


def describe_device() -> Entry:
    """Name the GPU, the driver and the libraries."""
    import cupy  # pyright: ignore[reportMissingImports]  # an extra

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return {
        "gpu": properties["name"].decode(),
        "memory_bytes": int(properties["totalGlobalMem"]),
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "cuda": cupy.cuda.runtime.runtimeGetVersion(),
        "cupy": cupy.__version__,
        "numpy": np.__version__,
    }


def run_case(case: GpuCase) -> Entry:
    """Run one case; tell what became of it and what ran on the host."""
    start, error = time.perf_counter(), None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            case.check()
        except Exception as failure:  # every failure is a finding
            error = f"{type(failure).__name__}: {failure}"
    return {
        "kind": case.kind,
        "name": case.name,
        "error": error,
        "seconds": time.perf_counter() - start,
        "host": [str(w.message) for w in caught if w.category.__name__ == "HostFallbackWarning"],
    }


def multilayer_perceptron(b: og.Builder) -> og.Tensor:
    """784-1024-1024-10 with GELU, batch 128."""
    h = b.input("x", "float32", (128, 784))
    for k, (before, after) in enumerate([(784, 1024), (1024, 1024), (1024, 10)]):
        h = h @ weight(b, f"w{k}", before, after)
        h = b.op.Gelu(h) if k < 2 else h
    return h


def convolutions(b: og.Builder) -> og.Tensor:
    """Three convolutions, one of stride 2, one of dilation 2, on 28×28, batch 64."""
    op, h = b.op, b.input("x", "float32", (64, 1, 28, 28))
    h = op.Gelu(op.Conv(h, weight(b, "w0", 32, 1, 3, 3), pads=[1] * 4))
    h = op.Gelu(op.Conv(h, weight(b, "w1", 64, 32, 3, 3), pads=[1] * 4, strides=[2, 2]))
    h = op.Gelu(op.Conv(h, weight(b, "w2", 64, 64, 3, 3), pads=[2] * 4, dilations=[2, 2]))
    return op.Flatten(op.GlobalAveragePool(h)) @ weight(b, "w3", 64, 10)


def weight(b: og.Builder, name: str, *shape: int) -> og.Tensor:
    """Add a weight whose outputs have about the variance of its inputs."""
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    drawn = np.random.default_rng(0).standard_normal(shape) / np.sqrt(fan_in)
    return b.parameter(name, drawn.astype(np.float32))


def time_steps(network: Callable[[og.Builder], og.Tensor], backend: str) -> Entry:
    """Time training steps (forward, backward, SGD) on one batch; the loss is checked by NumPy's."""
    b = og.Builder(network.__name__)
    scores = network(b)
    labels = b.input("labels", "int64", scores.shape[:1] if scores.shape else None)
    b.output(b.op.SoftmaxCrossEntropyLoss(scores, labels), "loss")
    graph = og.train_step(b.build(), loss="loss", optimizer=og.optim.SGD(0.01))
    rng = np.random.default_rng(1)
    shape = [int(d) for d in graph.inputs[0].shape or ()]
    x = rng.standard_normal(shape).astype(np.float32)
    feeds = {"x": x, "labels": rng.integers(0, 10, shape[0])}
    step = og.compile(graph, backend).stepper(og.initial_state(graph))
    losses = [float(step.run(feeds)["loss"]) for _ in range(5)]
    times = []
    for _ in range(20):
        start = time.perf_counter()
        step.run(feeds)  # the loss comes back to the host, so the device is done
        times.append(time.perf_counter() - start)
    return {"network": network.__name__, "backend": backend, "losses": losses} | {
        "milliseconds": 1e3 * statistics.median(times)
    }


def time_all() -> list[Entry]:
    """Time every network on every backend; a failure is an entry."""
    entries: list[Entry] = []
    for network in (multilayer_perceptron, convolutions):
        for backend in ("numpy", "onnxruntime", "cupy"):
            try:
                entries.append(time_steps(network, backend))
            except Exception as error:  # every failure is a finding
                said = f"{type(error).__name__}: {error}"
                entries.append({"network": network.__name__, "backend": backend, "error": said})
    return entries


def work(first: int) -> None:
    """Run the cases from `first` on, a line of JSON for each; stop where the GPU is lost."""
    for index, case in enumerate(gpu_cases()):
        if index < first:
            continue
        print(json.dumps({"begins": index, "kind": case.kind, "name": case.name}), flush=True)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        entry = run_case(case)
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(entry), flush=True)
        if "CUDARuntimeError" in str(entry["error"]) or "CUDADriverError" in str(entry["error"]):
            sys.exit("the GPU may be lost; the next case needs a new process")
    print(json.dumps({"done": True}), flush=True)


def all_entries() -> Iterator[Entry]:
    """Run all cases, in as many processes as it takes."""
    first = 0
    while True:
        command = [sys.executable, __file__, "--out", ".", "--from", str(first)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        begun: Entry | None = None
        for line in worker.stdout:
            message = json.loads(line)
            if "done" in message:
                return
            if "begins" in message:
                begun, first = message, message["begins"] + 1
            else:
                begun = None
                yield message
        status = worker.wait()
        if begun is not None:
            said = f"the process ended with status {status}"
            yield {"kind": begun["kind"], "name": begun["name"], "error": said, "host": []}
        elif status == 0 or first == 0:
            raise SystemExit(f"the cases cannot be run: status {status}")


def table(content: Entry) -> str:
    """Write the outcome for people."""
    lines = [f"{key}: {value}" for key, value in content["device"].items()]
    totals = Counter(e["kind"] for e in content["cases"])
    failed = Counter(e["kind"] for e in content["cases"] if e["error"])
    lines += ["", *(f"{k}: {n - failed[k]} of {n} agree with NumPy" for k, n in totals.items())]
    lines += ["", "training steps, milliseconds"]
    for entry in content["steps"]:
        told = entry.get("error") or f"{entry['milliseconds']:.3f}"
        lines.append(f"  {entry['network']:24}{entry['backend']:14}{told}")
    host = Counter(message.split()[0] for e in content["cases"] for message in e["host"])
    lines += [
        "",
        "operators that ran on the host",
        *(f"  {n:6} {o}" for o, n in host.most_common()),
    ]
    lines += ["", "failures"]
    lines += [f"  {e['kind']} {e['name']}: {e['error']}" for e in content["cases"] if e["error"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run everything and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--from", type=int, dest="first", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    reason = og.available_backends()["cupy"]
    if reason is not None:
        raise SystemExit(f"nothing to check: {reason}")
    if arguments.first is not None:
        work(arguments.first)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    content: Entry = {"device": describe_device(), "steps": time_all(), "cases": []}
    for entry in all_entries():
        content["cases"].append(entry)
        if len(content["cases"]) % 100 == 0:
            print(f"{len(content['cases'])} cases", flush=True)
            write(arguments.out, content)
    write(arguments.out, content)
    print(table(content))


def write(folder: Path, content: Entry) -> None:
    """Write the findings so far."""
    (folder / "gpu_check.json").write_text(json.dumps(content, indent=1) + "\n")
    (folder / "gpu_check.txt").write_text(table(content))


if __name__ == "__main__":
    main()
