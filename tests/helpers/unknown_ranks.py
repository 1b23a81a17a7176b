"""What becomes of a call whose inputs have no known rank: forward, gradient and forward mode."""

from collections.abc import Callable

import numpy as np
from op_samples.graphs import Arrays, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og

Transform = Callable[[og.Graph], og.Graph]


def verdicts(sample: Sample, fed: bool) -> dict[str, str]:
    """Tell for "run", "vjp" and "jvp": "right", "refused", or what is wrong.

    Right is what the same call gives with its sizes known. With `fed`, integers are inputs too.
    """
    known = graph_of(sample)
    of, wrt = float_outputs(known), wrt_of(sample)
    feeds = feeds_of(known, sample)
    results = og.compile(known).run(feeds)
    directions = cotangents(feeds, wrt, ".tangent")
    transforms: dict[str, tuple[Transform, Arrays]] = {
        "run": (lambda g: g, {}),
        "vjp": (lambda g: og.vjp(g, of, wrt, allow_unused=True), cotangents(results, of)),
        "jvp": (lambda g: og.jvp(g, of, wrt, allow_unused=True), directions),
    }
    found = {}
    for name, (transform, more) in transforms.items():
        expected = og.compile(transform(known)).run({**feeds, **more})
        found[name] = _verdict(sample, fed, transform, more, expected)
    return found


def _verdict(
    sample: Sample, fed: bool, transform: Transform, more: Arrays, expected: Arrays
) -> str:
    try:
        graph = graph_of(sample, symbolic=fed, ranks=False)
        actual = og.compile(transform(graph)).run({**feeds_of(graph, sample), **more})
    except og.OnnxgradError as error:
        named = sample.op in str(error) or "'y0" in str(error)
        return "refused" if named else f"refused without a name: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    for name, array in expected.items():
        if actual[name].shape != array.shape:
            return f"{name} has the shape {actual[name].shape}"
        if not np.allclose(actual[name], array, rtol=1e-7, atol=1e-9, equal_nan=True):
            return f"{name} is wrong"
    return "right"
