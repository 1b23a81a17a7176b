"""A sample row and its gradient on the backend openvino, judged by NumPy's results."""

import numpy as np
from op_samples.graphs import assert_close, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og


def judge(sample: Sample, symbolic: bool = False) -> str:
    """Tell whether OpenVINO gives the same, is refused the graph, or what else it does."""
    forward = graph_of(sample, symbolic, dtype=np.float32)
    graph = og.vjp(forward, float_outputs(forward), wrt_of(sample))
    feeds = feeds_of(graph, sample)
    feeds |= cotangents(og.compile(forward).run(feeds), float_outputs(forward))
    expected = og.compile(graph).run(feeds)
    try:
        actual = og.compile(graph, "openvino").run(feeds)
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
