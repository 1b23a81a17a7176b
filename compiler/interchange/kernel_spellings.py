"""Calls that onnxruntime's kernels refuse by an attribute or a rank, said so that they do not.

onnxruntime 1.32 runs none of these: recurrent layers whose batch comes first, LRN over an even
number of channels, in float64, or of other ranks than 4, and scatters that reduce half precision.
"""

from collections.abc import Callable

import numpy as np

from ..emission.accumulation import as_float32, cast_to, is_half
from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Node
from ..graph.types import TensorType
from ..graph.value import Value
from ..standard.schemas import attribute

Results = list[Value | None]


def is_refused(node: Node) -> bool:
    """Tell whether a node is said otherwise by this file."""
    applies = _APPLIES.get(node.op_type) if not node.domain else None
    return applies is not None and applies(node)


def say_otherwise(op: Ops, node: Node) -> None:
    """Replace a node that is refused by what is not, in place."""
    put_in_place(op, node, _SAID[node.op_type](op, node))


def _batch_first(node: Node) -> bool:
    return bool(attribute(node, "layout"))


def _batch_second(op: Ops, node: Node) -> Results:
    """Layout 1 = layout 0 between transpositions"""
    inputs = [
        op.Transpose(v, perm=[1, 0, 2]) if v is not None and k in (0, 5, 6) else v
        for k, v in enumerate(node.inputs)
    ]
    names = [
        "" if v is None else op.graph.names.fresh(f"{op.prefix}Y{k}")
        for k, v in enumerate(node.outputs)
    ]
    attributes = {k: a for k, a in node.attributes.items() if k != "layout"}
    results = op.emit_all(node.op_type, *inputs, outputs=names, **attributes)
    permutations = [2, 0, 1, 3], [1, 0, 2], [1, 0, 2]
    return [
        None if v is None else op.Transpose(v, perm=perm)
        for v, perm in zip(results, permutations, strict=False)
    ]


def _other_neighbors(node: Node) -> bool:
    x = node.first_input
    if not isinstance(x.type, TensorType) or x.rank is None:
        return False
    return node.attributes["size"] % 2 == 0 or x.rank != 4 or x.dtype == np.float64


def _sums_of_slices(op: Ops, node: Node) -> Results:
    """y = x/(bias + α/size·Σ x²)^β, over size neighboring channels: one slice for each"""
    x, size = node.first_input, node.attributes["size"]
    before, after = (size - 1) // 2, size // 2
    padded = op.Pad(op.Mul(x, x), [before, after], None, [1])
    channels = op.Shape(x, start=1, end=2)
    slices = [op.Slice(padded, [k], op.Add(channels, k), [1]) for k in range(size)]
    total = op.Sum(*slices)
    base = op.Add(op.Mul(total, attribute(node, "alpha") / size), attribute(node, "bias"))
    return [op.Div(x, op.Pow(base, op.like(attribute(node, "beta"), x)))]


def _reduces_halves(node: Node) -> bool:
    return attribute(node, "reduction") != "none" and is_half(node.first_input)


def _reduced_in_float32(op: Ops, node: Node) -> Results:
    x, indices, updates = node.required(3)
    wide = as_float32(op, x), indices, as_float32(op, updates)
    return [cast_to(op, op.emit(node.op_type, *wide, **node.attributes), x)]


_APPLIES: dict[str, Callable[[Node], bool]] = {
    **dict.fromkeys(["GRU", "LSTM", "RNN"], _batch_first),
    **dict.fromkeys(["ScatterElements", "ScatterND"], _reduces_halves),
    "LRN": _other_neighbors,
}

_SAID: dict[str, Callable[[Ops, Node], Results]] = {
    **dict.fromkeys(["GRU", "LSTM", "RNN"], _batch_second),
    **dict.fromkeys(["ScatterElements", "ScatterND"], _reduced_in_float32),
    "LRN": _sums_of_slices,
}
