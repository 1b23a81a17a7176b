"""The update alone: seconds of a step and peak memory, for an optimizer of many parameters.

The gradient is fed, so that nothing but the update runs; torch's own optimizer beside it, where it
is installed, each in a process of its own.

Run: python tests/benchmarks/training/update.py [--millions 50] [--rounds 7]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

WIDTH = 4096
OPTIMIZERS = ("AdamW", "SGD")


def our_update(backend: str, optimizer: str, millions: int) -> Callable[[], object]:
    """Give an update of ours, by gradients that are fed."""
    import onnxgrad as og

    count = max(1, millions * 10**6 // WIDTH**2)
    b = og.Builder("update")
    terms = []
    for k in range(count):
        w = b.parameter(f"w{k}", np.full((WIDTH, WIDTH), 0.5, np.float32))
        terms.append(b.op.ReduceSum(w * b.input(f"g{k}", "float32", (WIDTH, WIDTH)), keepdims=0))
    b.output(b.op.Sum(*terms), "loss")
    how = og.optim.AdamW(1e-3) if optimizer == "AdamW" else og.optim.SGD(1e-3, momentum=0.9)
    _, update = og.split_step(b.build(), "loss", how)
    stepper = og.compile(update, backend).stepper()
    rng = np.random.default_rng(0)
    feeds = {f"w{k}.grad": rng.random((WIDTH, WIDTH), dtype=np.float32) for k in range(count)}
    return lambda: stepper.run(feeds)


def torch_update(optimizer: str, millions: int) -> Callable[[], object]:
    """Give torch's update."""
    import torch  # pyright: ignore[reportMissingImports]  # of the bench extra

    count = max(1, millions * 10**6 // WIDTH**2)
    weights = [torch.nn.Parameter(torch.full((WIDTH, WIDTH), 0.5)) for _ in range(count)]
    for w in weights:
        w.grad = torch.rand(WIDTH, WIDTH)
    kinds = {"AdamW": {}, "SGD": {"momentum": 0.9}}
    step: Callable[[], object] = getattr(torch.optim, optimizer)(
        weights, lr=1e-3, **kinds[optimizer]
    ).step
    return step


def contend(name: str, optimizer: str, millions: int) -> None:
    """Answer each line of input by the seconds of a step and the peak memory in MB."""
    step = torch_update(optimizer, millions) if name == "torch" else our_update(
        name, optimizer, millions
    )  # fmt: skip
    step()
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([seconds, peak]), flush=True)


def measure(optimizer: str, contenders: list[str], millions: int, rounds: int) -> None:
    """Let the contenders take turns and print their medians."""
    processes = {}
    for name in contenders:
        command = [sys.executable, *sys.argv[:1], "--contender", name, "--optimizer", optimizer,
                   "--millions", str(millions)]  # fmt: skip
        processes[name] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    found: dict[str, list[float]] = {name: [] for name in contenders}
    peaks = {}
    for _ in range(rounds):
        for name, process in processes.items():
            assert process.stdin is not None and process.stdout is not None
            print("go", file=process.stdin, flush=True)
            seconds, peaks[name] = json.loads(process.stdout.readline())
            found[name].append(seconds)
    for process in processes.values():
        process.communicate()
    for name in contenders:
        print(f"{optimizer}, {name}: {median(found[name]) * 1e3:.0f} ms, {peaks[name]:.0f} MB")


def main() -> None:
    """Measure, or be one of the contenders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--optimizer", choices=OPTIMIZERS)
    parser.add_argument("--contender")
    parser.add_argument("--contenders", default="torch,numpy,onnxruntime")
    given = parser.parse_args()
    if given.contender is not None:
        contend(given.contender, given.optimizer, given.millions)
        return
    for optimizer in OPTIMIZERS:
        measure(optimizer, given.contenders.split(","), given.millions, given.rounds)


if __name__ == "__main__":
    main()
