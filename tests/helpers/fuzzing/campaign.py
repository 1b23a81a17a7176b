"""Fuzz many programs: laws in turn, several workers, what is found shrunk and kept."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from .file_road import write
from .judge import draw
from .laws import LAWS
from .program import Program, every_call
from .shrinking import shrink, signature
from .source import source
from .verdict import FAULTS, KINDS, REFUSED, Verdict
from .workers import Worker

T = TypeVar("T")

CHUNK = 20
"""How many seeds every law tries before the next ones."""

MOST_REASONS = 40
"""How many of the most frequent refusals and faults are listed."""

KEPT = 2
"""How many programs of one signature are shrunk and kept."""


@dataclass
class Findings:
    """What the laws said so far."""

    next_seed: int
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> bool:
        """Count a verdict; tell whether it is a fault of a kind not seen often."""
        self.counts.setdefault(verdict.law, Counter())[verdict.kind] += 1
        name = signature(verdict)
        if verdict.kind == REFUSED:
            self.reasons[name] += 1
        if verdict.kind not in FAULTS:
            return False
        self.signatures[name] += 1
        return self.signatures[name] <= KEPT

    def report(self) -> str:
        """Give the table, the most frequent refusals and faults, and where to go on."""
        lines = [self.table()]
        for title, counter in (("refused", self.reasons), ("found", self.signatures)):
            for text, times in counter.most_common(MOST_REASONS):
                lines.append(f"{title} {times:>6} times  {text}")
        return "\n".join([*lines, f"the next seed is {self.next_seed}"])

    def table(self) -> str:
        """Give a row per law."""
        rows = ["law  " + "".join(f"{kind:>10}" for kind in ("graphs", *KINDS))]
        for letter, counts in sorted(self.counts.items()):
            numbers = [counts.total(), *(counts[kind] for kind in KINDS)]
            cells = "".join(f"{number:>10,}" for number in numbers)
            rows.append(f"{letter:<5}{cells}  {LAWS[letter].title}")
        return "\n".join(rows)


def keep(verdict: Verdict, worker: Worker, out: Path) -> Path:
    """Shrink a program and write it as Python, and as a file where it is one."""
    program = draw(verdict.law, verdict.seed)
    small = shrink(program, verdict, lambda p: worker.judge(verdict.law, p))
    path = out / f"{verdict.law}_{verdict.kind}_{verdict.seed}.py"
    last = worker.judge(verdict.law, small)
    remarks = "".join(f"# {line}\n" for line in [_title(verdict), *last.detail.splitlines()])
    path.write_text(remarks + _text(small), "utf-8", "backslashreplace")
    try:
        path.with_suffix(".onnx").write_bytes(write(small).SerializeToString())
    except Exception:  # a program broken on purpose may be none
        pass
    print(f"{_title(verdict)}: {len(list(every_call(small.block)))} calls, {path}")
    print(f"    {last.detail[:300]}", flush=True)
    return path


def _title(verdict: Verdict) -> str:
    return f"law {verdict.law} ({LAWS[verdict.law].title}), seed {verdict.seed}: {verdict.kind}"


def _text(program: Program) -> str:
    try:
        return source(program)
    except Exception as error:  # as above
        return f"# no source: {error}\n# {program!r}\n"


def run(
    letters: Sequence[str], seeds: range, seconds: float, processes: int, out: Path
) -> Findings:
    """Try every law on the same seeds, in order, until they or the time are used up."""
    findings = Findings(seeds.start)
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    idle: SimpleQueue[Worker] = SimpleQueue()
    for _ in range(processes):
        idle.put(Worker())

    def with_worker(action: Callable[[Worker], T]) -> T:
        worker = idle.get()
        try:
            return action(worker)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(processes) as threads:
        while findings.next_seed < seeds.stop and time.monotonic() < end:
            chunk = range(findings.next_seed, min(findings.next_seed + CHUNK, seeds.stop))
            tries = [
                threads.submit(with_worker, partial(Worker.judge, letter=letter, given=seed))
                for letter in letters
                for seed in chunk
            ]
            for attempt in tries:
                verdict = attempt.result()
                if findings.add(verdict):
                    with_worker(partial(keep, verdict, out=out))
            findings.next_seed = chunk.stop
            (out / "so_far.txt").write_text(findings.report(), "utf-8")
    for _ in range(processes):
        idle.get().stop()
    return findings
