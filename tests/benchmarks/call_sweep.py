"""Judge calls that are hardly ever made: odd attributes, no ranks, equal and infinite numbers.

Every attribute of every version of every operator is changed, every sample row is called with
inputs of unknown rank and of another one, with equal elements, and with NaN and infinity in its
float inputs. Prints what became of them, and fails where anything is wrong.

    python tests/benchmarks/call_sweep.py [--backend onnxruntime]

The backend runs the calls with other inputs, and only these where it is named.
"""

import argparse
import collections
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from changed_calls import changes, is_right, verdict  # noqa: E402  # tests/ is no package
from equal_elements import verdicts as with_equal_elements  # noqa: E402
from isolated import judge_all  # noqa: E402
from not_finite import is_right as is_expected  # noqa: E402
from not_finite import judge  # noqa: E402
from old_calls import ROWS  # noqa: E402
from op_samples import SAMPLES  # noqa: E402
from other_inputs import judge as with_other_inputs  # noqa: E402
from unknown_ranks import verdicts  # noqa: E402


def report(title: str, found: Iterable[tuple[str, str, bool]]) -> int:
    """Print how many calls met each verdict, and those that are wrong; count these."""
    tally: collections.Counter[str] = collections.Counter()
    wrong = 0
    for call, told, right in found:
        tally[told.partition(":")[0] if right else "wrong"] += 1
        wrong += not right
        if not right:
            print(f"{call}: {told}")
    print(f"{title}: " + ", ".join(f"{n} {told}" for told, n in tally.most_common()))
    return wrong


def other_inputs(backend: str) -> int:
    """Count calls with another input that a backend gets wrong, or that end its process."""
    rows = [(index, backend) for index in range(len(SAMPLES))]
    outcomes = judge_all(with_other_inputs, rows, seconds=60)
    found = (
        (o.call, f"{o.verdict}{o.detail}", o.verdict in ("right", "refused")) for o in outcomes
    )
    return report(f"other inputs, {backend}", found)


def main() -> int:
    """Run all sweeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", help="run only the calls with other inputs, on this one")
    backend = parser.parse_args().backend
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    onnxruntime.set_default_logger_severity(4)
    if backend is not None:
        return other_inputs(backend)
    attributes = (
        (str(change), told, is_right(change, told, symbolic))
        for symbolic in (False, True)
        for call, version in ROWS
        for change in changes(call, version, symbolic)
        for told in [verdict(change)]
    )
    ranks = (
        (f"{sample} {step}", told, told in ("right", "refused"))
        for sample in SAMPLES
        for fed in (False, True)
        for step, told in verdicts(sample, fed).items()
    )
    equal = (
        (f"{sample} {step}", told, not told.startswith("wrong"))
        for sample in SAMPLES
        if sample.onnxruntime
        for step, told in with_equal_elements(sample)
    )
    cases = [(index, 2) for index in range(len(SAMPLES))]
    numbers = (
        (f"{o.sample} {o.element}={o.bad} {o.order} {o.runner}", o.verdict, is_expected(o))
        for o in judge_all(judge, cases, seconds=60)
    )
    return (
        report("changed attributes", attributes)
        + report("unknown ranks", ranks)
        + other_inputs("numpy")
        + other_inputs("onnxruntime")
        + report("equal elements", equal)
        + report("not finite", numbers)
    )


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
