"""Training in several processes by MPI: one loss curve, and what exchanging gradients costs.

A multilayer perceptron of 10 million parameters is trained on 1, 2 and 4 processes, in float64 for
the curves and in float32 for the times; then the cost on 64 hosts is estimated from what a
reduction of few and of many bytes took here, as a ring: 2·(n − 1)/n·bytes/bandwidth + 2·(n −
1)·latency.

Run: make parallel, or .venv/bin/python tests/benchmarks/parallel_check.py
"""

import json
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import numpy as np

import onnxgrad as og

WIDTH, LAYERS = 1000, 10
BATCH, STEPS = 512, 6
HOSTS = 64


def network(dtype: str) -> og.Graph:
    """Ten layers of a thousand, with the mean squared distance as loss."""
    rng = np.random.default_rng(0)
    b = og.Builder("perceptron")
    x, t = b.input("x", dtype, ("N", WIDTH)), b.input("t", dtype, ("N", WIDTH))
    y = x
    for k in range(LAYERS):
        w = (rng.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5).astype(dtype)
        y = b.op.Tanh(y @ b.parameter(f"w{k}", w))
    b.output(b.op.ReduceMean((y - t) * (y - t), keepdims=0), "loss")
    return b.build()


class Timed:
    """MPI's group, which notes how long it waited for the slowest process, and how long it sent."""

    def __init__(self, group: Any) -> None:
        self._group = group
        self.rank, self.size, self.fail = group.rank, group.size, group.fail
        self.broadcast, self.neighbors = group.broadcast, group.neighbors
        self.waited = self.sent = 0.0

    def all_reduce(self, array: np.ndarray) -> None:
        began = time.perf_counter()
        self._group.all_reduce(np.zeros(1))  # all have arrived when it is through
        ready = time.perf_counter()
        self._group.all_reduce(array)
        self.waited += ready - began
        self.sent += time.perf_counter() - ready


def child(dtype: str) -> None:
    """Train on whatever processes there are; the first prints what it saw."""
    from onnxgrad.parallel import find_group

    group = Timed(find_group("mpi"))
    rng = np.random.default_rng(1)
    data = {n: rng.normal(size=(BATCH * STEPS, WIDTH)).astype(dtype) for n in "xt"}
    times: list[float] = []
    fitted = og.fit(
        network(dtype),
        data,
        optimizer=og.optim.SGD(0.1),
        batch_size=BATCH,
        backend="onnxruntime",
        parallel=group,
        report=lambda _: times.append(time.perf_counter()),
    )
    waited, sent = group.waited / STEPS, group.sent / STEPS
    losses = [r["loss"] for r in fitted.history]
    steps = np.diff(times)
    reduce = {}
    for elements in (1, 10_000_000):
        array = np.zeros(elements, np.float32)
        group.all_reduce(array)
        group.sent = 0.0
        for _ in range(5):
            group.all_reduce(array)
        reduce[elements] = group.sent / 5
    if group.rank == 0:
        found = {"step": float(np.median(steps)), "waited": waited, "sent": sent}
        print(json.dumps({"losses": losses, "reduce": reduce, **found}))


def run(size: int, dtype: str) -> dict[str, Any]:
    """Start the processes and read what the first prints."""
    launcher = Path(sysconfig.get_path("scripts"), "mpiexec")
    command = [str(launcher), "-n", str(size), sys.executable, "-P", __file__, dtype]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def main() -> int:
    """Compare the curves, print the times; give 1 where a curve differs."""
    curves = {size: run(size, "float64")["losses"] for size in (1, 2, 4)}
    worst = max(float(np.abs(np.divide(c, curves[1]) - 1).max()) for c in curves.values())
    print(f"loss curves on 1, 2, 4 processes in float64: at most {worst:.1e} apart")
    found = {}
    for size in (1, 2, 4):
        found[size] = at = run(size, "float32")
        print(
            f"{size} processes, {LAYERS * WIDTH**2 / 1e6:.0f} M parameters, batches of {BATCH}: "
            f"{at['step'] * 1e3:.0f} ms a step, {at['sent'] / at['step']:.1%} of it exchange, "
            f"{at['waited'] / at['step']:.1%} waiting for the slowest"
        )
    few, many = found[2]["reduce"]["1"], found[2]["reduce"]["10000000"]
    size = 4 * LAYERS * WIDTH**2
    bandwidth = size / max(many - few, 1e-9)
    on_paper = 2 * (HOSTS - 1) / HOSTS * size / bandwidth + 2 * (HOSTS - 1) * few
    print(
        f"2 processes here: {few * 1e6:.0f} µs for a number, {many * 1e3:.0f} ms for 40 MB; on "
        f"paper {HOSTS} hosts with such links exchange in {on_paper * 1e3:.0f} ms a step"
    )
    return 0 if worst < 1e-9 else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1])
    else:
        sys.exit(main())
