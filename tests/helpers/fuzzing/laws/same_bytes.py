"""(H) The same program gives the same file, byte for byte, in two processes."""

import hashlib
import os
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import IO

import onnxgrad as og

from ..case import Case
from ..program import Program
from ..verdict import Wrong
from .arguments import content
from .derivatives import draw_derivative
from .law import Law, any_precision


def check(case: Case) -> None:
    """Compare the files of a graph, a derivative and a batch here and in another process."""
    here, there = digests(case.program), _other_process().digests(case.program)
    for name, digest in here.items():
        if digest != there.get(name):
            raise Wrong(f"the files of {name} differ between processes")


def digests(program: Program) -> dict[str, str]:
    """Give the hash of each file; a refusal by its reason."""
    case = Case(program)
    graphs = {"the graph": case.graph, "the optimized graph": og.optimize(case.graph)}
    if case.targets and case.sources:
        derivative = draw_derivative(case, case.rng(1))
        graphs[derivative.kind] = derivative.graph
        graphs["vmap"] = og.vmap(derivative.graph)
    return {n: hashlib.sha256(content(g)).hexdigest() for n, g in graphs.items()}


class _Process:
    """A process with another hash seed that answers a program by its digests."""

    def __init__(self) -> None:
        here = Path(__file__).resolve().parents[2]
        path = os.pathsep.join([str(here), *sys.path])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "4711"}
        command = [sys.executable, "-W", "ignore", "-c", f"import {__name__} as m; m.serve()"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def digests(self, program: Program) -> dict[str, str]:
        assert self.process.stdin is not None and self.process.stdout is not None
        pickle.dump(program, self.process.stdin)
        self.process.stdin.flush()
        found: dict[str, str] = pickle.load(self.process.stdout)
        return found


@cache
def _other_process() -> _Process:
    return _Process()


def serve() -> None:
    """Answer programs on standard input until it ends."""
    given: IO[bytes] = sys.stdin.buffer
    while True:
        try:
            program = pickle.load(given)
        except EOFError:
            return
        try:
            found = digests(program)
        except Exception as error:  # it is the other process that reports it
            found = {"no file": repr(error)}
        pickle.dump(found, sys.stdout.buffer)
        sys.stdout.buffer.flush()


LAW = Law("H", "two processes write the same bytes", any_precision, check)
