"""Fuzz for a time: laws in turn, a worker per core, what is found shrunk and kept."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from .file_road import write
from .judge import draw
from .laws import LAWS
from .program import Program, every_call
from .shrinking import shrink, signature
from .source import source
from .verdict import FAULTS, KINDS, REFUSED, Verdict
from .workers import Worker

CHUNK = 40
"""How many seeds a worker gets at a time."""

KEPT = 2
"""How many programs of one signature are shrunk and kept."""


@dataclass
class Findings:
    """What the laws said so far."""

    out: Path
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict, worker: Worker) -> None:
        """Count a verdict; shrink and keep what is a fault of a kind not seen often."""
        self.counts.setdefault(verdict.law, Counter())[verdict.kind] += 1
        if verdict.kind == REFUSED:
            self.reasons[signature(verdict)] += 1
        if verdict.kind in FAULTS:
            name = signature(verdict)
            self.signatures[name] += 1
            if self.signatures[name] <= KEPT:
                keep(verdict, worker, self.out)

    def table(self) -> str:
        """Give a row per law."""
        rows = ["law  " + "".join(f"{kind:>10}" for kind in KINDS)]
        for letter, counts in sorted(self.counts.items()):
            cells = "".join(f"{counts[kind]:>10,}" for kind in KINDS)
            rows.append(f"{letter:<5}{cells}  {LAWS[letter].title}")
        return "\n".join(rows)


def keep(verdict: Verdict, worker: Worker, out: Path) -> Path:
    """Shrink a program and write it as Python, and as a file where it is one."""
    program = draw(verdict.law, verdict.seed)
    small = shrink(program, verdict, lambda p: worker.judge(verdict.law, p))
    out.mkdir(parents=True, exist_ok=True)
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


def run(letters: Sequence[str], first: int, seconds: float, processes: int, out: Path) -> Findings:
    """Try laws in turn on seeds from `first` on, for a time."""
    findings = Findings(out)
    end = time.monotonic() + seconds
    idle: SimpleQueue[Worker] = SimpleQueue()
    for _ in range(processes):
        idle.put(Worker())

    def sweep(letter: str, seeds: range) -> None:
        worker = idle.get()
        try:
            for seed in seeds:
                if time.monotonic() < end:
                    findings.add(worker.judge(letter, seed), worker)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(processes) as threads:
        pending: set[Future[None]] = set()
        for letter, seeds in _chunks(letters, first):
            if time.monotonic() > end:
                break
            pending.add(threads.submit(sweep, letter, seeds))
            while len(pending) > processes:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        for future in pending:
            future.result()
    for _ in range(processes):
        idle.get().stop()
    return findings


def _chunks(letters: Sequence[str], first: int) -> Iterator[tuple[str, range]]:
    while True:
        for letter in letters:
            yield letter, range(first, first + CHUNK)
        first += CHUNK
