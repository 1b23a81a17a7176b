"""Write a graph as a plain ONNX model; it computes nothing and leaves the graph as it is."""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
from onnx import ModelProto, TensorProto

from ..composites import find_body
from ..composites.copied_bodies import CopiedBodies
from ..composites.expand import Forms
from ..composites.form_choice import choose_straight_form
from ..emission.ops import Ops
from ..errors import GraphError, UnsupportedOpError
from ..graph.arguments import optional_texts, require_flag, require_function, require_graph
from ..graph.collection import without_collection
from ..graph.dead_code import remove_dead_code
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import all_graphs, all_nodes, run_within
from ..graph.types import TensorType
from ..opset import COMPOSITE_DOMAIN, EXPORT_OPSET
from ..standard.contrib import BLOCKED_DOMAIN, REGISTERED, is_contrib, is_registered
from ..standard.contrib import DOMAIN as CONTRIB_DOMAIN
from ..standard.protos import TensorWriter, tensor_proto, value_proto, write_graph
from ..standard.schemas import find_schema, last_version
from .batch_statistics import keep_statistics
from .lowering import lower, spell_foreign
from .model_functions import FunctionLibrary

OLDEST_IR = 4
"""Before this IR version every initializer had to be listed as an input, too."""

FUNCTIONS_IR = 8
"""Models have functions since this IR version."""

Look = Callable[[Graph], None]
"""Is shown what is written of a graph or of a function's body: operators as the file has them."""


def to_onnx(
    graph: Graph,
    opset: int = EXPORT_OPSET,
    forms: Forms | None = None,
    *,
    functions: bool = False,
    contrib: bool = False,
    tensor: TensorWriter = tensor_proto,
    look: Look | None = None,
) -> ModelProto:
    """Write a graph as a model of standard operators at an opset.

    Args:
        graph: the graph, unchanged by this.
        opset: version of the standard operators.
        forms: the form in which to write composites, by operator; of others the one without
            branches is taken that should cost least in onnxruntime.
        functions: keep composites, and function operators that the opset lacks, as functions of
            the model: they read far better in a viewer.
        contrib: keep the operators that onnxruntime adds to ONNX's, which are written by their
            bodies otherwise.
        tensor: writes the arrays of initializers.
        look: is shown the graph as it is written.

    Raises:
        GraphError: there is no such form, or an input or output whose rank is unknown, which a
            valid model must tell.
        UnsupportedOpError: operators that the opset lacks and that have no body; all at once.
    """
    _require_ranks(require_graph(graph))
    require_flag(functions, "functions")
    require_flag(contrib, "contrib")
    chosen = optional_texts(forms, "forms")
    write = partial(_written, require_function(tensor, "tensor", 2))
    if look is not None:
        require_function(look, "look", 1)
    return write_model(graph, opset, chosen, functions, write, contrib, look)


def _written(tensor: TensorWriter, array: np.ndarray, name: str) -> TensorProto:
    """Write an array by a function of the caller's."""
    found = tensor(array, name)
    if not isinstance(found, TensorProto):
        raise GraphError(f"tensor gives {type(found).__name__} for '{name}', not a TensorProto")
    return found


@without_collection()
def write_model(
    graph: Graph,
    opset: int,
    forms: Forms,
    functions: bool,
    tensor: TensorWriter,
    contrib: bool = False,
    look: Look | None = None,
) -> ModelProto:
    """Write a model as `to_onnx` does, also one whose ranks only run time tells.

    With `contrib` operators that onnxruntime adds to ONNX's stay as they are, not their bodies.
    """
    for op_type, name in forms.items():
        find_body(op_type, name)

    bodies = CopiedBodies()

    def expand(part: Graph, node: Node) -> None:
        form = forms.get(node.op_type) or choose_straight_form(node, opset=opset)
        bodies.expand(part, node, form)

    def finish(part: Graph) -> None:
        lower(part, opset, expand)
        drop_known(part)
        compute_subgraph_outputs(part)
        if look is not None:
            look(part)

    graph = graph.copy()
    library = FunctionLibrary(expand, finish, opset)
    drop_known(graph)
    keep_statistics(graph, opset)
    spell_foreign(graph, expand, is_registered if contrib else is_contrib)
    lower(graph, opset, library.call if functions else expand)
    drop_known(graph)
    compute_subgraph_outputs(graph)
    if look is not None:
        look(graph)
    versions = {**_versions(graph), "": opset}
    opsets = [onnx.helper.make_opsetid(d, v) for d, v in sorted(versions.items())]
    oldest = FUNCTIONS_IR if functions else OLDEST_IR
    registered = {domain for domain, _ in REGISTERED}
    foreign = {COMPOSITE_DOMAIN, CONTRIB_DOMAIN, BLOCKED_DOMAIN, *registered}
    standard = [o for o in opsets if o.domain not in foreign]
    ir_version = max(oldest, onnx.helper.find_min_ir_version_for(standard))
    model = ModelProto(ir_version=ir_version, producer_name="onnxgrad", opset_import=opsets)
    onnx.helper.set_model_props(model, graph.metadata)
    write_graph(model.graph, graph, tensor)
    model.functions.extend(library.protos)
    model.graph.value_info.extend(value_proto(v) for v in _between(graph))
    return model


def _require_ranks(graph: Graph) -> None:
    """Refuse what is valid for no reader: ONNX wants the rank of what a model takes and gives."""
    for role, values in (("input", graph.inputs), ("output", graph.outputs)):
        for value in values:
            if isinstance(value.type, TensorType) and value.type.shape is None:
                raise GraphError(
                    f"the {role} '{value.name}' has no known rank, which a valid model must tell; "
                    "load the model with shapes={…}, or build the graph with sizes, even symbolic "
                    "ones"
                )


def weight_bytes(graph: Graph) -> int:
    """Count the bytes of the constants that a file of this graph holds."""
    values = (v for part in all_graphs(graph) for v in part.values())
    return sum(v.constant.nbytes for v in values if v.constant is not None)


def drop_known(graph: Graph) -> None:
    """Let values that are known while compiling stand as constants, without their producers."""
    known: list[tuple[Value, str]] = []
    for node in graph.nodes():
        for value in node.writes():
            if value.constant is not None and value not in graph.outputs:
                name = graph.names.fresh(value.name)
                constant = graph.add_value(Value(name, value.type, value.constant))
                graph.replace_uses(value, constant)
                known.append((constant, value.name))
        for subgraph in node.subgraphs:
            drop_known(subgraph)
    remove_dead_code(graph)
    for constant, name in known:
        if graph.owns(constant) and name not in graph.names:
            graph.rename(constant, name)


def compute_subgraph_outputs(graph: Graph) -> None:
    """Let every output of a subgraph be computed there, once: runtimes refuse anything else."""
    for node in graph.nodes():
        run_within(_compute_outputs, graph, node)


def _compute_outputs(subgraph: Graph) -> None:
    compute_subgraph_outputs(subgraph)
    outputs: list[Value] = []
    for value in subgraph.outputs:
        if subgraph.producer(value) is None or any(value is v for v in outputs):
            value = Ops(subgraph).Identity(value)
        outputs.append(value)
    subgraph.outputs = outputs


def _between(graph: Graph) -> list[Value]:
    """List the values between inputs and outputs that have a rank to tell."""
    ends = {*graph.inputs, *graph.outputs}
    return [
        v
        for n in graph.nodes()
        for v in n.writes()
        if v not in ends and isinstance(v.type, TensorType) and v.type.shape is not None
    ]


def _versions(graph: Graph) -> dict[str, int]:
    """Give the versions of the domains that a model has to name.

    Raises:
        UnsupportedOpError: an operator came with a version in which another one is gone.
    """
    nodes = list(all_nodes(graph))
    versions: dict[str, int] = {}
    for node in nodes:
        last = last_version(node.op_type, node.domain) or 1
        versions[node.domain] = min(last, versions.get(node.domain, last))
    for node in nodes:
        version = versions[node.domain]
        known = find_schema(node.op_type, node.domain) is not None
        if node.domain and known and find_schema(node.op_type, node.domain, version) is None:
            others = f"what other nodes need of {node.domain} is gone where it came"
            raise UnsupportedOpError(f"no model can hold {node!r}: {others}", [node.operator])
    return versions
