"""Draw inputs for a graph by their types: floats around zero, small integers, short words."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...compiler.emission.naming import STATE_KEY
from ...compiler.errors import GraphError
from ...compiler.graph.arguments import as_array, optional_mapping, require_count
from ...compiler.graph.dims import evaluate
from ...compiler.graph.ir import Graph, Value
from ...compiler.graph.types import Shape, TensorType, is_float
from ..feeds import check_feeds

_CLASS_AXIS = {
    "Gather": 0,
    "GatherElements": 0,
    "NegativeLogLikelihoodLoss": 1,
    "ScatterElements": 0,
    "SoftmaxCrossEntropyLoss": 1,
}
"""Operators whose second input indexes an axis of their first; and which, without an attribute."""


def draw_feeds(graph: Graph, given: Mapping[str, Any] | None, seed: int = 0) -> dict[str, Any]:
    """Give an array for every input that has no default, `given` where it names one.

    A symbolic dimension has its size in `given`, else the next of 2, 3, 4, …

    Raises:
        GraphError: an input is not a tensor or of unknown rank, and not given, or what is given
            does not fit.
    """
    given = optional_mapping(given, "feeds")
    rng = np.random.default_rng(require_count(seed, "seed"))
    sizes: dict[str, int] = {}
    for value in graph.inputs:
        shape = value.type.shape if isinstance(value.type, TensorType) else None
        if shape is not None and value.name in given:
            fed = given[value.name]
            known = getattr(fed, "shape", None)
            actual = known if isinstance(known, tuple) else as_array(fed).shape
            sizes |= {d: n for d, n in zip(shape, actual, strict=False) if isinstance(d, str)}
    feeds, running = dict(given), _running_sums(graph)
    for value in graph.inputs:
        if value.name not in feeds and value.constant is None:
            drawn = _draw(rng, graph, value, sizes)
            feeds[value.name] = np.abs(drawn) if value.name in running else drawn
    arrays = zip(graph.inputs, check_feeds(graph.inputs, feeds), strict=True)
    return {v.name: array for v, array in arrays if v.name in feeds}


def _running_sums(graph: Graph) -> set[str]:
    """List what an optimizer keeps of a weight, such as "w.square", which is never negative."""
    try:
        state = [*json.loads(graph.metadata.get(STATE_KEY, "{}"))]
    except ValueError:
        return set()  # it is no step of ours
    return {name for name in state if any(name.startswith(f"{other}.") for other in state)}


def _draw(
    rng: np.random.Generator, graph: Graph, value: Value, sizes: dict[str, int]
) -> np.ndarray:
    if not isinstance(value.type, TensorType) or value.type.shape is None:
        raise GraphError(f"no random values for '{value.name}', which is {value.type}: feed it")
    dtype, shape = value.type.dtype, _shape(value.type.shape, sizes)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "OUS":
        return rng.choice(np.array(["a", "b c", "ß"], dtype=object), shape)
    if dtype.kind in "iu":
        return rng.integers(0, _bound(graph, value), shape).astype(dtype)
    drawn = np.asarray(rng.standard_normal(shape))
    return drawn.astype(dtype) if is_float(dtype) else np.abs(drawn).astype(dtype)


def _shape(shape: Shape, sizes: dict[str, int]) -> tuple[int, ...]:
    result = []
    for dim in shape:
        size = evaluate(dim, sizes)
        if size is None:
            size = sizes[str(dim)] = len(sizes) + 2
        result.append(size)
    return tuple(result)


def _bound(graph: Graph, value: Value) -> int:
    """Give the number of entries that an integer input selects from; 2 where that is unknown."""
    bounds = []
    for node in graph.consumers(value):
        source = node.inputs[0]
        if node.op_type in _CLASS_AXIS and source is not None and value is node.inputs[1]:
            axis = node.attributes.get("axis", _CLASS_AXIS[node.op_type])
            size = source.shape[axis] if source.shape else None
            bounds.append(size if isinstance(size, int) else 2)
    return min(bounds, default=2)
