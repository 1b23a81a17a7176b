"""A contender's process, as the one sees it that lets contenders take turns."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Process:
    """Runs contender.py; `first` is what it says first, once it has begun."""

    def __init__(self, workload: str, contender: str, size: int, threads: int) -> None:
        few = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
        file = str(Path(__file__).with_name("contender.py"))
        self._process = subprocess.Popen(
            [sys.executable, file, workload, contender, str(size), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(few if threads else {})},
        )
        self.first: dict[str, Any] = {}
        self.seconds: list[float] = []
        self.megabytes = 0.0

    def begin(self) -> None:
        """Wait for what it says first; others may start beside it."""
        self.first = self._answer()

    def turn(self) -> None:
        """Let it run one timing."""
        assert self._process.stdin is not None
        print("go", file=self._process.stdin, flush=True)
        seconds, self.megabytes = self._answer()
        self.seconds.append(seconds)

    def end(self) -> None:
        """Let it go."""
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"refused": f"it ended with {self._process.wait()}"}
