"""Read graphs and their initializers; nodes are node_reader.py's, models importer.py's."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import GraphProto

from ..emission.ops import Ops
from ..errors import ModelFileError
from ..graph.ir import Graph, Value
from ..graph.types import TensorType, Type, is_float
from ..standard.protos import CONSTANT_MARK
from .body_types import loosened
from .node_reader import NodeReader, refine_type
from .reading_context import Context, Scope
from .tensor_reader import densify


def read_graph(
    proto: GraphProto,
    graph: Graph,
    outer: Scope,
    context: Context,
    given: Sequence[Type | None] = (),
) -> None:
    """Fill a graph from its message.

    Args:
        proto: the message.
        graph: an empty graph, or one of an enclosing model's subgraphs.
        outer: the values of enclosing scopes.
        context: what the nodes are read under.
        given: types of the inputs, where more is known than the message says.
    """
    scope = outer.new_child()
    arrays = _initializers(proto, context)
    inner = bool(context.prefix) or bool(outer)
    for k, info in enumerate(proto.input):
        if info.name in arrays:
            continue  # a weight: to IR version 3 all of them had to be listed as inputs, too
        type_: Type | None = given[k] if k < len(given) else None
        if type_ is None:
            type_ = loosened(context.type(info)) if inner else context.type(info)
        elif _is_typed(info):
            type_ = refine_type(type_, context.type(info))
        value = Value(context.free_name(graph, info.name, inner), type_)
        graph.inputs.append(graph.add_value(value))
        scope[info.name] = value
    for name, (array, trained) in arrays.items():
        value = Value(
            context.free_name(graph, name, inner),
            TensorType(array.dtype, array.shape),
            array,
            parameter=trained,
        )
        scope[name] = graph.add_value(value)
    told = (*proto.value_info, *proto.output) if context.trusts_declared else ()
    declared = {i.name: context.type(i) for i in told if _is_typed(i)}
    reader = NodeReader(Ops(graph), scope, context, inner, declared)
    reader.read(proto.node)
    for info in proto.output:
        found = scope.get(info.name)
        if found is None:
            raise ModelFileError(f"nothing computes the output '{info.name}'")
        if not context.trusts_declared and _is_typed(info) and not graph.consumers(found):
            found.type = refine_type(found.type, context.type(info))  # no rule builds on it
        graph.outputs.append(found)


def _initializers(proto: GraphProto, context: Context) -> dict[str, tuple[np.ndarray, bool]]:
    """Read the initializers: array and whether training changes it."""
    found: dict[str, tuple[np.ndarray, bool]] = {}
    for tensor in proto.initializer:
        if tensor.name in found:
            raise ModelFileError(f"two initializers are called '{tensor.name}'")
        array = context.tensor(tensor)
        found[tensor.name] = array, is_float(array.dtype) and tensor.doc_string != CONSTANT_MARK
    for sparse in proto.sparse_initializer:
        array = densify(sparse, context.tensor)
        found[sparse.values.name] = array, is_float(array.dtype)
    return found


def _is_typed(info: onnx.ValueInfoProto) -> bool:
    return info.type.WhichOneof("value") is not None
