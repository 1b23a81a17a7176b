"""Run every operator's samples with each axis empty in turn, each run in a process of its own.

On NumPy, on onnxruntime, and the saved file in stock onnxruntime; forward and backward; with sizes
in the graph and with symbols. `right` is what onnx.reference gives, or the finite differences.

Run: make edges, or python tests/benchmarks/edges.py [--operators Conv,Pad] [--json edges.json]
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))  # python -P leaves it out

from empty_axes import KNOWN, RUNNERS, VERDICTS, Outcome, judge, settled, variants  # noqa: E402
from isolated import judge_all  # noqa: E402
from op_samples import SAMPLES  # noqa: E402

SECONDS = 20


def main() -> int:
    """Run the sweep and print the scoreboard; exit 1 on what is not known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", help="comma-separated operators; all without it")
    parser.add_argument("--json", help="write every outcome to this file")
    options = parser.parse_args()
    chosen = set(options.operators.split(",")) if options.operators else None
    cases = [
        (k, axes)
        for k, sample in enumerate(SAMPLES)
        if chosen is None or sample.op in chosen
        for axes in variants(sample)
    ]
    outcomes = settled(judge_all(judge, cases, SECONDS))
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(o) for o in outcomes], indent=1))
    print(scoreboard(outcomes))
    bad = [o for o in outcomes if o.verdict in ("wrong", "failed", "kills")]
    for o in bad:
        run = f"{o.sample} {o.emptied} {o.form} {o.runner} {o.order}"
        print(f"{o.verdict}: {run}\n    {known(o) or o.detail}")
    return int(any(not known(o) for o in bad))


def known(outcome: Outcome) -> str:
    """Give why an outcome is as it is, where that is known."""
    operator = SAMPLES[int(outcome.sample.partition("-")[0])].op
    return KNOWN.get((operator, outcome.runner), "")


def scoreboard(outcomes: list[Outcome]) -> str:
    """Give a table in Markdown with a row for each runner and order."""
    lines = ["| | " + " | ".join(VERDICTS) + " |", "|---" * (len(VERDICTS) + 1) + "|"]
    for runner in RUNNERS:
        for order in ("forward", "backward"):
            counts = Counter(o.verdict for o in outcomes if (o.runner, o.order) == (runner, order))
            cells = " | ".join(f"{counts[v]:,}" for v in VERDICTS)
            lines.append(f"| {runner} {order} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
