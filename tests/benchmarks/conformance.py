"""Print how much of ONNX's own suite each backend passes; `--help` says how.

Fails where another case fails than tests/backends/expected_failures*.toml list.
"""

import argparse
import collections
import sys
import time
import tomllib
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from onnx_suite import Case, check_case, load_cases  # noqa: E402  # they are no package

LISTS = {"numpy": "expected_failures.toml", "onnxruntime": "expected_failures_onnxruntime.toml"}


def listed(backend: str) -> set[str]:
    """Give the names of the cases that are known to fail."""
    if backend not in LISTS:
        return set()
    path = Path(__file__).parents[1] / "backends" / LISTS[backend]
    return set(tomllib.loads(path.read_text()))


def failure(case: Case, backend: str) -> str | None:
    """Give the first line of why a case fails, None where it passes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_case(case, backend)
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        return f"{type(error).__name__}: {' '.join(lines)[:300]}"
    return None


def main() -> None:
    """Run the suite and print a scoreboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backends", nargs="*", default=["numpy", "onnxruntime"])
    parser.add_argument("--failures", action="store_true", help="list every failure")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    arguments = parser.parse_args()
    cases = [c for c in load_cases() if arguments.only in c.name]
    surprises = 0
    for backend in arguments.backends:
        start = time.perf_counter()
        failures = {c.name: (c.kind, why) for c in cases if (why := failure(c, backend))}
        seconds = time.perf_counter() - start
        print(f"{backend}: {len(cases) - len(failures)} of {len(cases)} in {seconds:.0f} s")
        totals = collections.Counter(c.kind for c in cases)
        failed = collections.Counter(kind for kind, _ in failures.values())
        for kind, total in totals.items():
            print(f"  {kind:20}{total - failed[kind]:6} of {total}")
        if arguments.failures:
            for name, (_, why) in sorted(failures.items()):
                print(f"  {name}: {why}")
        unexpected = failures.keys() ^ (listed(backend) & {c.name for c in cases})
        for name in sorted(unexpected):
            print(f"  {'fails, not listed' if name in failures else 'listed, passes'}: {name}")
        surprises += len(unexpected)
    sys.exit(bool(surprises))


if __name__ == "__main__":
    main()
