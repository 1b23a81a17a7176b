"""Samples as graphs ready for an interpreter, backward where they are differentiable, and feeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.backends.interpreter import runs_as_it_is
from onnxgrad.backends.numpy import BACKEND
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.passes.prepare import prepare_for
from onnxgrad.compiler.standard.randomness import is_random

Feeds = dict[str, np.ndarray]


def prepared(sample: Sample, dtype: Any) -> tuple[Graph, list[Feeds]] | None:
    """Give the graph and what to feed it: a sample's numbers, and NaN and infinities among them.

    None where it has no such dtype, or draws at random.
    """
    try:
        graph = graph_of(sample, dtype=dtype)
        of = float_outputs(graph)
        if of and wrt_of(sample):
            graph = og.vjp(graph, of, wrt_of(sample), allow_unused=True)
    except og.OnnxgradError:
        return None
    if any(is_random(n) for n in graph.nodes()):
        return None
    feeds = feeds_of(graph, sample)
    seeds = {v.name: np.ones(sizes(v.type)) for v in graph.inputs if v.name not in feeds}
    drawn = cotangents(seeds, list(seeds), suffix="")
    feeds |= {v.name: drawn[v.name].astype(v.dtype) for v in graph.inputs if v.name in drawn}
    return prepare_for(graph, BACKEND.native, runs_as_it_is), [feeds, harmed(feeds)]


def sizes(type_: Any) -> list[int]:
    """Give the sizes of a tensor, 1 for each that is not known."""
    assert isinstance(type_, TensorType)
    return [d if isinstance(d, int) else 1 for d in type_.shape or ()]


def harmed(feeds: Mapping[str, np.ndarray]) -> Feeds:
    """Put NaN and infinities among the numbers."""
    bad = {name: array.copy() for name, array in feeds.items()}
    for array in bad.values():
        if array.dtype.kind == "f":
            for k, number in enumerate((np.nan, np.inf, -np.inf)):
                array.reshape(-1)[k::5] = number
    return bad


def outcome(run: Any, feeds: Feeds) -> Any:
    """Give the results of a run, or the error that it told."""
    try:
        return run(feeds)
    except og.GraphError as error:
        return str(error)


def assert_same_bits(found: Any, wanted: Any) -> None:
    if isinstance(wanted, str):
        assert found == wanted
        return
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert np.asarray(found[name]).dtype == np.asarray(array).dtype
        np.testing.assert_array_equal(found[name], array, strict=True)
