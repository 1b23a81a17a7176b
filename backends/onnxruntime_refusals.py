"""Which nodes of a file stock onnxruntime will not take, each tried alone; it runs nothing."""

from functools import cache

import onnx
from onnx import GraphProto, ModelProto

from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.recurrence import Recurrence
from ..compiler.graph.subgraphs import all_nodes
from ..compiler.graph.types import TensorType
from ..compiler.opset import COMPOSITE_DOMAIN
from ..compiler.standard.protos import call_proto, tensor_proto, value_proto
from ..compiler.standard.schemas import DOMAIN_VERSIONS
from .onnxruntime_kernels import lacking_kernels
from .onnxruntime_providers import Settings
from .onnxruntime_sessions import open_session

LIMIT = 1024
"""Most elements of a constant that a node is tried with."""


def refused_nodes(graph: Graph, opset: int) -> list[Node]:
    """List the nodes, those of subgraphs too, that onnxruntime has no kernel for at an opset.

    Its table of kernels tells which may be: of some it runs ONNX's body, and half precision it
    runs in float32. A model of its own tells of each. A Scan is among them that gathers values
    of unknown rank: it would end as it runs.
    """
    lacking = [n for n in lacking_kernels(graph, opset) if n.domain != COMPOSITE_DOMAIN]
    refused = [n for n in lacking if not n.subgraphs and not _loads(_alone(n, opset))]
    return refused + [n for n in all_nodes(graph) if n.operator == "Scan" and _gathers_any_rank(n)]


def _gathers_any_rank(scan: Node) -> bool:
    given = (v.type for v in Recurrence(scan).entries_out)
    return any(isinstance(t, TensorType) and t.shape is None for t in given)


def _alone(node: Node, opset: int) -> bytes:
    """Write a model of one node, whose names are the same wherever it stands."""
    names: dict[Value, str] = {}
    for value in (*node.inputs, *node.outputs):
        if value is not None:
            names.setdefault(value, f"v{len(names)}")
    call = call_proto(node)
    call.name = ""
    for field, values in ((call.input, node.inputs), (call.output, node.outputs)):
        field[:] = ["" if v is None else names[v] for v in values]
    graph = GraphProto(name="alone", node=[call])
    for value, name in names.items():
        constant = value.constant
        if value in node.outputs:
            described = graph.output.add()
        elif constant is not None and constant.size <= LIMIT:
            graph.initializer.append(tensor_proto(constant, name))
            continue
        else:
            described = graph.input.add()
        described.CopyFrom(value_proto(value))
        described.name = name
    versions = {"": opset}
    if node.domain:
        versions[node.domain] = DOMAIN_VERSIONS.get(node.domain, 1)
    opsets = [onnx.helper.make_opsetid(domain, v) for domain, v in versions.items()]
    standard = onnx.helper.find_min_ir_version_for(opsets, ignore_unknown=True)
    return ModelProto(ir_version=standard, graph=graph, opset_import=opsets).SerializeToString()


@cache
def _loads(model: bytes) -> bool:
    try:
        open_session(ModelProto.FromString(model), {}, Settings())
    except Exception:  # whatever it raises: it does not take the node
        return False
    return True
