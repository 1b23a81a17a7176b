"""Save every sample and its gradient in float32 and float64; stock onnxruntime loads the files.

A file that it does not load must have been named as it was saved, and no other. Prints the number
of each verdict, what was named by operator, and every file that is neither.

Run: python tests/benchmarks/stock_sweep.py [--every 10] [--opset 21]
"""

import argparse
import collections
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnxruntime

import onnxgrad as og

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from op_samples import SAMPLES  # noqa: E402  # they are no package
from op_samples.graphs import float_outputs, graph_of, wrt_of  # noqa: E402
from op_samples.sample import Sample  # noqa: E402

LOADS, NAMED, REFUSED = "loads", "named", "refused as it was saved"


def graphs(sample: Sample) -> Iterator[tuple[str, og.Graph]]:
    """Give a sample's graph and that of its gradient, in both precisions, sizes known and not."""
    for dtype in ("float32", "float64"):
        for symbolic in (False, True):
            sizes = "symbolic" if symbolic else "static"
            forward = graph_of(sample, symbolic, dtype)
            yield f"{dtype} {sizes} forward", forward
            of = float_outputs(forward)
            gradient = og.vjp(forward, of, wrt_of(sample), allow_unused=True)
            yield f"{dtype} {sizes} gradient", gradient


def verdict(graph: og.Graph, path: Path, opset: int, functions: bool) -> tuple[str, list[str]]:
    """Save a graph and let onnxruntime load it; give the verdict and what was named."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            og.save(graph, path, opset, functions=functions)
        except og.OnnxgradError:
            return REFUSED, []
    named = [str(w.message) for w in caught]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever it raises
        return (NAMED if named else f"not named: {error}"), named
    return (f"named, but it loads: {named[0]}" if named else LOADS), named


def main() -> None:
    """Judge all files; fail where one neither loads nor was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every n-th sample")
    parser.add_argument("--opset", type=int, default=21)
    arguments = parser.parse_args()
    onnxruntime.set_default_logger_severity(4)
    count: collections.Counter[str] = collections.Counter()
    operators: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "saved.onnx")
        for sample in SAMPLES[:: arguments.every]:
            for kind, graph in graphs(sample):
                for functions in (False, True):
                    found, named = verdict(graph, path, arguments.opset, functions)
                    count[found.partition(":")[0]] += 1
                    operators.update([sample.op] * bool(named))
                    if found not in (LOADS, NAMED, REFUSED):
                        print(f"{sample}, {kind}, functions={functions}: {found}", flush=True)
    print("named:", ", ".join(f"{op} ×{n}" for op, n in sorted(operators.items())))
    for kind, number in count.most_common():
        print(f"{number:7} {kind}")
    sys.exit(bool(count.keys() - {LOADS, NAMED, REFUSED}))


if __name__ == "__main__":
    main()
