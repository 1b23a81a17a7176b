"""What becomes of a call one of whose inputs has other axes, sizes or integers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from op_samples import SAMPLES
from op_samples.graphs import Arrays, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Array, Sample
from run_outcome import RunOutcome

import onnxgrad as og
from onnxgrad.compiler.standard.randomness import is_random

DEFECT = "this is a defect of onnxgrad"


def changed(sample: Sample) -> Iterator[tuple[str, Sample]]:
    """Yield a sample with each input otherwise, and what was changed."""
    for place, given in enumerate(sample.inputs):
        for what, array in _others(given) if given is not None else ():
            inputs = [array if k == place else a for k, a in enumerate(sample.inputs)]
            yield f"{sample} input {place} {what}", replace(sample, inputs=inputs)


def _others(x: Array) -> Iterator[tuple[str, Array]]:
    yield "with an axis before", x[None]
    yield "with an axis behind", x[..., None]
    for axis in range(x.ndim):
        if x.shape[axis]:
            yield f"longer along axis {axis}", np.concatenate([x, x.take([0], axis)], axis)
        if x.shape[axis] > 1:
            yield f"with one along axis {axis}", x.take([0], axis)
        if x.shape[axis] > 2:
            yield f"shorter along axis {axis}", x.take(range(x.shape[axis] - 1), axis)
    if x.dtype.kind == "i" and x.size:
        for number in (-99, -1, 0, 99):
            yield f"with {number} at its end", np.append(x.ravel()[:-1], number).reshape(x.shape)
    if x.size and x.ndim:
        yield "as a number", x.reshape(-1)[0].reshape(())
    if x.size and x.ndim > 1:
        yield "without its first axis", np.ascontiguousarray(x[0])
        yield "without its last axis", np.ascontiguousarray(x[..., 0])


@dataclass(frozen=True)
class Outcome(RunOutcome):
    """What became of one call, its gradient too, on one backend."""

    call: str
    backend: str


def judge(index: int, backend: str, done: frozenset[Any]) -> Iterator[Outcome]:
    """Yield the outcomes of one sample row: each input changed, with its sizes and with symbols."""
    for what, other in changed(SAMPLES[index]):
        for symbolic in (False, True):
            outcome = Outcome(f"{what}{', symbolic' * symbolic}", backend)
            if outcome.key not in done:
                yield outcome
                yield outcome.judged(verdict(other, symbolic, backend))


def verdict(sample: Sample, symbolic: bool = False, backend: str = "numpy") -> str:
    """Tell "refused", by name, or "right", or what is wrong.

    What runs must have a gradient that runs, and must not be refused where its sizes are known.
    Right is what NumPy gives in float64, others in float32; on NumPy, gradients of their inputs'
    shapes.
    """
    dtype = np.dtype(np.float64 if backend == "numpy" else np.float32)
    try:
        graph = graph_of(sample, symbolic, dtype)
        forward = og.compile(graph, backend).run(feeds_of(graph, sample))
    except og.OnnxgradError as error:
        return _refusal(sample, error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    try:
        graph_of(sample)
        wide = graph_of(sample, symbolic)
        expected = og.compile(wide).run(feeds_of(wide, sample))
    except og.OnnxgradError as error:
        return f"it runs, which is refused elsewhere: {error}"
    of, wrt = float_outputs(graph), wrt_of(sample)
    if of and wrt:
        try:
            forward |= _gradient(sample, graph, expected, backend)
        except Exception as error:
            return f"it runs, its gradient does not: {type(error).__name__}: {error}"
        expected |= _gradient(sample, wide, expected, "numpy")
    wanted = {n: expected[n].shape for n in expected} | {
        f"{n}.grad": feeds_of(graph, sample)[n].shape for n in wrt
    }
    unlike = [n for n, array in forward.items() if np.shape(array) != wanted[n]]
    if unlike:
        return f"{unlike} have another shape"
    known = backend == "numpy" or any(is_random(n) for n in graph.nodes())
    apart = "" if known else _apart(sample, forward, expected)
    return f"wrong: {apart}" if apart else "right"


def _refusal(sample: Sample, error: Exception) -> str:
    if DEFECT in str(error):
        return str(error)
    named = sample.op in str(error) or re.search(r"\b(grad/)?y\d", str(error))
    return "refused" if named else f"refused without a name: {error}"


def _gradient(sample: Sample, graph: og.Graph, results: Arrays, backend: str) -> Arrays:
    """Run a call's gradient, with cotangents for results in float64."""
    of = float_outputs(graph)
    backward = og.vjp(graph, of, wrt_of(sample), allow_unused=True)
    seeds, feeds = cotangents(results, of), feeds_of(graph, sample)
    feeds |= {v.name: seeds[v.name].astype(v.dtype) for v in backward.inputs if v.name in seeds}
    found = og.compile(backward, backend).run(feeds)
    return {n: a for n, a in found.items() if n.endswith(".grad")}


def _apart(sample: Sample, found: Arrays, expected: Arrays) -> str:
    """Say which result differs; not of numbers that float32 cannot hold."""
    if sample.attributes.get("sorted") == 0:
        return ""  # in any order
    for name, array in found.items():
        wanted = np.asarray(expected[name])
        if array.dtype.kind != "f":
            same = array == wanted
        else:
            scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
            same = np.isclose(array, wanted, rtol=2e-4, atol=2e-4 * min(scale, 1e3), equal_nan=True)
            same |= np.abs(wanted) > 1e30
        if not same.all():
            return f"{name} holds {array[~same].ravel()[:3]}, not {wanted[~same].ravel()[:3]}"
    return ""
