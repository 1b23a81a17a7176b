"""How far the roundings inside a graph move what it gives."""

from functools import partial

import numpy as np

import onnxgrad as og
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.emission.replacing import put_in_place
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.subgraphs import run_within
from onnxgrad.compiler.graph.types import TensorType

from .evaluation import UNITS

STEPS = 4
"""How many units of its rounding a value is moved by."""


def shaken(graph: og.Graph, rng: np.random.Generator) -> og.Graph:
    """Give a graph of standard operators in which every float is moved by its last bits."""
    copy = og.load(og.to_onnx(graph))
    _shake(copy, rng=rng)
    return copy


def _shake(graph: Graph, rng: np.random.Generator) -> None:
    """Let each node, in subgraphs too, be followed by a product with almost 1."""
    for node in graph.nodes():
        run_within(partial(_shake, rng=rng), graph, node)
        if node.subgraphs or not any(_is_float(v) for v in node.writes()):
            continue
        op = Ops(graph, node.position, "shaken/")
        found = op.emit_all(
            node.op_type,
            *node.inputs,
            outputs=len(node.outputs),
            domain=node.domain,
            **node.attributes,
        )
        put_in_place(op, node, [_moved(op, v, rng) for v in found])


def _is_float(value: Value | None) -> bool:
    return value is not None and isinstance(value.type, TensorType) and value.dtype.name in UNITS


def _moved(op: Ops, value: Value | None, rng: np.random.Generator) -> Value | None:
    if value is None or not _is_float(value):
        return value
    factor = 1 + STEPS * UNITS[value.dtype.name] * rng.choice([-1.0, 1.0])
    moved: Value = op.Mul(value, op.constant(np.array(factor).astype(value.dtype)))
    return moved
