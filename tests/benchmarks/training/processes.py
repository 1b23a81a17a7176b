"""A contender's process, as the one sees it that lets contenders take turns."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

KERNELS = {
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
}
"""What tells a library to take a processor for another one: nobody is timed so."""


class Process:
    """Runs contender.py: once to be compared, for that takes memory, and again to be timed."""

    def __init__(self, workload: str, contender: str, size: int, threads: int) -> None:
        few = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
        file = str(Path(__file__).with_name("contender.py"))
        self._command = [sys.executable, file, workload, contender, str(size), str(threads)]
        kept = {name: setting for name, setting in os.environ.items() if name not in KERNELS}
        self._environment = {**kept, **(few if threads else {})}
        self._process: subprocess.Popen[str] | None = None
        self.seconds: list[float] = []
        self.megabytes = 0.0

    def compared(self) -> dict[str, Any]:
        """Give the losses of three steps and a sample of the results of the first, or a refusal."""
        self._start("compare")
        found: dict[str, Any] = self._answer()
        self.end()
        return found

    def begin(self) -> None:
        """Start what is timed; others may start beside it."""
        self._start("time")

    def turn(self) -> None:
        """Let it run one timing."""
        assert self._process is not None and self._process.stdin is not None
        print("go", file=self._process.stdin, flush=True)
        seconds, self.megabytes = self._answer()
        self.seconds.append(seconds)

    def end(self) -> None:
        """Let it go."""
        assert self._process is not None
        self._process.communicate()

    def _start(self, purpose: str) -> None:
        self._process = subprocess.Popen(
            [*self._command, purpose],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self._environment,
        )

    def _answer(self) -> Any:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"refused": f"it ended with {self._process.wait()}"}
