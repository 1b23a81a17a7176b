"""Whole training steps (forward, backward, SGD) against torch eager, ratio of medians in one run.

W1: MLP 784-1024-1024-10 with GELU, batch 128. W2: three convolutions (one of stride 2, one of
dilation 2) with GELU on 28×28, batch 64. W5: MLP 2-16-1 with tanh, batch 8. The same float32
weights and data on both sides; the losses of the first steps must agree.

Run: make bench, or python tests/benchmarks/training_steps.py [--only W1] [--rounds 15]
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]  # of the bench extra
from torch import nn  # pyright: ignore[reportMissingImports]  # of the bench extra

import onnxgrad as og

RATE = 0.01
Step = Callable[[], float]


@dataclass(frozen=True)
class Workload:
    """A network on both sides with its data."""

    name: str
    module: nn.Module
    build: Callable[[dict[str, np.ndarray]], og.Graph]
    x: np.ndarray
    target: np.ndarray
    classify: bool
    repeats: int


def mlp_with_gelu() -> Workload:
    """W1"""
    module = nn.Sequential(
        nn.Linear(784, 1024), nn.GELU(), nn.Linear(1024, 1024), nn.GELU(), nn.Linear(1024, 10)
    )

    def build(weights: dict[str, np.ndarray]) -> og.Graph:
        b = og.Builder("W1")
        h = b.input("x", "float32", (128, 784))
        for k in (0, 2, 4):
            h = linear(b, weights, str(k), h)
            h = b.op.Gelu(h) if k < 4 else h
        return classified(b, h, 128)

    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 784)).astype(np.float32)
    return Workload("W1", module, build, x, rng.integers(0, 10, 128), True, 3)


def convolutions() -> Workload:
    """W2"""
    module = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.GELU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.GELU(),
        nn.Conv2d(64, 64, 3, dilation=2, padding=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(64 * 14 * 14, 10),
    )
    settings: dict[str, dict[str, Any]] = {
        "0": {"pads": [1, 1, 1, 1]},
        "2": {"pads": [1, 1, 1, 1], "strides": [2, 2]},
        "4": {"pads": [2, 2, 2, 2], "dilations": [2, 2]},
    }

    def build(weights: dict[str, np.ndarray]) -> og.Graph:
        b = og.Builder("W2")
        h = b.input("x", "float32", (64, 1, 28, 28))
        for k, attributes in settings.items():
            w = b.parameter(f"{k}.weight", weights[f"{k}.weight"])
            bias = b.parameter(f"{k}.bias", weights[f"{k}.bias"])
            h = b.op.Gelu(b.op.Conv(h, w, bias, **attributes))
        return classified(b, linear(b, weights, "7", b.op.Flatten(h)), 64)

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 1, 28, 28)).astype(np.float32)
    return Workload("W2", module, build, x, rng.integers(0, 10, 64), True, 2)


def tiny_mlp() -> Workload:
    """W5"""
    module = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))

    def build(weights: dict[str, np.ndarray]) -> og.Graph:
        b = og.Builder("W5")
        h = b.op.Tanh(linear(b, weights, "0", b.input("x", "float32", (8, 2))))
        error = linear(b, weights, "2", h) - b.input("target", "float32", (8, 1))
        b.output(b.op.ReduceMean(error * error, keepdims=0), "loss")
        return b.build()

    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 2)).astype(np.float32)
    return Workload("W5", module, build, x, x[:, :1] * x[:, 1:], False, 200)


def linear(b: og.Builder, weights: dict[str, np.ndarray], name: str, x: Any) -> Any:
    """x·Wᵀ + b with torch's layout of W."""
    w = b.parameter(f"{name}.weight", weights[f"{name}.weight"])
    bias = b.parameter(f"{name}.bias", weights[f"{name}.bias"])
    return b.op.Gemm(x, w, bias, transB=1)


def classified(b: og.Builder, logits: Any, batch: int) -> og.Graph:
    """Close a network with the mean cross-entropy."""
    target = b.input("target", "int64", (batch,))
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, target, reduction="mean"), "loss")
    return b.build()


def torch_step(work: Workload) -> Step:
    """Give torch eager's training step."""
    optimizer = torch.optim.SGD(work.module.parameters(), RATE)
    x, target = torch.from_numpy(work.x), torch.from_numpy(work.target)
    criterion = nn.CrossEntropyLoss() if work.classify else nn.MSELoss()

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(work.module(x), target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def our_step(work: Workload, weights: dict[str, np.ndarray], backend: str) -> Step:
    """Give the same step of ours on a backend."""
    step_graph = og.train_step(work.build(weights), "loss", og.optim.SGD(RATE))
    stepper = og.compile(step_graph, backend).stepper()
    feeds = {"x": work.x, "target": work.target}
    return lambda: float(stepper.run(feeds)["loss"])


def measure(work: Workload, rounds: int) -> None:
    """Time all sides in turn and print the ratios of the medians."""
    weights = {k: v.detach().numpy().copy() for k, v in work.module.state_dict().items()}
    steps = {"torch": torch_step(work)}
    steps |= {b: our_step(work, weights, b) for b in ("onnxruntime", "numpy")}
    losses = {name: [step() for _ in range(5)] for name, step in steps.items()}
    for name in steps:
        np.testing.assert_allclose(losses[name], losses["torch"], rtol=2e-4, err_msg=name)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(work.repeats):
                step()
            times[name].append((time.perf_counter() - start) / work.repeats)
    medians = {name: float(np.median(t)) * 1e3 for name, t in times.items()}
    ratios = ", ".join(
        f"torch ÷ {name} {medians['torch'] / medians[name]:.2f}"
        for name in steps
        if name != "torch"
    )
    listed = ", ".join(f"{name} {ms:.3f} ms" for name, ms in medians.items())
    print(f"{work.name}: {ratios}   ({listed})", flush=True)


def main() -> None:
    """Run the workloads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="comma-separated workloads")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.manual_seed(0)
    print(
        f"torch {torch.__version__}, numpy {np.__version__}, {platform.machine()}, "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads"
    )
    for make in (mlp_with_gelu, convolutions, tiny_mlp):
        work = make()
        if options.only is None or work.name in options.only.split(","):
            measure(work, options.rounds)


if __name__ == "__main__":
    main()
