"""Whole training steps (forward, backward, SGD) against torch eager: ratios of medians.

Each contender runs in a process of its own, for thread pools that share one slow each other by up
to two times; they take turns. The float32 weights and data are the same, the losses of the first
steps must agree. See workloads.py for what is trained. "exported" is the saved step, in forms for
onnxruntime, in stock onnxruntime. With --threads 1 the processor's time is taken, which other
programs on the machine disturb little.

Run: make bench, or python tests/benchmarks/training/training_steps.py [--only W1] [--rounds 15]
     [--threads 1]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from workloads import WORKLOADS  # noqa: E402  # its folder is no package

CONTENDERS = ("torch", "onnxruntime", "exported", "numpy", "openvino")


class Contender:
    """A process that trains a workload."""

    def __init__(self, workload: str, name: str, weights: str, threads: int) -> None:
        few = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
        self._process = subprocess.Popen(
            command(workload, name, weights, str(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(few if threads else {})},
        )
        self.losses: list[float] = self._answer()
        self.seconds: list[float] = []
        self.peak = 0.0

    def turn(self) -> None:
        """Let it run one timing."""
        assert self._process.stdin is not None
        print("go", file=self._process.stdin, flush=True)
        seconds, self.peak = self._answer()
        self.seconds.append(seconds)

    def end(self) -> None:
        """Let it go."""
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended")
        return json.loads(line)


def command(*arguments: str) -> list[str]:
    """Give the command of a contender; its folder is on the path."""
    return [sys.executable, str(HERE / "contender.py"), *arguments]


def measure(workload: str, rounds: int, threads: int) -> None:
    """Let the contenders take turns and print the ratios of their medians."""
    with tempfile.TemporaryDirectory() as folder:
        weights = str(Path(folder) / "weights.npz")
        subprocess.run(command(workload, "weights", weights), check=True)
        contenders = {n: Contender(workload, n, weights, threads) for n in CONTENDERS}
        reference = contenders["torch"].losses
        for name, contender in contenders.items():
            np.testing.assert_allclose(contender.losses, reference, rtol=2e-4, err_msg=name)
        for _ in range(rounds):
            for contender in contenders.values():
                contender.turn()
        for contender in contenders.values():
            contender.end()
    medians = {name: float(np.median(c.seconds)) * 1e3 for name, c in contenders.items()}
    ratios = ", ".join(
        f"torch ÷ {name} {medians['torch'] / medians[name]:.2f}" for name in CONTENDERS[1:]
    )
    listed = ", ".join(
        f"{name} {medians[name]:.3f} ms, {c.peak:.0f} MB" for name, c in contenders.items()
    )
    print(f"{workload}: {ratios}   ({listed})", flush=True)


def main() -> None:
    """Run the workloads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="comma-separated workloads")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    versions = ", ".join(f"{p} {version(p)}" for p in ("torch", "onnxruntime", "numpy", "openvino"))
    print(f"{versions}, {platform.machine()}, {os.cpu_count()} cores")
    for name in WORKLOADS:
        if options.only is None or name in options.only.split(","):
            measure(name, options.rounds, options.threads)


if __name__ == "__main__":
    main()
