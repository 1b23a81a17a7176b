"""Save every sample and its gradient in three dtypes; stock onnxruntime gives the right numbers.

A file that it does not load must have been named as it was saved, and no other. What it computes is
compared with the NumPy backend, within a few units of rounding of the largest number involved; in
half precision NumPy computes in float32, as onnxruntime does. The cases of ONNX's own suite are
read, saved and compared with what ONNX expects. Prints the number of each verdict, what was named
by operator, and every file that is wrong.

Run: python tests/benchmarks/stock_sweep.py [--every 10] [--opset 21] [--only DFT] [--part 0/2]
"""

import argparse
import collections
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import onnxgrad as og

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from onnx_suite import (  # noqa: E402  # they are no package
    DRAWN,
    ROUNDED,
    Case,
    compare_outputs,
    load_cases,
    named_feeds,
)
from op_samples import SAMPLES  # noqa: E402
from op_samples.graphs import (  # noqa: E402
    cotangents,
    feeds_of,
    float_outputs,
    graph_of,
    wrt_of,
)
from op_samples.sample import Sample  # noqa: E402

RIGHT, NAMED, REFUSED, UNCROSSED = (
    "right",
    "named",
    "refused as it was saved",
    "of types that onnxruntime's Python interface does not carry",
)
FINE = {RIGHT, NAMED, REFUSED, UNCROSSED}

UNITS = {"float16": 4, "float32": 64, "float64": 64}
"""Units of rounding by which results may differ: terms are added up in other orders, and Fourier
transforms of odd lengths are made of longer ones. In float16 results are rounded once or twice."""

UNORDERED = ("TopK-sorted=0",)
"""Samples whose results have no order that the standard tells."""

BY_UNITS = ("test_dft",)
"""Cases whose tolerance is 1e-7 of 1 where hundreds cancel: they expect NumPy's own rounding."""

Arrays = Mapping[str, Any]


def graphs(sample: Sample) -> Iterator[tuple[str, og.Graph, Arrays, Arrays]]:
    """Give a sample's graph and that of its gradient, sizes known and not, with their results."""
    for dtype in ("float32", "float64", "float16"):
        for symbolic in (False, True):
            sizes = "symbolic" if symbolic else "static"
            forward = graph_of(sample, symbolic, dtype)
            feeds = feeds_of(forward, sample)
            results = og.compile(forward).run(feeds)
            yield f"{dtype} {sizes} forward", forward, feeds, results
            of = float_outputs(forward)
            gradient = og.vjp(forward, of, wrt_of(sample), allow_unused=True)
            feeds = {**feeds, **cotangents(results, of)}
            expected = og.compile(gradient).run(feeds)
            yield f"{dtype} {sizes} gradient", gradient, feeds, expected


def difference(found: Any, expected: Any, feeds: Arrays, unordered: bool) -> str:
    """Tell how an array differs from what is expected by more than rounding; "" where it does not.

    Rounding is relative to the largest number, expected or fed: what is left of terms that cancel
    is rounding of these.
    """
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{found.dtype}{found.shape}, not {expected.dtype}{expected.shape}"
    if unordered:
        found, expected = np.sort(found, axis=None), np.sort(expected, axis=None)
    if expected.dtype.kind != "f":
        return "" if np.array_equal(found, expected) else "other integers"
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return "other NaN or infinities"
    floats = [a for a in feeds.values() if a.dtype.kind == "f"]
    scale = max(float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in (expected, *floats))
    gap = np.abs(found[finite].astype("f8") - expected[finite].astype("f8")).max(initial=0)
    units = float(gap) / (scale or 1.0) / float(np.finfo(expected.dtype).eps)
    return f"{units:.0f} units of rounding" if units > UNITS[expected.dtype.name] else ""


def open_saved(
    graph: og.Graph, path: Path, opset: int, functions: bool
) -> tuple[Any, list[str], str]:
    """Save a graph and open the file in stock onnxruntime; give session, warnings and failure."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        og.save(graph, path, opset, functions=functions)
    named = [str(w.message) for w in caught]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as error:  # whatever it raises
        return None, named, " ".join(str(error).split())[:300]
    return session, named, ""


def run(session: Any, names: list[str], feeds: Arrays) -> Arrays:
    """Run a session on what of the feeds it takes."""
    taken = {v.name for v in session.get_inputs()}
    fed = {n: np.asarray(a) if np.isscalar(a) else a for n, a in feeds.items() if n in taken}
    return dict(zip(names, session.run(names, fed), strict=True))


def judge_sample(sample: Sample, path: Path, opset: int) -> Iterator[tuple[str, str, list[str]]]:
    """Yield kind, verdict and warnings of each file of a sample."""
    unordered = str(sample).startswith(UNORDERED)
    for kind, graph, feeds, expected in graphs(sample):
        for functions in (False, True):
            label = f"{kind}, functions={functions}"
            try:
                session, named, failure = open_saved(graph, path, opset, functions)
            except og.OnnxgradError:
                yield label, REFUSED, []
                continue
            if session is None:
                yield label, NAMED if named else f"not named: {failure}", named
                continue
            if named:
                yield label, f"named, but it loads: {named[0]}", named
                continue
            try:
                found = run(session, list(expected), feeds)
            except Exception as error:  # whatever it raises
                yield label, f"loads and fails: {' '.join(str(error).split())[:300]}", []
                continue
            pairs = ((n, difference(found[n], a, feeds, unordered)) for n, a in expected.items())
            wrong = [f"{name}: {apart}" for name, apart in pairs if apart]
            yield label, "other numbers: " + "; ".join(wrong) if wrong else RIGHT, []


def judge_case(case: Case, path: Path, opset: int) -> tuple[str, list[str]]:
    """Give verdict and warnings of a case of ONNX's suite, at the first opset that can say it."""
    model = case.model()
    graph = og.load(model)
    for newer in range(opset, 29):
        try:
            session, named, failure = open_saved(graph, path, newer, False)
            break
        except og.OnnxgradError:
            continue
    else:
        return REFUSED, []
    if session is None:
        return (NAMED if named else f"not named: {failure}"), named
    for inputs, expected in case.data(model):
        try:
            found = run(
                session, [o.name for o in model.graph.output], named_feeds(model, graph, inputs)
            )
            if case.name.startswith(BY_UNITS):
                apart = difference(list(found.values())[0], expected[0], {"x": inputs[0]}, False)
                assert not apart, apart
            else:
                compare_outputs(list(found.values()), expected, case)
        except AssertionError as error:
            text = " ".join(str(error).split())[:300]
            return (UNCROSSED if "dtype('uint8')" in text else f"other numbers: {text}"), named
        except Exception as error:  # whatever it raises
            text = " ".join(str(error).split())[:300]
            uncrossed = "MLDataType" in text or "corresponding Numpy type" in text
            return (UNCROSSED if uncrossed else f"loads and fails: {text}"), named
    return (f"named, but it loads: {named[0]}" if named else RIGHT), named


def judgements(arguments: argparse.Namespace, path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield name, verdict and warnings of every file of the samples, and of ONNX's cases."""
    part, parts = map(int, arguments.part.split("/"))
    opset = arguments.opset
    for sample in SAMPLES[part :: parts * arguments.every]:
        if arguments.only in str(sample):
            for kind, verdict, named in judge_sample(sample, path, opset):
                yield f"{sample}, {kind}", verdict, named
    cases = [c for c in load_cases() if c.kind != "light" and not c.name.startswith(DRAWN)]
    for case in cases[part :: parts * arguments.every]:
        if arguments.only in case.name and case.name not in ROUNDED:
            yield case.name, *judge_case(case, path, opset)


def main() -> None:
    """Judge all files; fail where one is neither right nor named nor refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every n-th sample")
    parser.add_argument("--opset", type=int, default=21)
    parser.add_argument("--only", default="", help="only samples whose name contains this")
    parser.add_argument("--part", default="0/1", help="only a part: 0/2, 1/2")
    arguments = parser.parse_args()
    onnxruntime.set_default_logger_severity(4)
    warnings.simplefilter("ignore")
    count: collections.Counter[str] = collections.Counter()
    operators: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, found, named in judgements(arguments, Path(folder, "saved.onnx")):
            count[found.partition(":")[0]] += 1
            operators.update([name.partition("-")[0]] * bool(named))
            if found not in FINE:
                print(f"{name}: {found}", flush=True)
    print("named:", ", ".join(f"{op} ×{n}" for op, n in sorted(operators.items())))
    for kind, number in count.most_common():
        print(f"{number:7} {kind}")
    sys.exit(bool(count.keys() - FINE))


if __name__ == "__main__":
    main()
