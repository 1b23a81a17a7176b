"""Run one node on onnx.reference: what has no kernel of ours, on the host."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator

from ..compiler.graph.ir import Node
from ..compiler.graph.types import TensorType, Type
from ..compiler.standard.protos import node_proto
from ..compiler.standard.traits import OF_THE_DTYPE


def reference_kernel(node: Node) -> Callable[..., Any]:
    """Give a function of the node's inputs that runs it on ONNX's reference implementation."""
    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(node.inputs)]
    outputs = ["" if v is None else f"o{k}" for k, v in enumerate(node.outputs)]
    attributes = dict(node.attributes)
    if node.operator == "TfIdfVectorizer":  # the reference lacks the default, which is ones
        attributes.setdefault("weights", [1.0] * len(attributes["ngram_indexes"]))
    proto = node_proto(node.op_type, node.domain, inputs, outputs, attributes)
    evaluator = ReferenceEvaluator(proto)
    widen = _as_it_is if node.op_type in OF_THE_DTYPE else _wider
    types = [v.type for v in node.outputs if v is not None]

    def run(*arrays: Any) -> Any:
        feeds = {n: widen(a) for n, a in zip(inputs, arrays, strict=True) if n}
        found = evaluator.run([n for n in outputs if n], feeds)
        results = [_as_typed(r, t) for r, t in zip(found, types, strict=True)]
        if len(outputs) == 1:
            return results[0]
        present = iter(results)
        return tuple(next(present) if n else None for n in outputs)

    return run


def _wider(array: Any) -> Any:
    """Give half precision in float32: the reference rounds on the way, places in images, too."""
    half = isinstance(array, np.ndarray) and array.dtype.name in ("float16", "bfloat16")
    return array.astype(np.float32) if half else array


def _as_it_is(array: Any) -> Any:
    return array


def _as_typed(result: Any, type_: Type) -> Any:
    """Give tensors as arrays of their dtype: onnx.reference may compute in the one of an input.

    Of strings it mixes two kinds.
    """
    array = np.asarray(result) if isinstance(result, np.generic) else result
    if isinstance(array, np.ndarray) and isinstance(type_, TensorType):
        return array.astype(type_.dtype, copy=False)
    return array
