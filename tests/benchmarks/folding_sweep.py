"""Compare what is known before a graph runs with what runs; `--help` says how.

Random calls of every operator that is folded, then every sample row and the gradient of each by
one input: with the other inputs as constants and with all of them fed. Fails where any differs.
"""

import argparse
import collections
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from exact_calls import DRAWN, Call  # noqa: E402  # tests/ is no package
from folded_and_fed import (  # noqa: E402
    disagreements,
    equal,
    feeds_of,
    graph_of,
    is_folded,
    on_numpy,
    on_onnxruntime,
)
from op_samples import SAMPLES  # noqa: E402
from op_samples.graphs import wrt_of  # noqa: E402
from op_samples.sample import Sample  # noqa: E402

import onnxgrad as og  # noqa: E402

Array = np.ndarray


def random_calls(op: str, count: int, seed: int) -> Iterator[Call]:
    """Draw calls of an operator, the same ones for the same seed."""
    random = np.random.default_rng([seed, *op.encode()])
    for _ in range(count):
        yield DRAWN[op](random, op)


def sweep_calls(count: int, seed: int) -> int:
    """Compare random calls; print a line for each operator, and what differs."""
    wrong = 0
    print(f"{'operator':18}{'calls':>8}{'folded':>8}{'differ':>8}")
    for op in DRAWN:
        tally: collections.Counter[str] = collections.Counter()
        for call in random_calls(op, count, seed):
            tally["folded"] += is_folded(call)
            for what in disagreements(call):
                tally["differ"] += 1
                if tally["differ"] <= 3:
                    print(f"{call}: {what}")
        wrong += tally["differ"]
        print(f"{op:18}{count:8}{tally['folded']:8}{tally['differ']:8}", flush=True)
    return wrong


def call_of(sample: Sample, dtype: type) -> Call:
    """Give a sample row as a call, its floats in another dtype."""
    arrays = [
        a.astype(dtype) if a is not None and a.dtype == np.float64 else a for a in sample.inputs
    ]
    return Call(sample.op, arrays, dict(sample.attributes), sample.outputs)


def sweep_samples() -> int:
    """Compare every sample row, on NumPy and on onnxruntime; the latter folds by itself."""
    wrong = 0
    for sample in SAMPLES:
        for run, dtype in ((on_numpy, np.float64), (on_onnxruntime, np.float32)):
            call = call_of(sample, dtype)
            known, fed = run(call, []), run(call, range(len(call.inputs)))
            if known is None or fed is None:
                differs = (known is None) != (fed is None)
            else:
                differs = not all(map(close, known, fed))
            if differs:
                wrong += 1
                print(f"{sample} by {run.__name__}: known {known}, fed {fed}")
    print(f"{len(SAMPLES)} sample rows with constants and fed: {wrong} differ")
    return wrong


def sweep_gradients() -> int:
    """Compare the gradient of every sample row by each input, the others known or fed."""
    wrong = count = 0
    for sample in SAMPLES:
        call = call_of(sample, np.float64)
        for name in wrt_of(sample):
            count += 1
            known = gradient(call, name, [int(name[1:])])
            fed = gradient(call, name, range(len(call.inputs)))
            if not close(known, fed):
                wrong += 1
                print(f"{sample} by {name}: known {known}, fed {fed}")
    print(f"{count} gradients of sample rows, other inputs known and fed: {wrong} differ")
    return wrong


def gradient(call: Call, name: str, fed: "range | list[int]") -> Array:
    """Give the gradient of a call by one of its inputs, with cotangents drawn once."""
    graph = graph_of(call, fed)
    of = [v.name for v in graph.outputs if v.dtype.kind == "f"]
    results = og.compile(graph).run(feeds_of(graph, call))
    random = np.random.default_rng(7)
    seeds = {f"{n}.grad": np.asarray(random.uniform(0.5, 1.5, results[n].shape)) for n in of}
    backward = og.compile(og.vjp(graph, of, name))
    return np.asarray(backward.run({**feeds_of(graph, call), **seeds})[f"{name}.grad"])


def close(a: Array, b: Array) -> bool:
    """Tell whether arrays agree within the rounding of another order of sums."""
    if a.dtype.kind != "f":
        return equal(a, b)
    tolerance = 1e-5 if a.dtype == np.float32 else 1e-12
    return a.shape == b.shape and np.allclose(a, b, tolerance, tolerance, equal_nan=True)


def main() -> None:
    """Run the three sweeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2100, help="random calls of each operator")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    wrong = sweep_calls(arguments.calls, arguments.seed) + sweep_samples() + sweep_gradients()
    seconds = time.perf_counter() - start
    print(f"{arguments.calls * len(DRAWN):,} random calls; {wrong} differ, in {seconds:.0f} s")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
