"""Run one node on onnx.reference: what has no kernel of ours, on the host."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator

from ..compiler.ir import Node
from ..compiler.protos import node_proto


def reference_kernel(node: Node) -> Callable[..., Any]:
    """Give a function of the node's inputs that runs it on ONNX's reference implementation."""
    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(node.inputs)]
    outputs = ["" if v is None else f"o{k}" for k, v in enumerate(node.outputs)]
    proto = node_proto(node.op_type, node.domain, inputs, outputs, node.attributes)
    evaluator = ReferenceEvaluator(proto)

    def run(*arrays: Any) -> Any:
        feeds = {n: a for n, a in zip(inputs, arrays, strict=True) if n}
        results = [_as_array(r) for r in evaluator.run([n for n in outputs if n], feeds)]
        if len(outputs) == 1:
            return results[0]
        present = iter(results)
        return tuple(next(present) if n else None for n in outputs)

    return run


def _as_array(result: Any) -> Any:
    """Give tensors as arrays, of strings too: onnx.reference mixes two kinds of those."""
    array = np.asarray(result) if isinstance(result, np.generic) else result
    if isinstance(array, np.ndarray) and array.dtype.kind == "U":
        return array.astype(object)
    return array
