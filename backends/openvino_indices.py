"""Indices that are out of range stop OpenVINO 2026.4, as they must; by themselves they do not.

Its Gather and GatherND give 0 for them, ScatterND takes some for others, and ScatterElements and
RoiAlign read or write beside the array, which may end the process. Its GatherElements looks: each
index is read out of a list of all that there are.
"""

import numpy as np

from ..compiler.emission.ops import Ops
from ..compiler.emission.positions import dimension, from_front
from ..compiler.emission.windows import size_at
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.subgraphs import run_within
from ..compiler.standard.schemas import attribute


def look_at_indices(graph: Graph) -> None:
    """Let indices go through GatherElements, in place, but for those that are known to fit."""
    for node in graph.nodes():
        run_within(look_at_indices, graph, node)
        place = None if node.domain else _PLACES.get(node.op_type)
        if place is None or all(v.constant is not None for v in node.writes()):
            continue
        x, *_, indices = node.required(place + 1)
        axes = _axes(node, indices)
        back = node.op_type != "RoiAlign"  # it takes none that count from the end
        if x.rank is None or axes is None or _fit(x, indices, axes, back):
            continue
        op = Ops(graph, node.position, f"{node.title}/")
        places = [a % x.rank for a in axes]
        indices = indices if back else from_front(op, indices, dimension(op, x, 0))
        looked = _looked_at(op, x, indices, places, node.op_type in _BY_PARTS)
        node.inputs = tuple(looked if k == place else v for k, v in enumerate(node.inputs))
        graph.reconnect(node)


_PLACES = {"Gather": 1, "GatherND": 1, "RoiAlign": 2, "ScatterElements": 1, "ScatterND": 1}
"""Where operators read indices."""

_BY_PARTS = ("GatherND", "ScatterND")
"""Whose last axis of indices holds one for each axis."""


def _axes(node: Node, indices: Value) -> list[int] | None:
    """Give the axis that each index, or each part of it, counts along; None where nothing tells."""
    if node.op_type == "RoiAlign":
        return [0]
    if node.op_type not in _BY_PARTS:
        return [attribute(node, "axis")]
    width = indices.shape[-1] if indices.shape else None
    first = node.attributes.get("batch_dims", 0)
    return [first + k for k in range(width)] if isinstance(width, int) else None


def _fit(x: Value, indices: Value, axes: list[int], back: bool) -> bool:
    if indices.constant is None or x.shape is None:
        return False
    sizes = [x.shape[axis] for axis in axes]
    if not all(isinstance(size, int) for size in sizes):
        return False
    limits = np.array(sizes, np.int64)  # one for all, or for each part of an index
    return bool(((indices.constant >= -limits * back) & (indices.constant < limits)).all())


def _looked_at(op: Ops, x: Value, indices: Value, axes: list[int], by_parts: bool) -> Value:
    if not by_parts:
        return _listed(op, x, indices, axes[0])
    parts = [op.Slice(indices, [k], [k + 1], [-1]) for k in range(len(axes))]
    looked = [_listed(op, x, part, axis) for part, axis in zip(parts, axes, strict=True)]
    return op.Concat(*looked, axis=-1)


def _listed(op: Ops, x: Value, indices: Value, axis: int) -> Value:
    """Read each index out of 0, 1, 2 …; what is negative counts from the end."""
    size = size_at(op, x, axis)
    count = size if isinstance(size, int) else op.Squeeze(size, [0])
    listed = op.CastLike(op.Range(0, count, 1), indices)
    found = op.GatherElements(listed, op.Reshape(indices, [-1]), axis=0)
    if indices.rank == 0:
        return op.Squeeze(found, [0])
    return op.Reshape(found, op.Shape(indices))
