"""Read an ONNX model of any opset into a graph at ours; it drops no name."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, NodeProto

from ..errors import ModelFileError, OnnxgradError, UnsupportedOpError
from ..graph.collection import without_collection
from ..graph.ir import Graph
from ..graph.names import Names
from ..opset import OPSET
from ..reading.graph_reader import read_graph
from ..reading.held_weights import lift_weights
from ..reading.reading_context import Context, FunctionKey, Scope, domain_of
from ..reading.tensor_reader import TensorReader
from ..reading.upgrades import has_upgrade
from ..standard.contrib import BLOCKED_DOMAIN, REGISTERED, find_contrib
from ..standard.contrib import DOMAIN as CONTRIB_DOMAIN
from ..standard.protos import every_node, graphs_in
from ..standard.schemas import DOMAIN_VERSIONS, find_schema, has_maps
from .external_data import ExternalTensorReader
from .pinning import Pins, Shapes
from .preview_training import emit_gradient


@without_collection()
def import_model(
    model: ModelProto, shapes: Shapes | None = None, folder: Path | None = None
) -> Graph:
    """Read a model; `shapes` gives numbers to sizes that it leaves open.

    Float initializers are parameters, others constants, and no inputs, also where the model lists
    them as inputs: to IR version 3 it had to, and exporters went on doing so.

    Args:
        model: the model, left as it is.
        shapes: numbers by symbol, or the sizes of an input by its name (None: left open); what
            the model lacks is an error.
        folder: where external data lie; None where the model came without a file.

    Raises:
        ModelFileError: the model is not valid ONNX.
        UnsupportedOpError: it has operators that ONNX does not know; all of them at once.
    """
    try:
        return _import(model, shapes or {}, folder)
    except OnnxgradError:
        raise
    except RecursionError:
        raise ModelFileError("the model nests its graphs too deeply to be read") from None
    except Exception as error:  # whatever a hostile file provokes in ONNX's own code
        raise ModelFileError(f"the model is not valid ONNX: {error}") from error


def _import(model: ModelProto, shapes: Shapes, folder: Path | None) -> Graph:
    if not model.HasField("graph"):
        raise ModelFileError("this is not an ONNX model: it holds no graph")
    versions = _versions(model)
    functions: dict[FunctionKey, onnx.FunctionProto] = {
        (domain_of(f.domain), f.name, f.overload): f for f in model.functions
    }
    _require_known(model, versions, functions)
    tensor = TensorReader() if folder is None else ExternalTensorReader(folder)
    pins = Pins(model.graph, shapes)
    graph = Graph(model.graph.name or "graph", Names())
    graph.metadata = {str(p.key): str(p.value) for p in model.metadata_props}
    graph.doc = str(model.graph.doc_string or model.doc_string)
    trusts = not _holds_misinferred(model, versions)
    context = Context(
        versions,
        read_graph,
        emit_gradient,
        functions=functions,
        tensor=tensor,
        type=pins.reader,
        trusts_declared=trusts,
        pinned=bool(shapes),
    )
    graph.names.expect(_names(model.graph), _names_inside(model.graph))
    read_graph(model.graph, graph, Scope(), context, pins.types)
    graph.names.expect((), ())
    pins.check_used()
    lift_weights(graph)
    return graph


def _names(proto: GraphProto) -> Iterator[str]:
    """Yield the names of a graph's own values."""
    yield from (v.name for v in proto.input)
    yield from (t.name for t in proto.initializer)
    yield from (t.values.name for t in proto.sparse_initializer)
    for node in proto.node:
        yield from node.output


def _names_inside(proto: GraphProto) -> Iterator[str]:
    """Yield the names of the values in a graph's subgraphs."""
    for node in every_node(proto.node):
        for graph in graphs_in(node):
            yield from _names(graph)


def _versions(model: ModelProto) -> dict[str, int]:
    """Give the version of each domain; before IR version 3 there was only one."""
    versions = {domain_of(o.domain): o.version for o in model.opset_import}
    if not versions and model.ir_version < 3:
        versions[""] = 1
    for domain, version in versions.items():
        newest = DOMAIN_VERSIONS.get(domain)
        name = domain or "ai.onnx"
        if newest is not None and version > newest:
            raise ModelFileError(
                f"the model uses {name} {version}; onnxgrad knows it up to {newest}: export the "
                f"model at opset {newest if domain else OPSET} or older"
            )
        if version < 1:
            raise ModelFileError(f"the model uses version {version} of {name}")
    return versions


def _require_known(
    model: ModelProto,
    versions: Mapping[str, int],
    functions: Mapping[FunctionKey, onnx.FunctionProto],
) -> None:
    """Refuse operators that neither ONNX nor the model defines, all at once."""
    unknown = _unknown(model.graph.node, versions, functions)
    for body in functions.values():
        own = {domain_of(o.domain): o.version for o in body.opset_import}
        unknown |= _unknown(body.node, own, functions)
    if unknown:
        listed = ", ".join(f"{name} ({why})" for name, why in sorted(unknown.items()))
        raise UnsupportedOpError(f"the model uses operators that cannot be read: {listed}", unknown)


def _holds_misinferred(model: ModelProto, versions: Mapping[str, int]) -> bool:
    """Tell whether ONNX's inference may have written wrong sizes into the file.

    Where a size is a symbol, it takes the output of Slice-10 for like its input, and that of
    Squeeze-1 for one from which nothing is taken that it does not see to be 1.
    """
    version = versions.get("", 0)
    return any(
        (node.op_type == "Slice" and version == 10)
        or (node.op_type == "Squeeze" and version < 11 and not node.attribute)
        for node in every_node(model.graph.node)
        if not domain_of(node.domain)
    )


def _unknown(
    nodes: Iterable[NodeProto],
    versions: Mapping[str, int],
    functions: Mapping[FunctionKey, onnx.FunctionProto],
) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in every_node(nodes):
        domain = domain_of(node.domain)
        if (domain, node.op_type, node.overload) in functions:
            continue
        name = f"{domain}.{node.op_type}" if domain else node.op_type
        if domain == BLOCKED_DOMAIN:
            found[name] = (
                "channels in blocks for one kind of processor; let onnxruntime save the model at "
                "ORT_ENABLE_EXTENDED"
            )
        elif domain not in DOMAIN_VERSIONS:
            found[name] = (
                "a custom domain; define it as a function of the model, or og.register_operator"
            )
        elif domain == CONTRIB_DOMAIN:
            if find_contrib(node.op_type, domain) is None:
                found[name] = "onnxgrad has no body for such an operator of onnxruntime"
        elif domain in {d for d, _ in REGISTERED}:
            if find_contrib(node.op_type, domain) is None:
                found[name] = f"other operators of {domain} are registered, this one is not"
        elif domain not in versions:
            found[name] = f"the model imports no version of {domain or 'ai.onnx'}"
        elif (domain, node.op_type) == ("ai.onnx.ml", "ZipMap"):
            tensor = next(iter(node.input), "")
            found[name] = (
                f"it reads or makes maps, of the tensor '{tensor}'; end the model there: "
                "onnx.utils.extract_model(path, target, inputs, outputs) cuts it"
            )
        elif has_maps(node.op_type, domain):
            found[name] = "it reads or makes maps; export the model with tensors in their place"
        elif not _knows(node.op_type, domain, versions[domain]):
            found[name] = _why_unknown(node.op_type, domain, versions[domain])
    return found


def _knows(op_type: str, domain: str, version: int) -> bool:
    """Tell whether a call can be read: as it is, or upgraded where the operator was dropped."""
    if (domain, op_type) in AHEAD or find_contrib(op_type, domain) is not None:
        return True
    first = _first_version(op_type, domain)
    if first is None or version < first:
        return False
    lives = all(find_schema(op_type, domain, v) is not None for v in (version, None))
    return lives or has_upgrade(op_type, domain, version)


AHEAD = {("", "LayerNormalization")}
"""Operators that onnxruntime's optimizer writes into models of opsets that had none yet."""


def _first_version(op_type: str, domain: str) -> int | None:
    return _first_versions().get((op_type, domain))


@cache
def _first_versions() -> dict[tuple[str, str], int]:
    """Give the version in which each operator came; asking ONNX takes milliseconds each time."""
    first: dict[tuple[str, str], int] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        key = schema.name, schema.domain
        first[key] = min(schema.since_version, first.get(key, schema.since_version))
    return first


def _why_unknown(op_type: str, domain: str, version: int) -> str:
    first = _first_version(op_type, domain)
    if first is None:
        return "ONNX has no such operator"
    if version < first:
        return f"it came with version {first}; the model says {version}"
    return "ONNX has dropped it since, and nothing of today's is put in its place"
