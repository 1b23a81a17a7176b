"""Bodies and gradients as users write them: functions of tensors, held against what they claim."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx.defs import OpSchema

from onnxgrad.compiler.composites.registry import Body, types_by_body
from onnxgrad.compiler.differentiation.rules import Entry, RuleFunction, has_chosen_gradient
from onnxgrad.compiler.emission.broadcasting import reduce_to
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GradientError, GraphError, OnnxgradError, locate
from onnxgrad.compiler.graph.dims import shapes_may_equal
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType, Type, type_string
from onnxgrad.compiler.standard.schemas import attribute_defaults, find_schema, formal_output

from ..building.builder import Builder, Tensor

_NO_SIZE = 2**40
"""No tensor has so many elements along an axis: a Reshape to it fails."""


class RuleBuilder(Builder):
    """Lets a function of tensors emit where the compiler is at work."""

    def __init__(self, op: Ops) -> None:
        super().__init__()
        self._emitter = op
        self._graph = op.graph
        self._open, self._graphs = [op.graph], [op.graph]

    def emitter(self) -> Ops:
        """Give the compiler's own emitter, unless a subgraph is under construction."""
        inner = self._open[-1]
        return self._emitter if inner is self._graph else Ops(inner, prefix=self._emitter.prefix)

    def tensor(self, value: Value | None) -> Tensor | None:
        """Give a tensor for a value, None for one that is omitted."""
        return None if value is None else Tensor(self, value)

    def _reaches(self, value: Value) -> bool:
        return True  # a rule may read what stands outside of a branch or a loop


@dataclass(frozen=True)
class Call:
    """A node whose gradient is asked for: what it read, what it gave, and how it was called.

    Attributes:
        inputs: its inputs, None for those omitted.
        outputs: its outputs, None for those omitted.
        attributes: its attributes by name, defaults included.
    """

    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor | None, ...]
    attributes: dict[str, Any]


def name_of(function: Any) -> str:
    """Name a user's function in messages."""
    return str(getattr(function, "__qualname__", function))


def attributes_of(node: Node) -> dict[str, Any]:
    """Give a node's attributes, the schema's defaults where it has none."""
    return attribute_defaults(node.op_type, node.domain) | node.attributes


def as_body(function: Callable[..., Any]) -> Body:
    """Let `function(op, *inputs, **attributes)` be the body of an operator."""

    def body(op: Ops, node: Node) -> Sequence[Value | None]:
        builder = RuleBuilder(op)
        inputs = [builder.tensor(v) for v in node.inputs]
        who = f"the body {name_of(function)} of {node.operator}"
        found = _told(who, function, builder.op, *inputs, **attributes_of(node))
        if found is None:
            raise GraphError(f"{who} returned nothing; it gives a tensor for each output")
        results = list(found) if isinstance(found, tuple | list) else [found]
        _require_count(node, results, f"{who} gave {len(results)} outputs")
        for output, result in zip(node.outputs, results, strict=False):
            if output is not None and result is None:
                raise GraphError(f"{who} gave None for '{output.name}', which is asked for")
        values = [None if r is None else value_of(builder, r, who) for r in results]
        if not has_chosen_gradient(node):
            return values
        return [None if v is None else _kept(op, v) for v in values]

    return body


def _kept(op: Ops, value: Value) -> Value:
    """Mark what stands for an operator whose gradient was chosen, for who reads the file."""
    kept: Value = op.composite("ChosenGradient", value, types=[value.type])
    return kept


def as_types(function: Callable[..., Any]) -> Callable[[Node], list[Type | None]]:
    """Give the types that a body gives, held against the schema."""
    body = as_body(function)

    def types(node: Node) -> list[Type | None]:
        found = types_by_body(body, node)
        schema = find_schema(node.op_type, node.domain)
        assert schema is not None
        for k, type_ in enumerate(found[: len(node.outputs)]):
            _require_allowed(schema, node, k, type_, f"the body {name_of(function)}")
        return found

    return types


def as_shapes(function: Callable[..., Any]) -> Callable[[Node], list[Type | None]]:
    """Give the types whose shapes `function(*shapes, **attributes)` gives, by the schema."""

    def types(node: Node) -> list[Type | None]:
        schema = find_schema(node.op_type, node.domain)
        assert schema is not None
        shapes = [v.shape if v is not None and _is_tensor(v) else None for v in node.inputs]
        who = f"the shapes {name_of(function)} of {node.operator}"
        found = _told(who, function, *shapes, **attributes_of(node))
        several = isinstance(found, list)
        listed = found if several else [found]
        _require_count(node, listed, f"{who} gave {len(listed)} shapes")
        for shape in listed:
            if not (shape is None or isinstance(shape, tuple)):
                raise GraphError(f"{who} gave {shape!r}; a shape is a tuple, or None")
        return [_typed(schema, node, k, shape) for k, shape in enumerate(listed)]

    return types


def _require_count(node: Node, given: Sequence[Any], said: str) -> None:
    """Refuse fewer than are asked for, or more than there can be."""
    schema = find_schema(node.op_type, node.domain)
    assert schema is not None
    if not len(node.outputs) <= len(given) <= schema.max_output:
        raise GraphError(f"{said}, not {len(node.outputs)}")


def without_types(node: Node) -> list[Type | None]:
    """State nothing: the type of an output is that of the inputs that share its constraint."""
    return [None for _ in node.outputs]


def as_rule(function: Callable[..., Any], broadcasts: bool) -> RuleFunction:
    """Let `function(op, call, *dys)` be the gradient of an operator, and check what it gives.

    With `broadcasts` it is summed to the inputs' shapes first.
    """

    def rule(op: Ops, node: Node, *dys: Value | None) -> list[Entry]:
        builder = RuleBuilder(op)
        inputs, outputs = (tuple(map(builder.tensor, part)) for part in (node.inputs, node.outputs))
        call = Call(inputs, outputs, attributes_of(node))
        who = f"the gradient {name_of(function)} of {node.operator}"
        found = _told(who, function, builder.op, call, *map(builder.tensor, dys))
        if found is None:
            zero = ", ".join("None" for _ in node.inputs) + "," * (len(node.inputs) == 1)
            raise GradientError(
                f"{who} returned nothing; give one gradient for each input, ({zero}) where it is "
                "zero by all"
            )
        listed = list(found) if isinstance(found, tuple | list) else [found]
        if len(listed) != len(node.inputs):
            raise GradientError(
                f"{who} gave {len(listed)} gradients for {len(node.inputs)} inputs; it gives one "
                "for each, None where it is zero"
            )
        pairs = zip(node.inputs, listed, strict=True)
        return [_entry(builder, who, value, given, broadcasts) for value, given in pairs]

    return rule


def value_of(builder: Builder, given: Any, who: str) -> Value:
    """Give the value of a tensor that a user's function returned."""
    if isinstance(given, Tensor):
        return given.value
    if isinstance(given, np.ndarray | np.generic | float | int):
        return builder.constant(given).value
    raise GraphError(f"{who} gave {type(given).__name__}; it gives tensors")


def _entry(
    builder: RuleBuilder, who: str, value: Value | None, given: Any, broadcasts: bool
) -> Entry:
    """Give the gradient of one input, of which dtype and shape are sure."""
    if value is None or given is None:
        return None
    entry, op = value_of(builder, given, who), builder.emitter()
    if not isinstance(value.type, TensorType):
        return entry
    wrong = f"{who} gave {entry.type} for '{value.name}', which is {value.type}"
    if not _is_tensor(entry) or entry.dtype != value.dtype:
        raise GradientError(wrong)
    if broadcasts:
        entry = reduce_to(op, entry, value)
    if not shapes_may_equal(entry.shape, value.shape):
        raise GradientError(f"{wrong}; sum what was broadcast")
    if entry.shape is not None and entry.shape == value.shape:
        return entry
    if entry.rank is None or value.rank is None:
        return entry
    shape: Value = op.Shape(value)
    fitting = op.Where(op.Equal(op.Shape(entry), shape), shape, np.array(_NO_SIZE))
    found: Value = op.Reshape(entry, fitting, allowzero=1, name=f"{who} gave another shape")
    return found


def _told(who: str, function: Callable[..., Any], *given: Any, **attributes: Any) -> Any:
    """Call a user's function; an error names it."""
    try:
        return function(*given, **attributes)
    except OnnxgradError as error:
        locate(error, f"in {who}")
        raise
    except Exception as error:  # whatever a user's code raises
        raise GraphError(f"{who} failed: {type(error).__name__}: {error}") from error


def _typed(schema: OpSchema, node: Node, index: int, shape: Any) -> Type | None:
    """Give an output's type: the dtype of its constraint, as the inputs have it."""
    wanted = formal_output(schema, index).type_str
    for formal, value in zip(schema.inputs, node.inputs, strict=False):
        if value is not None and formal.type_str == wanted and _is_tensor(value):
            return TensorType(value.dtype, shape)
    return None


def _require_allowed(
    schema: OpSchema, node: Node, index: int, type_: Type | None, who: str
) -> None:
    formal = formal_output(schema, index)
    if type_ is None:
        return
    expected = _typed(schema, node, index, None)
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    fits = type_string(type_) in allowed.get(formal.type_str, [formal.type_str])
    if formal.is_homogeneous and isinstance(expected, TensorType) and isinstance(type_, TensorType):
        fits = fits and expected.dtype == type_.dtype
    if not fits:
        raise GraphError(
            f"{who} of {node.operator} gave {type_} for '{formal.name}', which its schema has as "
            f"{formal.type_str}"
        )


def _is_tensor(value: Value) -> bool:
    return isinstance(value.type, TensorType)


def emit_into(graph: Graph, function: Callable[..., Any], inputs: Sequence[Value]) -> list[Value]:
    """Emit what a function of tensors gives into a graph."""
    builder = RuleBuilder(Ops(graph))
    who = f"the function {name_of(function)}"
    found = _told(who, function, builder.op, *(Tensor(builder, v) for v in inputs))
    return [value_of(builder, r, who) for r in (found if isinstance(found, tuple) else (found,))]
