"""NaN and infinity in one element of each float input, judged run by run.

Which elements of a result may feel it is found without it: those that keep their value whatever
finite number stands in its place do not depend on it, and must keep it then, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from op_samples import SAMPLES
from op_samples.graphs import Arrays, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample
from run_outcome import RunOutcome

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype
from onnxgrad.compiler.standard.randomness import is_random

RUNNERS = ("numpy", "onnxruntime")
ORDERS = ("forward", "backward")

BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}

FINITE = (0.37, -0.83, 2.9, -3.1, 41.7, -38.3, 1e4, -1e4)
"""What stands in place of the bad number to tell what depends on it."""


PRODUCTS = "what it multiplies by 0 is NaN, in stock onnxruntime too"
SATURATES = "no finite number moves a gate that is clipped or at its end"
OWN_REGION = "all of the region is NaN, also what does not depend on this corner"
SIZES = "sizes cannot be made of it"

HARMED = {
    **{("Attention", f"x{k}"): "a weight of 0 times NaN is NaN" for k in range(5)},
    ("Clip", "x0"): "a bound below the other hides every number but NaN",
    ("Clip", "x1"): "a NaN bound is no bound that x could meet",
    ("Conv", "x1"): PRODUCTS,
    ("ConvTranspose", "x0"): PRODUCTS,
    ("ConvTranspose", "x1"): PRODUCTS,
    ("CumProd", "x0"): "exclusive, the last x is no factor: NaN of those before it times 0",
    ("DFT", "x0"): "a fast transform mixes all elements",
    **{("DeformConv", f"x{k}"): PRODUCTS for k in (0, 1, 2, 4)},
    ("Det", "x0"): "a factorization reads the whole matrix",
    **{("GRU", f"x{k}"): SATURATES for k in range(6)},
    ("GridSample", "x0"): "on the border a pixel is read twice, and NaN less NaN is NaN",
    ("GridSample-one row", "x1"): "in one row no finite coordinate moves a point, and NaN is none",
    ("LRN", "x0"): "a power of an infinite sum",
    **{("LSTM", f"x{k}"): SATURATES for k in range(8)},
    ("MaxRoiPool", "x1"): OWN_REGION,
    **{("RNN", f"x{k}"): SATURATES for k in range(6)},
    ("Resize", "x0"): PRODUCTS,
    ("Resize", "x1"): "the crop of a whole axis",
    ("RoiAlign", "x0"): "the mean is a product of matrices, most of whose elements are 0",
    ("RoiAlign", "x1"): OWN_REGION,
    ("STFT", "x0"): PRODUCTS,
    ("STFT", "x2"): PRODUCTS,
    ("ScatterND", "x2"): "NaN is no minimum that the other could be",
    ("ScatterElements", "x2"): "NaN is no minimum that the other could be",
    ("Unique", "x0"): "onnxruntime loses what comes after a NaN",
}
"""Inputs, of an operator or one sample, where a bad number harms what no finite one changes."""

REFUSED = {
    ("MaxRoiPool", "x1"): "onnxruntime wants indices of images",
    **{("Range", f"x{k}"): SIZES for k in range(3)},
    ("Resize", "x1"): "the crop of a whole axis",
    ("Resize", "x2"): SIZES,
    ("RoiAlign", "x1"): "onnxruntime wants finite regions",
    ("Unique", "x0"): "onnxruntime loses what comes after a NaN",
}
"""Inputs in which a bad number is refused as the graph runs, and why."""


@dataclass(frozen=True)
class Outcome(RunOutcome):
    """What became of one bad number in one run of a sample."""

    sample: str
    element: str  # such as "x0[3]"
    bad: str
    runner: str
    order: str


def is_right(outcome: Outcome) -> bool:
    """Tell whether an outcome is as it should be, or has a reason why not."""
    _, op_type, label, *_ = outcome.sample.split("-")
    where = outcome.element.partition("[")[0]
    harmed = any((name, where) in HARMED for name in (op_type, f"{op_type}-{label}"))
    told = {"right": True, "harmed": harmed, "refused": (op_type, where) in REFUSED}
    return told.get(outcome.verdict, False)


def elements(sample: Sample, most: int) -> list[tuple[int, int]]:
    """List inputs and flat places of up to `most` elements of each float input, spread out."""
    found = []
    for k, array in enumerate(sample.inputs):
        if array is not None and array.dtype.kind == "f" and array.size:
            places = np.linspace(0, array.size - 1, min(most, array.size)).astype(int)
            found += [(k, int(place)) for place in dict.fromkeys(places)]
    return found


def judge(index: int, most: int, done: frozenset[Any]) -> Iterator[Outcome]:
    """Yield the outcomes of one sample: each element and bad number, runner and order."""
    sample = SAMPLES[index]
    graph = graph_of(sample, symbolic=True)
    if any(is_random(n) for n in graph.nodes()):
        return
    of, wrt = float_outputs(graph), wrt_of(sample)
    feeds = feeds_of(graph, sample)
    with np.errstate(all="ignore"):
        seeds = cotangents(og.compile(graph).run(feeds), of)
    graphs = {"forward": graph, "backward": og.vjp(graph, of, wrt, allow_unused=True)}
    for runner in RUNNERS:
        for order, each in graphs.items():
            blank = Outcome(f"{index}-{sample}", "", "", runner, order)
            given = feeds if order == "forward" else {**feeds, **seeds}
            yield from _judge_run(sample, each, given, most, blank, done)


def _judge_run(
    sample: Sample, graph: og.Graph, feeds: Arrays, most: int, blank: Outcome, done: frozenset[Any]
) -> Iterator[Outcome]:
    if blank.runner == "onnxruntime":
        graph = with_dtype(graph, np.dtype(np.float32))
        feeds = {v.name: feeds[v.name].astype(v.dtype) for v in graph.inputs}
    try:
        run = og.compile(graph, backend=blank.runner).run
        run(feeds)
    except og.OnnxgradError:
        return  # it does not run at all
    names = [v.name for v in graph.outputs]
    if blank.order == "backward":
        names = [n for n in names if n.endswith(".grad")]
    for k, place in elements(sample, most):
        name, kept = f"x{k}", None
        if name not in feeds:
            continue
        for bad, number in BAD.items():
            outcome = replace(blank, element=f"{name}[{place}]", bad=bad)
            if outcome.key in done:
                continue
            yield outcome
            if kept is None:
                kept = _independent(run, feeds, name, place, names)
            yield outcome.judged(*_verdict(run, _with(feeds, name, place, number), kept))


def _with(feeds: Arrays, name: str, place: int, number: float) -> Arrays:
    array = feeds[name].copy()
    array.reshape(-1)[place] = number
    return {**feeds, name: array}


def _independent(run: Any, feeds: Arrays, name: str, place: int, names: list[str]) -> Arrays:
    """Give results with NaN where they depend on an element; none whose shape depends on it.

    It looks at other arrays nearby, too, for a factor that is 0 hides what depends.
    """
    results: Arrays = run(feeds)
    kept = {n: results[n].copy() for n in names if results[n].dtype.kind == "f"}
    random = np.random.default_rng(5)
    nearby = {
        n: a + random.uniform(1e-3, 2e-2, a.shape).astype(a.dtype) if a.dtype.kind == "f" else a
        for n, a in feeds.items()
    }
    for base in (feeds, nearby):
        try:
            before = run(base)
        except og.OnnxgradError:
            continue
        for number in FINITE:
            try:
                moved = run(_with(base, name, place, number))
            except og.OnnxgradError:
                continue
            for n in list(kept):
                if not moved[n].shape == before[n].shape == kept[n].shape:
                    del kept[n]
                    continue
                with np.errstate(all="ignore"):
                    same = np.isclose(moved[n], before[n], rtol=1e-5, atol=1e-7)
                kept[n][~same] = np.nan
    if (own := kept.get(f"{name}.grad")) is not None:
        own.reshape(-1)[place] = np.nan  # its own gradient may be anything
    return kept


def _verdict(run: Any, feeds: Arrays, kept: Arrays) -> tuple[str, str]:
    try:
        with np.errstate(all="ignore"):
            results = run(feeds)
    except og.OnnxgradError as error:
        return "refused", str(error)[:300]
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:300]
    for name, array in kept.items():
        if results[name].shape != array.shape:
            return "harmed", f"{name} has the shape {results[name].shape}"
        told = np.isfinite(array)
        same = np.isclose(results[name][told], array[told], rtol=1e-4, atol=1e-6)
        if not same.all():
            return "harmed", f"{name}: {np.count_nonzero(~same)} of {told.sum()} that do not depend"
    return "right", ""
