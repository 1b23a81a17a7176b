"""What becomes of a call one of whose inputs has other axes, sizes or integers."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Array, Sample

import onnxgrad as og

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


def verdict(sample: Sample, symbolic: bool = False) -> str:
    """Tell "refused", "right" where gradients have their inputs' shapes, or what is wrong.

    What runs must have a gradient that runs.
    """
    try:
        graph = graph_of(sample, symbolic)
        feeds = feeds_of(graph, sample)
        results = og.compile(graph).run(feeds)
    except og.OnnxgradError as error:
        return str(error) if DEFECT in str(error) else "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    of, wrt = float_outputs(graph), wrt_of(sample)
    if not of or not wrt:
        return "right"
    try:
        backward = og.compile(og.vjp(graph, of, wrt, allow_unused=True))
        found = backward.run({**feeds, **cotangents(results, of)})
    except Exception as error:
        return f"it runs, its gradient does not: {type(error).__name__}: {error}"
    unlike = [n for n in wrt if found[f"{n}.grad"].shape != feeds[n].shape]
    return f"the gradient by {unlike} has another shape" if unlike else "right"
