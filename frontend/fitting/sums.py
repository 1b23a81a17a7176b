"""Run graphs on parts of a batch and add up what they give."""

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.dims import evaluate
from onnxgrad.compiler.graph.ir import Graph, Value

from ..parallel import Group
from ..running import Compiled
from .data import Feeds


def run_on(part: Compiled, known: Feeds) -> Feeds:
    """Run a graph on those of the arrays that it reads."""
    return part.run({v.name: known[v.name] for v in part.graph.inputs if v.name in known})


def widened(array: np.ndarray) -> np.ndarray:
    """Give a copy in at least float32: half precision overflows, and not every group takes it."""
    dtype = array.dtype if array.dtype.kind in "iu" else np.result_type(array, np.float32)
    return np.array(array, dtype)


def doubled(array: np.ndarray) -> np.ndarray:
    """Give a copy, of floats in float64, in which sums over many batches lose nothing."""
    return np.array(array, array.dtype if array.dtype.kind in "iu" else np.float64)


def zeros_of(value: Value, known: Feeds, graph: Graph) -> np.ndarray:
    """Give what an output of a graph adds where there are no examples, on which it is not run.

    Raises:
        GraphError: not all of its sizes are known.
    """
    sizes = {
        dim: size
        for v in graph.inputs
        if v.name in known
        for dim, size in zip(v.shape or (), np.shape(known[v.name]), strict=False)
        if isinstance(dim, str)
    }
    dims = [evaluate(d, sizes) for d in value.shape or ()]
    shape = [d for d in dims if d is not None]
    if value.shape is None or len(shape) < len(dims):
        raise GraphError(
            f"'{value.name}' is {value.type}, a sum over examples whose sizes are not known, so "
            "parts of it cannot be added up; load the model with shapes={…}"
        )
    return widened(np.zeros(shape, value.dtype))


def add_over_processes(arrays: Feeds, group: Group) -> None:
    """Add up over all processes, in one buffer for each dtype."""
    for dtype in dict.fromkeys(a.dtype for a in arrays.values()):  # in one order everywhere
        chosen = [a for a in arrays.values() if a.dtype == dtype]
        buffer = np.concatenate([a.reshape(-1) for a in chosen])
        group.all_reduce(buffer)
        ends = np.cumsum([a.size for a in chosen])[:-1]
        for array, part in zip(chosen, np.split(buffer, ends), strict=True):
            array[...] = part.reshape(array.shape)
