"""Give a graph in another float precision; it changes no operator but by casts where ONNX asks."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from onnx.defs import OpSchema

from ..composites import STANDARD_BODIES
from ..composites.expand import expand_node
from ..differentiation.rules import has_chosen_gradient
from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..errors import UnsupportedOpError
from ..graph.ir import Graph, Node, Value
from ..graph.names import Names
from ..graph.subgraphs import run_within
from ..graph.types import (
    OptionalType,
    SequenceType,
    TensorType,
    Type,
    is_float,
    numpy_dtype,
    onnx_dtype,
)
from ..standard.attribute_values import DTYPES
from ..standard.schemas import find_schema, formal_input

_BITS = {"BitCast", "DequantizeLinear", "QuantizeLinear"}
"""Operators whose element type is about bits: they keep it."""


def with_dtype(graph: Graph, dtype: np.dtype) -> Graph:
    """Copy a graph with every float tensor in `dtype`: inputs, constants, casts and results.

    An operator that does not take `dtype` works in its own, between casts; those of ai.onnx.ml,
    which answer in float32 whatever they get, stand as their bodies, and DequantizeLinear as its
    formula, for its scale is a number like others.
    """
    copy = graph.copy()
    _spell_out(copy)
    return _Caster(copy.names.copy(), np.dtype(dtype)).graph(copy, Names(), {})


def _spell_out(graph: Graph) -> None:
    _spell_out_nodes(graph, graph.nodes())


def _spell_out_nodes(graph: Graph, nodes: Sequence[Node]) -> None:
    for node in nodes:
        run_within(_spell_out, graph, node)
        if node.operator == "DequantizeLinear":
            _spell_out_dequantization(graph, node)
        elif node.domain and node.operator in STANDARD_BODIES and not has_chosen_gradient(node):
            with suppress(UnsupportedOpError):  # a setting for which there is no body
                _spell_out_nodes(graph, expand_node(graph, node))


def _spell_out_dequantization(graph: Graph, node: Node) -> None:
    """(x − zero point)·scale"""
    x, scale = node.required(2)
    zero, y = node.input(2), node.output()
    op = Ops(graph, node.position, f"{y.name}/")
    if (factor := _spread(op, scale, x, node)) is None:
        return  # its rank or sizes are not known, so it stays as it is
    steps = op.Cast(x, to=y.dtype)
    if zero is not None:
        steps = op.Sub(steps, _spread(op, op.Cast(zero, to=y.dtype), x, node))
    put_in_place(op, node, [op.Mul(steps, cast_to(op, factor, steps))])


def _spread(op: Ops, v: Value, x: Value, node: Node) -> Value | None:
    """Bring scales or zero points, one for x or for each slice or block, to where they broadcast.

    None where ranks or sizes that this needs are not known.
    """
    if v.rank == 0:
        return v
    axis, block = node.attributes.get("axis", 1), node.attributes.get("block_size", 0)
    if x.shape is None or v.shape is None:
        return None
    axis %= len(x.shape)
    if block:
        size = x.shape[axis]
        return op.Gather(v, np.arange(size) // block, axis=axis) if isinstance(size, int) else None
    if v.shape == (1,):
        return op.Squeeze(v)
    trailing = list(range(1, len(x.shape) - axis))
    return op.Unsqueeze(v, trailing) if trailing else v


class _Caster:
    def __init__(self, reserved: Names, dtype: np.dtype) -> None:
        self._reserved = reserved  # names that the copy has or will have
        self._dtype = dtype

    def graph(self, graph: Graph, names: Names, mapping: dict[Value, Value]) -> Graph:
        """Copy a graph or subgraph; `mapping` (old → new) knows what it captures."""
        other = Graph(graph.name, names)
        other.metadata = dict(graph.metadata)
        for value in graph.values():
            if graph.producer(value) is None:
                mapping[value] = other.add_value(self._value(value))
        for node in graph.nodes():
            self._node(other, node, mapping)
        other.inputs = [mapping[v] for v in graph.inputs]
        other.outputs = [mapping[v] for v in graph.outputs]
        return other

    def _value(self, value: Value) -> Value:
        constant = None if value.constant is None else self._array(value.constant)
        type_ = self._type(value.type)
        return Value(value.name, type_, constant, value.parameter, value.elements)

    def _node(self, graph: Graph, node: Node, mapping: dict[Value, Value]) -> None:
        op = Ops(graph, node.position)
        schema = find_schema(node.op_type, node.domain)
        inputs = tuple(
            None if v is None else self._accepted(op, schema, k, v, mapping[v])
            for k, v in enumerate(node.inputs)
        )
        attributes = {
            key: self.graph(attribute, graph.names, mapping)
            if isinstance(attribute, Graph)
            else self._attribute(node, key, attribute)
            for key, attribute in node.attributes.items()
        }
        if schema is None:  # a composite, whose types are those of the original
            outputs = tuple(None if v is None else self._value(v) for v in node.outputs)
            op.adopt(Node(node.op_type, inputs, outputs, attributes, node.domain, node.name))
        else:
            wanted = ["" if v is None else self._fresh(v.name) for v in node.outputs]
            given = op.emit(
                node.op_type,
                *inputs,
                outputs=wanted,
                domain=node.domain,
                name=node.name,
                **attributes,
            )
            outputs = (given,) if len(wanted) == 1 else given
        for old, new in zip(node.outputs, outputs, strict=True):
            if old is not None and new is not None:
                mapping[old] = self._named(op, new, old)

    def _accepted(
        self, op: Ops, schema: OpSchema | None, index: int, old: Value, new: Value
    ) -> Value:
        """Give an input in the dtype that the operator takes."""
        if schema is None or new.type == old.type or not isinstance(new.type, TensorType):
            return new
        types = formal_input(schema, index).types
        if _type_name(new.dtype) in types and schema.name not in _BITS:
            return new
        return self._cast(op, new, old.dtype, self._fresh(old.name))

    def _named(self, op: Ops, new: Value, old: Value) -> Value:
        """Give an output in our dtype, under its old name."""
        if new.name == old.name:
            return new
        if isinstance(new.type, TensorType) and is_float(new.dtype) and new.dtype != self._dtype:
            return self._cast(op, new, self._dtype, old.name)
        op.graph.rename(new, old.name)
        return new

    def _cast(self, op: Ops, x: Value, dtype: np.dtype, name: str) -> Value:
        return op.emit("Cast", x, to=dtype, outputs=[name])

    def _fresh(self, wish: str) -> str:
        name = self._reserved.fresh(wish)
        self._reserved.claim(name)
        return name

    def _attribute(self, node: Node, key: str, attribute: Any) -> Any:
        if isinstance(attribute, np.ndarray):
            return self._array(attribute)
        if isinstance(attribute, TensorType | SequenceType | OptionalType):
            return self._type(attribute)
        if key == "stash_type" and len(node.outputs) > 1:
            return attribute  # the standard has no float64 for the statistics of LayerNormalization
        if key in DTYPES and node.op_type not in _BITS and attribute:
            return onnx_dtype(self._dtype) if is_float(numpy_dtype(attribute)) else attribute
        return attribute

    def _array(self, array: np.ndarray) -> np.ndarray:
        return array.astype(self._dtype) if is_float(array.dtype) else array

    def _type(self, type_: Type) -> Type:
        if isinstance(type_, TensorType):
            return TensorType(self._dtype, type_.shape) if is_float(type_.dtype) else type_
        return type(type_)(self._type(type_.element))


def _type_name(dtype: np.dtype) -> str:
    names = {"float64": "double", "float32": "float"}
    return f"tensor({names.get(dtype.name, dtype.name)})"
