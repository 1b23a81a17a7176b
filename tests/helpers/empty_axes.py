"""Every operator's samples with each of their axes empty in turn, judged run by run.

A sample whose axis is emptied may be a call that the operator allows or one that it does not; both
are tried, for neither may end or stall the process. What is right is told by onnx.reference, where
it runs the call and is right with elements, and by central differences of the NumPy backend's
forward run.
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
from run_outcome import RunOutcome

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype
from onnxgrad.compiler.standard.randomness import is_random

VERDICTS = ("right", "ran", "refused", "wrong", "failed", "kills")
"""`ran`: there is nothing to compare with, for onnx.reference does not take the call."""

RUNNERS = ("numpy", "onnxruntime", "saved")
"""Our two backends, and the saved file in stock onnxruntime."""

KNOWN = {
    ("Conv", "saved"): "onnxruntime hangs at a kernel of size 0, which no convolution has",
    ("STFT", "saved"): "onnxruntime dies of an empty window",
    ("GRU", "saved"): "onnxruntime dies of an empty batch or sequence",
    ("LSTM", "saved"): "onnxruntime dies of an empty batch, and forgets the state of no steps",
    ("RNN", "saved"): "onnxruntime dies of an empty batch, and forgets the state of no steps",
    ("Unique", "saved"): "onnxruntime dies of slices without elements",
    ("ConvTranspose", "saved"): "onnxruntime dies of an empty axis of a volume",
    ("RoiAlign", "saved"): "onnxruntime reads beside an image without pixels",
}
"""What stock onnxruntime 1.32 does to the calls themselves, by operator and runner. No saved file
keeps it from that, but a kernel of ours for NumPy runs what our own backend is given."""

SINGLE = np.dtype(np.float32)


@dataclass(frozen=True)
class Outcome(RunOutcome):
    """What became of one run of one variant of a sample."""

    sample: str
    emptied: str  # such as "x0[1] x2[0]"
    form: str  # static or symbolic
    runner: str
    order: str  # forward or backward
    is_call: bool  # while building with sizes it is not refused


def settled(outcomes: list[Outcome]) -> list[Outcome]:
    """Turn our backends' refusals into failures where another runner gives the right result.

    What is refused while building, where sizes are known, must be refused where they are fed.
    """
    right = {_question(o) for o in outcomes if o.verdict == "right"}
    return [o if o.runner == "saved" else _settled(o, _question(o) in right) for o in outcomes]


def _settled(outcome: Outcome, runs_elsewhere: bool) -> Outcome:
    if outcome.verdict == "refused" and outcome.is_call and runs_elsewhere:
        return outcome.judged("failed", outcome.detail)
    if outcome.verdict in ("right", "ran") and not outcome.is_call:
        return outcome.judged("failed", "it runs, and is refused where sizes are known")
    return outcome


def _question(outcome: Outcome) -> tuple[str, ...]:
    return outcome.sample, outcome.emptied, outcome.form, outcome.order


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
    is_call = _is_call(sample)
    for form in ("static", "symbolic"):
        blank = Outcome(f"{index}-{SAMPLES[index]}", label, form, "", "", is_call)
        yield from _judge_form(sample, form == "symbolic", blank, done)


def _is_call(sample: Sample) -> bool:
    try:
        graph_of(sample, symbolic=False)
    except og.OnnxgradError:
        return False
    return True


def _judge_form(
    sample: Sample, symbolic: bool, blank: Outcome, done: frozenset[Any]
) -> Iterator[Outcome]:
    for question in _questions(sample, symbolic):
        for runner in RUNNERS:
            outcome = replace(blank, runner=runner, order=question.order)
            if outcome.key not in done:
                yield outcome
                yield outcome.judged(*_verdict(runner, question))


@dataclass(frozen=True)
class _Question:
    """What is run, and what is right: None where nothing tells, then NumPy's results count."""

    order: str
    graph: og.Graph
    feeds: Arrays
    expected: Arrays | None
    by_numpy: Arrays | None
    refusal: str = ""


def _questions(sample: Sample, symbolic: bool) -> Iterator[_Question]:
    """Yield the forward run and, where it gives anything, the backward run."""
    try:
        forward = graph_of(sample, symbolic)
    except og.OnnxgradError:
        return  # no such call
    feeds = feeds_of(forward, sample)
    values = _by_numpy(forward, feeds)
    expected = _reference(forward, feeds) if sample.reference else None
    yield _Question("forward", forward, feeds, expected, values)
    of, wrt = float_outputs(forward), wrt_of(sample)
    if values is None or not of or not wrt:
        return
    try:
        backward = og.vjp(forward, of, wrt, allow_unused=True)
    except og.OnnxgradError as error:
        yield _Question("backward", forward, feeds, None, None, str(error))
        return
    seeds = cotangents(values, of)
    slopes = _differences(forward, feeds, seeds, wrt, values)
    given = {**feeds, **seeds}
    told = None if expected is None and sample.reference else slopes
    yield _Question("backward", backward, given, told, _by_numpy(backward, given))


def _by_numpy(graph: og.Graph, feeds: Arrays) -> Arrays | None:
    try:
        with np.errstate(all="ignore"):
            return og.compile(graph).run(feeds)
    except og.OnnxgradError:
        return None


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


def _verdict(runner: str, question: _Question) -> tuple[str, str]:
    expected = question.expected
    if question.refusal:
        return ("failed" if "defect" in question.refusal else "refused"), question.refusal[:300]
    try:
        with np.errstate(all="ignore"):
            results = _RUNS[runner](question.graph, question.feeds)
    except og.OnnxgradError as error:
        return "refused", str(error)[:300]
    except Exception as error:
        refused = runner == "saved"  # by onnxruntime, in its words
        return ("refused" if refused else "failed"), f"{type(error).__name__}: {error}"[:300]
    if any(is_random(n) for n in question.graph.nodes()):
        return "ran", ""
    tolerance = 1e-6 if runner == "numpy" else 2e-3
    for name, wanted in ((expected or question.by_numpy) or {}).items():
        if problem := _problem(results[name], np.asarray(wanted), tolerance):
            return "wrong", f"{name}: {problem}"
    return ("ran" if expected is None else "right"), ""


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
