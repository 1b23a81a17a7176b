"""Run a node in a wider dtype, between casts, where the result is the same or rounded once.

It never widens where a result depends on the dtype itself: saturation, random bits, casts.
"""

from collections.abc import Callable
from dataclasses import replace

import ml_dtypes
import numpy as np

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Graph, Node, Value
from ..graph.types import TensorType
from ..standard.traits import MEASURES, MODULAR, MOVES, OF_THE_DTYPE

Supports = Callable[[Node], bool]
"""Tells whether a backend has a kernel for a node."""

_WIDER = {
    np.dtype(narrow): [np.dtype(w) for w in wide]
    for narrow, wide in (
        (np.bool_, (np.uint8, np.int32)),
        (ml_dtypes.int2, (np.int8, np.int32)),
        (ml_dtypes.uint2, (np.uint8, np.int32)),
        (ml_dtypes.int4, (np.int8, np.int32)),
        (ml_dtypes.uint4, (np.uint8, np.int32)),
        (np.int8, (np.int32, np.int64)),
        (np.uint8, (np.int32, np.int64)),
        (np.int16, (np.int32, np.int64)),
        (np.uint16, (np.int32, np.int64)),
        (np.int32, (np.int64,)),
        (np.uint32, (np.int64,)),
        (ml_dtypes.float8_e4m3fn, (np.float16, np.float32)),
        (ml_dtypes.float8_e4m3fnuz, (np.float16, np.float32)),
        (ml_dtypes.float8_e5m2, (np.float16, np.float32)),
        (ml_dtypes.float8_e5m2fnuz, (np.float16, np.float32)),
        (ml_dtypes.bfloat16, (np.float32,)),
        (np.float16, (np.float32,)),
    )
}
"""Dtypes that hold every value of another one, the cheapest first."""

_NAMING = frozenset({"dtype", "output_datatype", "output_dtype", "to"})
"""Attributes that name the dtype of a result, which is then not the inputs'."""


def widen_node(graph: Graph, node: Node, supports: Supports) -> list[Node] | None:
    """Replace a node by one in a wider dtype that is supported, in place; None: there is none.

    The node's inputs of the narrow dtype are cast, its outputs are cast back, rounded to nearest
    even or wrapped. The output values stay what they are; what is emitted is returned.
    """
    found = wider_dtypes(node, supports)
    return None if found is None else run_wider(graph, node, *found)


def wider_dtypes(node: Node, supports: Supports) -> tuple[np.dtype, np.dtype] | None:
    """Give a dtype of a node and the wider one in which it is supported; None: there is none."""
    dtypes = dict.fromkeys(
        v.dtype for v in (*node.inputs, *node.outputs) if v and isinstance(v.type, TensorType)
    )
    for narrow in dtypes:
        if _may_widen(node, narrow):
            for wide in _WIDER.get(narrow, ()):
                if supports(_in(node, narrow, wide)):
                    return narrow, wide
    return None


def run_wider(graph: Graph, node: Node, narrow: np.dtype, wide: np.dtype) -> list[Node]:
    """Replace a node by itself in `wide` between casts from and to `narrow`, in place."""
    prefix = f"{node.title}/"
    op = Ops(graph, node.position, prefix)
    inputs = [
        op.Cast(v, to=wide) if v is not None and _holds(v, narrow) else v for v in node.inputs
    ]
    names = [
        "" if v is None else graph.names.fresh(f"{prefix}wide{k}")
        for k, v in enumerate(node.outputs)
    ]
    results = op.emit_all(
        node.op_type, *inputs, outputs=names, domain=node.domain, **node.attributes
    )
    put_in_place(
        op,
        node,
        [
            _cast_back(op, new, narrow) if old and new and _holds(old, narrow) else new
            for old, new in zip(node.outputs, results, strict=True)
        ],
    )
    return op.emitted


def _cast_back(op: Ops, x: Value, narrow: np.dtype) -> Value:
    """Cast to a dtype that holds x, or the nearest of it; 8-bit floats keep their infinities."""
    saturate = 0 if narrow.name.startswith("float8") else None
    return op.Cast(x, to=narrow, saturate=saturate)


def _may_widen(node: Node, narrow: np.dtype) -> bool:
    if node.domain or node.op_type in OF_THE_DTYPE or node.attributes.keys() & _NAMING:
        return False
    if narrow.kind == "f" or narrow == ml_dtypes.bfloat16:
        return True
    if node.op_type in MOVES | MEASURES:
        return True
    return narrow.kind in "iu" and node.op_type in MODULAR


def _in(node: Node, narrow: np.dtype, wide: np.dtype) -> Node:
    """Give the node as it would stand in the wider dtype, outside any graph."""

    def widened(value: Value | None) -> Value | None:
        if value is None or not _holds(value, narrow):
            return value
        return Value(value.name, TensorType(wide, value.shape))

    inputs, outputs = map(widened, node.inputs), map(widened, node.outputs)
    return replace(node, inputs=tuple(inputs), outputs=tuple(outputs))


def _holds(value: Value, dtype: np.dtype) -> bool:
    return isinstance(value.type, TensorType) and value.dtype == dtype
