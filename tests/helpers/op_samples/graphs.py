"""A sample as a graph, with its feeds and with cotangents for its outputs."""

from typing import Any

import numpy as np

import onnxgrad as og

from .sample import Sample

Arrays = dict[str, np.ndarray]


def graph_of(
    sample: Sample, symbolic: bool = False, dtype: Any = None, ranks: bool = True
) -> og.Graph:
    """Build the graph of a sample; `symbolic` leaves all sizes and integer inputs to run time.

    Without `ranks` it leaves even those of all inputs to run time.
    """
    b = og.Builder(sample.op)
    inputs: list[og.Tensor | None] = []
    for k, array in enumerate(sample.inputs):
        if array is None:
            inputs.append(None)
            continue
        floating = array.dtype == np.float64
        if not (floating or symbolic):
            inputs.append(b.constant(array))
            continue
        shape: Any = [f"d{k}_{axis}" for axis in range(array.ndim)] if symbolic else array.shape
        shape = shape if ranks else None
        inputs.append(b.input(f"x{k}", dtype if floating and dtype else array.dtype, shape))
    results = getattr(b.op, sample.op)(*inputs, outputs=sample.outputs, **sample.attributes)
    for k, y in enumerate(results if isinstance(results, tuple) else [results]):
        b.output(y, f"y{k}")
    return b.build()


def feeds_of(graph: og.Graph, sample: Sample) -> Arrays:
    arrays = {f"x{k}": a for k, a in enumerate(sample.inputs) if a is not None}
    return {v.name: arrays[v.name].astype(v.dtype) for v in graph.inputs if v.name in arrays}


def wrt_of(sample: Sample) -> list[str]:
    if sample.wrt is not None:
        return [f"x{k}" for k in sample.wrt]
    floats = (a is not None and a.dtype == np.float64 for a in sample.inputs)
    return [f"x{k}" for k, floating in enumerate(floats) if floating]


def float_outputs(graph: og.Graph) -> list[str]:
    return [v.name for v in graph.outputs if v.dtype.kind == "f"]


def cotangents(results: Arrays, names: list[str], suffix: str = ".grad") -> Arrays:
    rng = np.random.default_rng(7)
    return {
        name + suffix: np.asarray(rng.uniform(0.5, 1.5, results[name].shape), results[name].dtype)
        for name in names
    }


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)
