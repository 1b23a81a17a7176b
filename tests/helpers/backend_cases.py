"""A sample row, by itself and with its gradient, on a backend, judged by NumPy's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from op_samples.graphs import assert_close, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og


def judge(sample: Sample, backend: str, symbolic: bool = False) -> str:
    """Tell whether a backend gives the same, is refused a graph, or what else it does.

    By itself an operator may run that its gradient writes by its body.
    """
    forward = graph_of(sample, symbolic, dtype=np.float32)
    graph = og.vjp(forward, float_outputs(forward), wrt_of(sample))
    feeds = feeds_of(graph, sample)
    values = og.compile(forward).run(feeds)
    fed = {v.name: feeds[v.name] for v in forward.inputs if v.name in feeds}
    by_itself = _compared(backend, forward, fed, values)
    if by_itself not in ("same", "refused"):
        return by_itself
    feeds |= cotangents(values, float_outputs(forward))
    return _compared(backend, graph, feeds, og.compile(graph).run(feeds))


def _compared(
    backend: str, graph: og.Graph, feeds: Mapping[str, Any], expected: Mapping[str, Any]
) -> str:
    try:
        actual = og.compile(graph, backend).run(feeds)
    except og.UnsupportedOpError:
        return "refused"
    except og.GraphError as error:
        return f"error: {error}"
    name = ""
    try:
        for name, array in expected.items():
            assert actual[name].dtype == array.dtype
            assert_close(actual[name], array, 1e-4 if array.dtype.kind == "f" else 0)
    except AssertionError as error:
        return f"{name} differs: {' '.join(str(error).split())[:200]}"
    return "same"
