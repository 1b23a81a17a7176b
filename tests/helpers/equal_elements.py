"""Inputs whose elements are all equal, so that what is centred, scaled or compared is 0.

Where one backend gives a finite number and the other does not, one of them divides by it.
"""

from collections.abc import Iterator

import numpy as np
from op_samples.graphs import Arrays, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og

ELEMENTS = (0.0, 5.0, -2.0)


def verdicts(sample: Sample) -> Iterator[tuple[str, str]]:
    """Yield for each element, forward and backward, "right" or where the backends disagree."""
    graph = graph_of(sample, False, np.float32)
    of, wrt = float_outputs(graph), wrt_of(sample)
    gradient = og.vjp(graph, of, wrt, allow_unused=True)
    forward, backward = ([og.compile(g, b) for b in BACKENDS] for g in (graph, gradient))
    drawn = feeds_of(graph, sample)
    for element in ELEMENTS:
        feeds = {
            n: np.full_like(a, element) if a.dtype.kind == "f" else a for n, a in drawn.items()
        }
        yield f"of {element} forward", _verdict(forward, feeds)
        try:
            results = forward[0].run(feeds)
        except og.OnnxgradError:
            continue
        yield f"of {element} backward", _verdict(backward, feeds | cotangents(results, of))


BACKENDS = ("numpy", "onnxruntime")


def _verdict(runs: list[og.Compiled], feeds: Arrays) -> str:
    found = []
    for run in runs:
        try:
            with np.errstate(all="ignore"):
                found.append(run.run(feeds))
        except og.OnnxgradError as error:
            return f"refused: {error}"
    for name, first in found[0].items():
        second = found[1][name]
        if first.shape != second.shape:
            return f"wrong: {name} has the shapes {first.shape} and {second.shape}"
        if first.dtype.kind == "f" and (np.isfinite(first) != np.isfinite(second)).any():
            return f"wrong: {name} is {first.ravel()[:5]} and {second.ravel()[:5]}"
    return "right"
