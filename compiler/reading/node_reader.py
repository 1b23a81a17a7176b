"""Read nodes of any opset, upgraded to ours, and functions, put in place of their calls."""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto

from ..emission.ops import Ops
from ..errors import GraphError, ModelFileError, OnnxgradError, locate
from ..graph.ir import Graph, Node, Value
from ..graph.types import OptionalType, SequenceType, Shape, TensorType, Type, fresh_dim, is_float
from ..graph.wording import counted, settings
from ..inference.exact_moves import constant
from ..opset import COMPOSITE_DOMAIN
from ..standard.schemas import attribute_value, check_call, find_schema, without_omitted
from .body_types import loop_types, map_types, scan_types
from .branches import read_chosen
from .held_weights import weight_names
from .modules import derivative_of, module_of
from .node_order import in_order
from .reading_context import Context, FunctionKey, Scope, domain_of
from .tensor_reader import densify
from .upgrades import Call, upgrade_call

NESTED_TRIALS = 2
"""How deep bodies of bodies are read for their types; deeper ones get sizes without names."""


def read_function(
    op: Ops,
    body: FunctionProto,
    inputs: Sequence[Value | None],
    outputs: Sequence[str],
    attributes: Mapping[str, Any],
    context: Context,
) -> list[Value | None]:
    """Emit the body of a function for a call; its outputs get the names given ("": a fresh one)."""
    if len(inputs) > len(body.input) or len(outputs) > len(body.output):
        raise ModelFileError(
            f"the function '{body.name}' takes {counted(len(body.input), 'input')} and gives "
            f"{counted(len(body.output), 'output')}; it is called with {len(inputs)} and "
            f"{len(outputs)}"
        )
    bindings = {a.name: attribute_value(a) for a in body.attribute_proto} | dict(attributes)
    versions = {domain_of(o.domain): o.version for o in body.opset_import}
    context = replace(context, versions=versions, bindings=bindings, prefix=op.prefix)
    given = dict(zip(body.input, inputs, strict=False))
    scope: Scope = ChainMap({**dict.fromkeys(body.input), **given, **context.captured})
    reader = NodeReader(op, scope, context, True, {})
    reader.wanted = {k: v for k, v in zip(body.output, outputs, strict=False) if v}
    reader.read(body.node)
    missing = [name for name in reader.wanted if name not in scope]
    if missing:
        raise ModelFileError(f"nothing in the function '{body.name}' computes '{missing[0]}'")
    return [scope.get(name) for name in body.output]


class NodeReader:
    """Reads the nodes of one graph or function, in an order in which they can be read."""

    def __init__(
        self, op: Ops, scope: Scope, context: Context, inner: bool, declared: Mapping[str, Type]
    ) -> None:
        self.op = op
        self.scope = scope
        self.context = context
        self.inner = inner
        self.declared = declared
        self.wanted: dict[str, str] = {}
        self.weights: set[str] = set()

    def read(self, nodes: Iterable[NodeProto]) -> None:
        """Read the nodes; an error names the node."""
        ordered = in_order(list(nodes), self.scope)
        of_model = self.context.read_gradient is not None  # not of ONNX's own functions
        self.weights = weight_names(ordered) if of_model else set()
        for proto in ordered:
            known = len(self.op.emitted)
            try:
                self._node(proto)
            except OnnxgradError as error:
                locate(error, _place(proto))
                raise
            if proto.metadata_props:
                module = module_of(proto)
                for node in self.op.emitted[known:]:
                    node.module = node.module or module

    def _node(self, proto: NodeProto) -> None:
        inputs = [self._resolve(name) for name in proto.input]
        names = [self._name(name) for name in proto.output]
        domain = domain_of(proto.domain)
        version = self.context.versions.get(domain, 1)
        results: Sequence[Value | None] | None = self._chosen(proto, inputs, names)
        if results is None:
            results = self._passed_on(proto, inputs, names)
        if results is None:
            attributes = self._attributes(proto, inputs)
            call = Call(proto.op_type, inputs, names, attributes, domain, version, proto.name)
            held = not self.weights.isdisjoint(proto.output)
            results = self._read(call, proto.overload, held)
        for name, value in zip(proto.output, results, strict=False):
            if name and value is not None:
                self._refine(value, name)
                self.scope[name] = value

    def _chosen(
        self, proto: NodeProto, inputs: Sequence[Value | None], names: Sequence[str]
    ) -> list[Value | None] | None:
        """Read the one branch of an If that can be taken, None where there are two."""
        context = replace(self.context, trials=self.context.trials + 1)

        def read(branch: GraphProto, graph: Graph, trial: bool) -> None:
            self._graph(branch, graph, context if trial else self.context, [])

        may_fail = self.context.pinned and context.trials <= NESTED_TRIALS
        return read_chosen(self.op, proto, inputs, names, read, may_fail)

    def _passed_on(
        self, proto: NodeProto, inputs: Sequence[Value | None], names: Sequence[str]
    ) -> list[Value | None] | None:
        """Read an Identity whose metadata gives it another derivative, None for other nodes."""
        composite = derivative_of(proto)
        if composite is None or len(inputs) != 1 or len(names) != 1 or (x := inputs[0]) is None:
            return None
        y = Value(names[0], x.type)
        return [*self.op.adopt(Node(composite, (x,), (y,), {}, COMPOSITE_DOMAIN, proto.name))]

    def _read(self, call: Call, overload: str, held: bool) -> Sequence[Value | None]:
        """Emit what a call stands for; give its outputs. `held` marks a Constant as a weight."""
        key = (call.domain, call.op_type, overload)
        if key in self.context.functions:
            return self._inline(call, key)
        match key[:2]:
            case "", "Constant":
                return [self._constant(call, held)]
            case "ai.onnx.preview.training", "Gradient":
                return self._gradient(call)
        return self._emit(call)

    def _gradient(self, call: Call) -> list[Value | None]:
        if (read := self.context.read_gradient) is None:
            raise ModelFileError("a Gradient stands only in a model, not in ONNX's own functions")
        y, xs = call.attributes["y"], call.attributes["xs"]
        named = {name: self.scope.get(name) for name in (y, *xs)}
        values = {name: value for name, value in named.items() if value is not None}
        if unknown := [name for name in named if name not in values]:
            raise ModelFileError(f"Gradient names '{unknown[0]}', which nothing before it computes")
        op, wrt = Ops(self.op.graph), [values[x] for x in xs]
        return read(op, values[y], wrt, call.inputs, call.outputs)

    def _emit(self, call: Call) -> list[Value | None]:
        """Emit an operator at our opset."""
        names = call.outputs
        schema = find_schema(call.op_type, call.domain, call.version)
        call.inputs = list(without_omitted(schema, call.inputs))
        if schema is not None:
            check_call(schema, len(call.inputs), call.attributes)
        upgrade_call(self._within(next(filter(None, names), "")), call)
        results = self.op.emit(
            call.op_type,
            *call.inputs,
            outputs=call.outputs,
            domain=call.domain,
            name=call.name,
            **call.attributes,
        )
        listed = [results] if len(call.outputs) == 1 else list(results)
        graph = self.op.graph
        return [*listed, *(graph.find(n) if n else None for n in names[len(listed) :])]

    def _inline(self, call: Call, key: FunctionKey) -> list[Value | None]:
        """Emit a model-local function's body in place of its call."""
        if key in self.context.inlining:
            raise ModelFileError(f"the function '{call.op_type}' calls itself")
        context = replace(self.context, inlining=(*self.context.inlining, key))
        names = call.outputs
        op = self._within(call.name or next(filter(None, names), call.op_type))
        body = self.context.functions[key]
        found = read_function(op, body, call.inputs, names, call.attributes, context)
        results = found[: len(names)]
        for k, (name, value) in enumerate(zip(names, results, strict=True)):
            if name and value is not None and value.name != name:  # an input passed through
                results[k] = op.emit("Identity", value, outputs=[name])
        return results

    def _within(self, label: str) -> Ops:
        """Give a builder of the same graph that puts a label before names."""
        op = Ops(self.op.graph, self.op.position, f"{label}/")
        op.emitted = self.op.emitted
        return op

    def _resolve(self, name: str) -> Value | None:
        if not name:
            return None
        if name not in self.scope:
            raise ModelFileError(f"it reads '{name}', which nothing computes")
        return self.scope[name]

    def _name(self, name: str) -> str:
        if not name:
            return ""
        if (wanted := self.wanted.get(name)) is not None:
            return wanted
        if name in self.scope and not self.inner:
            raise ModelFileError(f"the name '{name}' is computed twice")
        return self.context.free_name(self.op.graph, name, self.inner)

    def _constant(self, call: Call, held: bool) -> Value:
        if len(call.attributes) != 1 or len(call.outputs) != 1 or not call.outputs[0]:
            raise ModelFileError("a Constant has one attribute and one output")
        array = constant(**call.attributes)
        (name,) = call.outputs
        trained = held and array.size > 1 and is_float(array.dtype)
        value = Value(name, TensorType(array.dtype, array.shape), array, parameter=trained)
        return self.op.graph.add_value(value)

    def _attributes(self, proto: NodeProto, inputs: Sequence[Value | None]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        given = self._body_types(proto, inputs)
        for attribute in proto.attribute:
            if not attribute.ref_attr_name:
                found[attribute.name] = self._attribute(attribute, given)
            elif attribute.ref_attr_name in self.context.bindings:
                found[attribute.name] = self.context.bindings[attribute.ref_attr_name]
        return found

    def _body_types(
        self, proto: NodeProto, inputs: Sequence[Value | None]
    ) -> Sequence[Type | None]:
        """Give the types of what the body of a Loop, Scan or SequenceMap takes."""
        body = next((a.g for a in proto.attribute if a.name == "body"), None)
        if body is None or proto.domain or proto.op_type not in ("Loop", "Scan", "SequenceMap"):
            return []
        if proto.op_type == "Scan" and self.context.versions.get("", 1) < 9:
            return []  # it has a batch axis
        types = [None if v is None else v.type for v in inputs]
        if proto.op_type == "SequenceMap":
            return map_types(types)
        context = replace(self.context, trials=self.context.trials + 1)

        def read(given: Sequence[Type | None]) -> list[Type]:
            trial = Graph(body.name, self.op.graph.names.copy())
            self._graph(body, trial, context, given)
            return [v.type for v in trial.outputs]

        if context.trials > NESTED_TRIALS:
            read = _unread
        if proto.op_type == "Loop":
            return loop_types(types, read)
        named = {a.name: a for a in proto.attribute}
        count = named["num_scan_inputs"].i if "num_scan_inputs" in named else 0
        listed = list(named["scan_input_axes"].ints) if "scan_input_axes" in named else []
        axes = listed or [0] * count
        fits = 0 < count <= len(types) and len(axes) == count
        return scan_types(types, axes, read) if fits else []  # what does not fit is refused later

    def _graph(
        self, proto: GraphProto, graph: Graph, context: Context, given: Sequence[Type | None]
    ) -> None:
        """Read a body, whose nodes see the values of this scope."""
        context.read_graph(proto, graph, self.scope, context, given)

    def _attribute(self, proto: AttributeProto, given: Sequence[Type | None]) -> Any:
        kinds = AttributeProto
        context = self.context
        match proto.type:
            case kinds.GRAPH:
                inner = Graph(proto.g.name or proto.name, self.op.graph.names)
                self._graph(proto.g, inner, context, given)
                return inner
            case kinds.TYPE_PROTO:
                return context.type.read(proto.tp)
            case kinds.TENSOR:
                return context.tensor(proto.t)
            case kinds.TENSORS:
                return [context.tensor(t) for t in proto.tensors]
            case kinds.SPARSE_TENSOR:
                return densify(proto.sparse_tensor, context.tensor)
            case kinds.INT | kinds.FLOAT | kinds.STRING | kinds.INTS | kinds.FLOATS | kinds.STRINGS:
                return attribute_value(proto)
            case _:
                raise ModelFileError(
                    f"the attribute '{proto.name}' has the type "
                    f"{kinds.AttributeType.Name(proto.type)}, which no operator takes"
                )

    def _refine(self, value: Value, name: str) -> None:
        """Let what the file says of a value fill in what inference left open.

        Of a constant nothing is open; tools that change precision leave old types beside it.
        """
        declared = self.declared.get(name)
        if declared is not None and value.constant is None:
            value.type = refine_type(value.type, declared)


def _place(proto: NodeProto) -> str:
    """Name a node of a file: "in the node 'y' (Add with axis=1)"."""
    label = proto.name or next(filter(None, proto.output), "?")
    kinds = AttributeProto
    plain = kinds.INT, kinds.INTS, kinds.FLOAT, kinds.FLOATS, kinds.STRING, kinds.STRINGS
    own = (a for a in proto.attribute if a.type in plain and not a.ref_attr_name)
    given = {a.name: attribute_value(a) for a in own}
    listed = settings(given)
    return f"in the node '{label}' ({proto.op_type}{' with ' if listed else ''}{listed})"


def _unread(given: Sequence[Type | None]) -> list[Type]:
    raise GraphError("bodies are nested too deeply to try types")


def refine_type(inferred: Type, declared: Type) -> Type:
    """Let what a file declares fill in what is not known; an error where element types differ."""
    match inferred, declared:
        case TensorType(dtype, shape), TensorType(other, known):
            if dtype != other and not dtype.kind == other.kind == "O":
                raise GraphError(f"the file calls it {declared}, but it is {inferred}")
            return TensorType(dtype, _refine_shape(shape, known))
        case SequenceType(a), SequenceType(b):
            return SequenceType(refine_type(a, b))
        case OptionalType(a), OptionalType(b):
            return OptionalType(refine_type(a, b))
    return inferred


def _refine_shape(inferred: Shape | None, declared: Shape | None) -> Shape | None:
    """Take the rank from a file where nothing else tells it, and no sizes.

    Whoever makes the batch of a model symbolic may leave old numbers in its middle, and a name
    says that two sizes are equal: gradients would be summed where they must not, or not where they
    must.
    """
    if inferred is not None or declared is None:
        return inferred
    return tuple(fresh_dim() for _ in declared)
