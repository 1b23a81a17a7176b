"""Every operator's samples with each of their axes empty in turn, judged run by run.

A sample whose axis is emptied may be a call that the operator allows or one that it does not; both
are tried, for neither may end or stall the process. What is right is told by onnx.reference where
it runs the call, and by central differences of the NumPy backend's forward run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
from finite_differences import finite_differences
from onnx.reference import ReferenceEvaluator
from op_samples import SAMPLES
from op_samples.graphs import Arrays, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype
from onnxgrad.compiler.standard.randomness import is_random

VERDICTS = ("right", "refused", "wrong", "failed", "kills")
PENDING = "pending"
RUNNERS = ("numpy", "onnxruntime", "saved")
"""Our two backends, and the saved file in stock onnxruntime."""

SINGLE = np.dtype(np.float32)


@dataclass(frozen=True)
class Outcome:
    """What became of one run of one variant of a sample."""

    sample: str
    emptied: str  # such as "x0[1] x2[0]"
    form: str  # static or symbolic
    runner: str
    order: str  # forward or backward
    verdict: str
    detail: str = ""

    @property
    def is_pending(self) -> bool:
        return self.verdict == PENDING

    @property
    def key(self) -> tuple[str, ...]:
        return self.sample, self.emptied, self.form, self.runner, self.order

    def judged(self, verdict: str, detail: str = "") -> "Outcome":
        return replace(self, verdict=verdict, detail=detail)

    def killed(self, detail: str) -> "Outcome":
        """Give this outcome as that of a run that ended or stalled its process."""
        return self.judged("kills", detail)


def variants(sample: Sample) -> list[tuple[tuple[int, int], ...]]:
    """List which axes to empty: each alone, and each with the axes of its size elsewhere."""
    axes = [
        (k, a, n)
        for k, x in enumerate(sample.inputs)
        if x is not None
        for a, n in enumerate(x.shape)
    ]
    found: dict[tuple[tuple[int, int], ...], None] = {}
    for k, a, n in axes:
        found[((k, a),)] = None
        alike = [(j, b) for j, b, m in axes if m == n and j != k and _is_data(sample, j)]
        found[tuple(sorted([(k, a), *alike]))] = None
        every = [(j, b) for j, b, m in axes if m == n and _is_data(sample, j)]
        found[tuple(sorted(every))] = None
    return [v for v in found if v]


def _is_data(sample: Sample, index: int) -> bool:
    array = sample.inputs[index]
    return array is not None and array.dtype == np.float64


def emptied(sample: Sample, axes: tuple[tuple[int, int], ...]) -> Sample:
    """Give the sample without the elements along these axes."""
    inputs = list(sample.inputs)
    for k, axis in axes:
        array = inputs[k]
        assert array is not None
        inputs[k] = np.take(array, [], axis=axis)
    return replace(sample, inputs=inputs)


def judge(index: int, axes: tuple[tuple[int, int], ...], done: frozenset[Any]) -> Iterator[Outcome]:
    """Yield the outcomes of one variant: static and symbolic, on each runner, both orders."""
    sample = emptied(SAMPLES[index], axes)
    label = " ".join(f"x{k}[{a}]" for k, a in axes)
    for form in ("static", "symbolic"):
        blank = Outcome(f"{index}-{SAMPLES[index]}", label, form, "", "", PENDING)
        yield from _judge_form(sample, form == "symbolic", blank, done)


def _judge_form(
    sample: Sample, symbolic: bool, blank: Outcome, done: frozenset[Any]
) -> Iterator[Outcome]:
    try:
        forward = graph_of(sample, symbolic)
    except og.OnnxgradError:
        return  # no such call
    feeds = feeds_of(forward, sample)
    expected = _reference(forward, feeds)
    for runner in RUNNERS:
        outcome = replace(blank, runner=runner, order="forward")
        if outcome.key in done:
            continue
        yield outcome
        yield outcome.judged(*_verdict(runner, forward, feeds, expected))
    yield from _judge_backward(sample, symbolic, forward, feeds, blank, done, expected is not None)


def _judge_backward(
    sample: Sample,
    symbolic: bool,
    forward: og.Graph,
    feeds: Arrays,
    blank: Outcome,
    done: frozenset[Any],
    allowed: bool,
) -> Iterator[Outcome]:
    of, wrt = float_outputs(forward), wrt_of(sample)
    try:
        with np.errstate(all="ignore"):
            values = og.compile(forward).run(feeds)
            backward = og.vjp(forward, of, wrt, allow_unused=True)
    except og.OnnxgradError:
        return  # the forward runs told
    seeds = cotangents(values, of)
    expected = _differences(forward, feeds, seeds, wrt, values)
    for runner in RUNNERS:
        outcome = replace(blank, runner=runner, order="backward")
        if outcome.key in done:
            continue
        yield outcome
        yield outcome.judged(
            *_verdict(runner, backward, {**feeds, **seeds}, expected if allowed else None)
        )


def _reference(graph: og.Graph, feeds: Arrays) -> Arrays | None:
    """Run a graph in onnx.reference; None where it does not take the call."""
    try:
        results: Any = ReferenceEvaluator(og.to_onnx(graph)).run(None, feeds)
    except Exception:
        return None
    return dict(zip([v.name for v in graph.outputs], results, strict=True))


def _differences(
    graph: og.Graph, feeds: Arrays, seeds: Arrays, wrt: list[str], values: Arrays
) -> Arrays:
    """Give the gradient by each input, NaN where the outputs are not finite."""
    compiled = og.compile(graph)

    def loss(moved: Arrays) -> float:
        results = compiled.run(moved)
        return float(sum((results[n.removesuffix(".grad")] * s).sum() for n, s in seeds.items()))

    finite = all(np.isfinite(values[n.removesuffix(".grad")]).all() for n in seeds)
    return {
        f"{n}.grad": finite_differences(loss, feeds, n)
        if finite
        else np.full(feeds[n].shape, np.nan)
        for n in wrt
    }


def _verdict(
    runner: str, graph: og.Graph, feeds: Arrays, expected: Arrays | None
) -> tuple[str, str]:
    if any(is_random(n) for n in graph.nodes()):
        expected = None if expected is None else {}
    try:
        with np.errstate(all="ignore"):
            results = _RUNS[runner](graph, feeds)
    except og.UnsupportedOpError as error:
        return "refused", str(error)[:300]
    except og.OnnxgradError as error:
        return ("refused" if expected is None else "failed"), str(error)[:300]
    except Exception as error:
        refused = expected is None or "NOT_IMPLEMENTED" in str(error)
        return ("refused" if refused else "failed"), f"{type(error).__name__}: {error}"[:300]
    tolerance = 1e-6 if runner == "numpy" else 2e-3
    for name, wanted in (expected or {}).items():
        if problem := _problem(results[name], np.asarray(wanted), tolerance):
            return "wrong", f"{name}: {problem}"
    return "right", ""


def _problem(actual: Any, wanted: np.ndarray, tolerance: float) -> str:
    if actual.shape != wanted.shape:
        return f"shape {actual.shape}, not {wanted.shape}"
    known = np.isfinite(wanted) if wanted.dtype.kind == "f" else np.ones(wanted.shape, bool)
    apart = np.abs(actual[known].astype("f8") - wanted[known].astype("f8")).max(initial=0.0)
    if not apart <= tolerance * max(1.0, np.abs(wanted[known]).max(initial=0.0)):
        return f"{actual.ravel()[:4]}, not {wanted.ravel()[:4]}"
    return ""


def _in_single(graph: og.Graph, feeds: Arrays) -> tuple[og.Graph, Arrays]:
    """Give graph and feeds in float32, which onnxruntime has kernels for."""
    narrow = with_dtype(graph, SINGLE)
    return narrow, {n: a.astype(SINGLE) if a.dtype == "f8" else a for n, a in feeds.items()}


def _run_numpy(graph: og.Graph, feeds: Arrays) -> Arrays:
    return og.compile(graph).run(feeds)


def _run_onnxruntime(graph: og.Graph, feeds: Arrays) -> Arrays:
    narrow, given = _in_single(graph, feeds)
    return og.compile(narrow, "onnxruntime").run(given)


def _run_saved(graph: og.Graph, feeds: Arrays) -> Arrays:
    narrow, given = _in_single(graph, feeds)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(og.to_onnx(narrow).SerializeToString(), options)
    results: Any = session.run(None, given)
    return dict(zip([v.name for v in narrow.outputs], results, strict=True))


_RUNS: dict[str, Callable[[og.Graph, Arrays], Arrays]] = {
    "numpy": _run_numpy,
    "onnxruntime": _run_onnxruntime,
    "saved": _run_saved,
}
