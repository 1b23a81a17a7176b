"""Emit operators into a graph, typed as they are emitted; it rewrites nothing that stands there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import index
from typing import Any

import numpy as np
from onnx.defs import OpSchema

from ..errors import GraphError, locate
from ..graph.arguments import as_array, require_text
from ..graph.ir import Graph, Node, Value
from ..graph.types import OptionalType, SequenceType, TensorType, Type, as_dtype, onnx_dtype
from ..inference.call_checks import check_bodies
from ..inference.folding import fold
from ..inference.node_types import infer_elements_of, infer_types
from ..opset import COMPOSITE_DOMAIN
from ..standard.attribute_values import DTYPES
from ..standard.schemas import (
    attribute_specs,
    by_place,
    check_call,
    check_present,
    check_types,
    formal_input,
    formal_output,
    get_schema,
)
from .outputs import Asked, count_outputs

Input = Any
"""What an operator's call accepts: a Value, an array, a number, a list of numbers, or None."""


class Ops:
    """Every ONNX operator as a method: `op.Conv(x, w, strides=[2, 2])` adds one.

    Inputs may go by the standard's names, too: `op.Clip(x, min=0.0)`, `op.ReduceSum(x, axes=[1])`.
    Numbers and arrays among the inputs become constants; a number, NumPy's too, takes the dtype of
    the values that share its type constraint, an array keeps its own. An operator with several
    outputs gives a tuple; `outputs=n` asks for the first n, a list of names for as many under these
    names ("" omits one). An attribute that holds a dtype takes its name or NumPy's dtype too:
    `op.Cast(x, to="float16")`.
    """

    def __init__(self, graph: Graph, position: int = -1, prefix: str = "") -> None:
        self.graph = graph
        self.position = position
        self.prefix = prefix
        self.emitted: list[Node] = []

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if op_type.startswith("_"):
            raise AttributeError(op_type)
        return partial(self.emit, op_type)

    def emit(
        self,
        op_type: str,
        *inputs: Input,
        outputs: Asked = None,
        domain: str = "",
        name: str | None = None,
        **attributes: Any,
    ) -> Any:
        """Add one node of a standard operator and give its output, or a tuple of several."""
        found = self.emit_all(
            op_type, *inputs, outputs=outputs, domain=domain, name=name, **attributes
        )
        return found[0] if len(found) == 1 else found

    def emit_all(
        self,
        op_type: str,
        *inputs: Input,
        outputs: Asked = None,
        domain: str = "",
        name: str | None = None,
        **attributes: Any,
    ) -> tuple[Value | None, ...]:
        """Add one node of a standard operator and give all its outputs, None for those omitted.

        Raises:
            GraphError: wrong arity, attribute, type or shape; it names operator and inputs.
            UnsupportedOpError: no such operator.
        """
        schema = get_schema(op_type, require_text(domain, "domain"))
        inputs, attributes = by_place(schema, inputs, attributes)
        if op_type == "Loop" and inputs:
            inputs = (*inputs[:1], self._condition(inputs[1:2]), *inputs[2:])
        check_present(schema, inputs)
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        attributes = {k: _attribute(schema, k, v) for k, v in attributes.items() if v is not None}
        check_call(schema, len(inputs), attributes)
        check_bodies(schema.name, len(inputs), attributes)
        values = self._values(schema, inputs)
        check_types(schema, [None if v is None else v.type for v in values])
        wanted = self._wanted(schema, outputs, values, attributes, name)
        placeholders = tuple(_PLACEHOLDER if n else None for n in wanted)
        node = Node(op_type, values, placeholders, attributes, domain, name or "", self.position)
        types = infer_types(node)
        node.outputs = tuple(
            Value(n, _known(t, schema, k, values)) if n else None
            for k, (n, t) in enumerate(zip(wanted, types, strict=False))
        )
        return self.adopt(node)

    def _condition(self, given: Sequence[Input]) -> Input:
        """Give a Loop's condition as a scalar; runtimes disagree about one that is omitted."""
        if not given or given[0] is None:
            return self.constant(True)
        (condition,) = given
        listed = isinstance(condition, Value) and isinstance(condition.type, TensorType)
        if listed and condition.shape in (None, (1,)):
            return self.Reshape(condition, np.zeros(0, np.int64))
        return condition

    def composite(
        self, op_type: str, *inputs: Input, types: Sequence[Type | None], **attributes: Any
    ) -> Any:
        """Add one composite, whose output types the caller states (None: output omitted)."""
        values = tuple(None if v is None else self.value(v) for v in inputs)
        stem = self.prefix + op_type
        names = [stem if k == 0 else f"{stem}.{k}" for k in range(len(types))]
        outputs = tuple(
            None if t is None else Value(self.graph.names.fresh(n), t)
            for n, t in zip(names, types, strict=True)
        )
        domain = COMPOSITE_DOMAIN
        found = self.adopt(Node(op_type, values, outputs, attributes, domain, "", self.position))
        return found[0] if len(found) == 1 else found

    def with_output(self, node: Node, index: int) -> Value:
        """Give output `index` of a node of this graph, added to it where the node omits it."""
        outputs = [*node.outputs, *[None] * (index + 1 - len(node.outputs))]
        present = outputs[index]
        if present is not None:
            return present
        outputs[index] = _PLACEHOLDER
        asked = replace(node, outputs=tuple(outputs))
        inferred = infer_types(asked)[index]
        schema = get_schema(node.op_type, node.domain)
        name = f"{next(node.writes()).name}.{formal_output(schema, index).name}"
        value = Value(self.graph.names.fresh(name), _known(inferred, schema, index, node.inputs))
        self.graph.add_output(node, index, value)
        return value

    def adopt(self, node: Node) -> tuple[Value | None, ...]:
        """Add a node whose outputs have names and types; follow shapes and fold constants."""
        self.graph.add_node(node)
        self.emitted.append(node)
        if not fold(node):
            infer_elements_of(node)
        return node.outputs

    def _wanted(
        self,
        schema: OpSchema,
        outputs: Asked,
        inputs: Sequence[Value | None],
        attributes: dict[str, Any],
        name: str | None,
    ) -> Sequence[str]:
        """Name the outputs that are asked for; "" for those that are omitted and may be."""
        if not isinstance(name, str | None):
            raise GraphError(f"{schema.name}: name= is a text, not {name!r}")
        count = count_outputs(schema, outputs, inputs, attributes)
        names, due = self.graph.names, partial(_is_due, schema, attributes)
        if isinstance(outputs, list | tuple):
            return [
                n or (names.fresh(f"{self.prefix}unused") if due(k) else "")
                for k, n in enumerate(outputs)
            ]
        stem = self.prefix + (name or schema.name)
        return [names.fresh(stem if k == 0 else f"{stem}.{k}") for k in range(count)]

    def constant(self, array: Any, dtype: Any = None, name: str = "constant") -> Value:
        """Add a constant: an array, a number or a list, in `dtype` where it is given."""
        data = as_array(array, None if dtype is None else np.dtype(dtype))
        value = Value(self.graph.names.fresh(name), TensorType(data.dtype, data.shape), data)
        return self.graph.add_value(value)

    def like(self, number: float, x: Value) -> Value:
        """Add a scalar constant of the dtype of `x`."""
        return self.constant(number, x.dtype)

    def value(self, given: Input, dtype: Any = None) -> Value:
        """Give a Value for whatever a call accepts."""
        if isinstance(given, Value):
            return given
        if dtype is None and not isinstance(given, np.ndarray | np.generic):
            given = as_array(given)
            dtype = np.float32 if given.dtype == np.float64 else given.dtype
        return self.constant(given, dtype)

    def _values(self, schema: OpSchema, inputs: Sequence[Input]) -> tuple[Value | None, ...]:
        met: dict[str, np.dtype] = {}
        constraints = [_constraint(schema, k) for k in range(len(inputs))]
        for constraint, given in zip(constraints, inputs, strict=True):
            if isinstance(given, Value) and isinstance(given.type, TensorType):
                met.setdefault(constraint, given.dtype)
        return tuple(
            None if given is None else self._value(schema, k, given, met.get(constraint))
            for k, (constraint, given) in enumerate(zip(constraints, inputs, strict=True))
        )

    def _value(self, schema: OpSchema, index: int, given: Input, met: np.dtype | None) -> Value:
        """Give a Value for an input; a number is read in the dtype that was met."""
        if isinstance(given, Value):
            return given
        try:
            return self.value(given, None if isinstance(given, np.ndarray) else met)
        except GraphError as error:
            locate(error, f"the input '{formal_input(schema, index).name}' of {schema.name}")
            raise


def _is_due(schema: OpSchema, attributes: Mapping[str, Any], index: int) -> bool:
    """Tell whether an output may not be omitted: onnxruntime ends the process, or refuses it."""
    if schema.name == "BatchNormalization" and attributes.get("training_mode") and index < 3:
        return True
    return formal_output(schema, index).option != OpSchema.FormalParameterOption.Optional


_WORDS = {
    OpSchema.AttrType.FLOAT: "a number",
    OpSchema.AttrType.INT: "an integer",
    OpSchema.AttrType.INTS: "a list of integers",
    OpSchema.AttrType.FLOATS: "a list of numbers",
    OpSchema.AttrType.STRING: "a text",
    OpSchema.AttrType.STRINGS: "a list of texts",
    OpSchema.AttrType.TENSOR: "an array",
    OpSchema.AttrType.SPARSE_TENSOR: "an array, zeros and all",
    OpSchema.AttrType.GRAPH: "a graph, which b.subgraph gives",
    OpSchema.AttrType.TYPE_PROTO: "a type",
}
"""The kinds of attributes that are checked, in words."""

_PLACEHOLDER = Value("", TensorType(np.dtype(np.float32)))


def _constraint(schema: OpSchema, index: int) -> str:
    return str(formal_input(schema, index).type_str)


def _attribute(schema: OpSchema, name: str, value: Any) -> Any:
    spec = attribute_specs(schema).get(name)
    if spec is None:
        return value
    if name in DTYPES and isinstance(value, str | type | np.dtype):
        return onnx_dtype(as_dtype(value))
    kinds = OpSchema.AttrType
    try:
        match spec.type:
            case kinds.FLOAT:
                return float(value)
            case kinds.INT:
                return _integer(value)
            case kinds.INTS:
                return [_integer(v) for v in value]
            case kinds.FLOATS:
                return [float(v) for v in value]
            case kinds.STRING:
                return _text(value)
            case kinds.STRINGS:
                return [_text(v) for v in _require(value, list, tuple)]
            case kinds.TENSOR | kinds.SPARSE_TENSOR:
                return as_array(value)
            case kinds.GRAPH:
                return _require(value, Graph)
            case kinds.TYPE_PROTO:
                return _require(value, TensorType, SequenceType, OptionalType)
    except OverflowError:
        raise GraphError(
            f"{schema.name}: the attribute '{name}' is too large for a file, {_shown(value)}"
        ) from None
    except (TypeError, ValueError):
        raise GraphError(
            f"{schema.name}: the attribute '{name}' must be {_WORDS[spec.type]}, "
            f"got {_shown(value)}"
        ) from None
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if "\n" not in text else f"a {type(value).__name__}"


def _integer(value: Any) -> int:
    """Read an integer of a file, which has 64 bits."""
    number = index(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _text(value: Any) -> str:
    text = _require(value, str, bytes)
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")


def _require(value: Any, *types: type) -> Any:
    if not isinstance(value, types):
        raise TypeError
    return value


def _known(
    inferred: Type | None, schema: OpSchema, index: int, inputs: Sequence[Value | None]
) -> Type:
    """Fall back on the type constraint where inference gave nothing: the dtype of its inputs."""
    if inferred is not None:
        return inferred
    constraint = formal_output(schema, index).type_str
    for k, value in enumerate(inputs):
        if value is not None and _constraint(schema, k) == constraint:
            if isinstance(value.type, TensorType):
                return TensorType(value.type.dtype, None)
            return value.type
    raise GraphError(f"ONNX cannot infer the type of output {index} of {schema.name}")
