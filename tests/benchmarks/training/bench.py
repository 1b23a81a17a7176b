"""Workloads in every contender: time and peak memory against torch eager, as JSON and a picture.

Each contender runs in a process of its own, for thread pools that share one slow each other by up
to two times; they take turns, and medians are compared. Weights and data are the same for all. The
losses of three steps must agree with torch's within 1e-4, and what the first step changed in the
weights, or the gradients by x, within 1e-4 of its norm, before anything is timed; a workload may
allow more, and of AdamW's the losses alone are compared. With --threads 1 the processor's time is
taken, which other programs on the machine disturb little.

Run: make bench, or python tests/benchmarks/training/bench.py [--only W1,GPT] [--rounds 11]
     [--threads 1] [--growth] [--contenders torch,numpy] [--size 4] [--out out/bench]
"""

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from contenders import CONTENDERS, OURS  # noqa: E402  # its folder is no package
from picture import draw  # noqa: E402
from processes import Process  # noqa: E402
from workload import Workload, job, sampled  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

LIBRARIES = ("torch", "jax", "onnxruntime", "openvino", "numpy", "numba", "onnx-ad", "onnxsim")


def measure(name: str, size: int, contenders: list[str], rounds: int, threads: int) -> Any:
    """Let those take turns that agree with torch; give what each took, or why it did not."""
    work = WORKLOADS[name]
    start = sampled(job(work, size).weights)
    found: dict[str, Any] = {}
    reference: Any = None
    for group in [[c] for c in contenders] if work.alone else [contenders]:
        running = {}
        started = {contender: Process(name, contender, size, threads) for contender in group}
        for contender, process in started.items():
            first = process.compared()
            reference = reference or first
            refused = first.get("refused") or differs(first, reference, start, work)
            if refused:
                found[contender] = {"refused": refused.splitlines()[0][:160]}
            else:
                process.begin()
                running[contender] = process
        for _ in range(rounds):
            for process in running.values():
                process.turn()
        for contender, process in running.items():
            process.end()
            found[contender] = {
                "ms": float(np.median(process.seconds)) * 1e3,
                "MB": process.megabytes,
            }
    for result in found.values():
        if "ms" in result:
            result["torch ÷ this"] = found["torch"]["ms"] / result["ms"]
    return {"title": work.title.format(size), "contenders": found}


def differs(first: Any, reference: Any, start: dict[str, Any], work: Workload) -> str | None:
    """Tell what is not as torch has it; the weights began at `start`."""
    if not np.allclose(first["losses"], reference["losses"], rtol=1e-4, atol=0):
        return f"its losses are {first['losses']}, torch's {reference['losses']}"
    if work.optimizer == "AdamW":  # it makes a whole step of what rounds to a gradient of 0
        return None
    for name, right in reference["results"].items():
        expected, found = np.array(right), np.array(first["results"][name])
        step = expected - np.array(start[name]) if name in start else expected
        error, norm = np.linalg.norm(found - expected), np.linalg.norm(step)
        if not error <= work.within * norm + 2**-21 * np.linalg.norm(expected):
            return f"its gradient by {name} is {error / norm:.1e} from torch's"
    return None


def described(name: str, measured: Any) -> str:
    """Give what was measured as a few lines."""
    lines = [f"{name}: {measured['title']}"]
    for contender, result in measured["contenders"].items():
        if "refused" in result:
            lines.append(f"  {contender:14} refused: {result['refused']}")
        else:
            ms, ratio, megabytes = result["ms"], result["torch ÷ this"], result["MB"]
            lines.append(f"  {contender:14} {ms:10.3f} ms {ratio:7.2f} {megabytes:6.0f} MB")
    return "\n".join(lines)


def head(threads: int) -> dict[str, Any]:
    """Tell on what is measured."""
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "Python": platform.python_version(),
        },
        "versions": {library: _version(library) for library in LIBRARIES},
        "threads": threads or "as each takes",
        "clock": "processor's time" if threads == 1 else "wall time",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Run the workloads and write what was found after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="comma-separated workloads")
    parser.add_argument("--contenders", help="comma-separated contenders beside torch")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--size", type=int, help="instead of each workload's own")
    parser.add_argument("--growth", action="store_true", help="from a quarter, doubled four times")
    parser.add_argument("--out", default="out/bench", help="what .json and .svg are written to")
    given = parser.parse_args()
    usual = ",".join(n for n, w in WORKLOADS.items() if not w.alone)
    names = (given.only or usual).split(",")
    contenders = (given.contenders or ",".join(CONTENDERS)).split(",")
    for asked, known in ((names, WORKLOADS), (contenders, CONTENDERS)):
        if unknown := [name for name in asked if name not in known]:
            parser.error(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    contenders = ["torch", *(c for c in contenders if c != "torch")]
    out = Path(given.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    report = kept(out.with_suffix(".json"), head(given.threads))
    for name in names:
        size = given.size or WORKLOADS[name].size
        sizes = [max(1, size // 4) * 2**k for k in range(5)] if given.growth else [size]
        for each in sizes:
            measured = measure(name, each, contenders, given.rounds, given.threads)
            print(described(name, measured), flush=True)
            if given.growth:
                report["growth"].setdefault(name, {})[str(each)] = measured
            else:
                report["workloads"][name] = measured
            report["measured"] = datetime.now(UTC).isoformat(timespec="minutes")
            text = json.dumps(report, indent=1, ensure_ascii=False)
            out.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    if report["workloads"]:
        draw(report, out.with_suffix(".svg"))
    print(f"written: {out.with_suffix('.json')}")
    failed = [
        f"{name}, {contender}"
        for name, measured in report["workloads"].items()
        for contender in OURS
        if "refused" in measured["contenders"].get(contender, {})
    ]
    if failed:
        raise SystemExit(f"not done, or wrong: {'; '.join(failed)}")


def kept(file: Path, about: dict[str, Any]) -> Any:
    """Give what stands in a report of the same machine, versions and threads, to be added to."""
    if file.exists():
        found = json.loads(file.read_text(encoding="utf-8"))
        if all(found.get(key) == value for key, value in about.items()):
            return found
    return {**about, "measured": "", "workloads": {}, "growth": {}}


if __name__ == "__main__":
    main()
