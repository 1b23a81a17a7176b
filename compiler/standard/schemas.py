"""What ONNX's own schemas say of an operator: attributes, arity, defaults; it decides nothing."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import onnx
from onnx.defs import OpSchema

from ..errors import GraphError, UnsupportedOpError
from ..graph.ir import Node
from ..graph.names import nearest
from ..graph.types import Type, type_string
from ..graph.wording import counted
from ..opset import OPSET
from .attribute_values import check_values
from .contrib import DOMAIN as CONTRIB_DOMAIN
from .contrib import REGISTERED, contrib_schemas, find_contrib

DOMAIN_VERSIONS = {
    "": OPSET,
    "ai.onnx.ml": 5,
    "ai.onnx.preview.training": 1,
    "ai.onnx.preview": 1,
    CONTRIB_DOMAIN: 1,
}
"""Versions of the domains that operators have inside the compiler."""


@cache
def find_schema(op_type: str, domain: str = "", version: int | None = None) -> OpSchema | None:
    """Give an operator's schema at a version of its domain (ours by default), None if unknown."""
    version = last_version(op_type, domain) if version is None else version
    if version is None:
        return None
    if (contrib := find_contrib(op_type, domain)) is not None:
        return contrib
    try:
        found = onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return None
    return None if found.deprecated else found


def add_schema(schema: OpSchema) -> None:
    """Make an operator known that is none of ONNX's, or one of that name known anew."""
    REGISTERED[schema.domain, schema.name] = schema
    known = DOMAIN_VERSIONS.get(schema.domain, 1)
    DOMAIN_VERSIONS[schema.domain] = max(schema.since_version, known)
    for function in (find_schema, last_version, _names, attribute_defaults):
        function.cache_clear()


@cache
def last_version(op_type: str, domain: str) -> int | None:
    """Give the version of its domain that an operator has inside the compiler, None if unknown.

    That is ours, but for tree ensembles: what replaced them in version 5 of ai.onnx.ml cannot
    express them, so they stay at the version before.
    """
    version = DOMAIN_VERSIONS.get(domain)
    if version is None or domain != "ai.onnx.ml":
        return version
    try:
        found = onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return version
    return found.since_version - 1 if found.deprecated else version


def get_schema(op_type: str, domain: str = "") -> OpSchema:
    """Give an operator's schema at our version; an error proposes close names."""
    found = find_schema(op_type, domain)
    if found is not None:
        return found
    names = _names(domain)
    close = [n for n in names if n.casefold() == str(op_type).casefold()]
    close = close or nearest(op_type, names)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    where = f"opset {OPSET}" if not domain else f"the domain '{domain}'"
    own = bool(domain) and domain != CONTRIB_DOMAIN and not domain.startswith("ai.onnx")
    who = "there is" if own else "ONNX has"
    if own:
        hint += f"; og.register_operator('{domain}.{op_type}(…) -> …') makes it known"
    raise UnsupportedOpError(f"{who} no operator '{op_type}' in {where}{hint}", [op_type])


@cache
def _names(domain: str) -> list[str]:
    names = {s.name for s in onnx.defs.get_all_schemas() if s.domain == domain}
    added = {name for d, name in (*contrib_schemas(), *REGISTERED) if d == domain and d}
    return sorted(names | added)


def operator_names(domain: str = "") -> list[str]:
    """List the live operators of a domain."""
    return [name for name in _names(domain) if find_schema(name, domain) is not None]


@cache
def attribute_defaults(op_type: str, domain: str = "") -> dict[str, Any]:
    """Give the default of each attribute that has one, as Python values."""
    schema = find_schema(op_type, domain)
    if schema is None:
        return {}
    return {
        name: attribute_value(spec.default_value)
        for name, spec in attribute_specs(schema).items()
        if spec.default_value.type
    }


def attribute(node: Node, name: str) -> Any:
    """Give a node's attribute, or the standard's default for it: None where it has none."""
    if name in node.attributes:
        return node.attributes[name]
    return attribute_defaults(node.op_type, node.domain).get(name)


def attribute_value(proto: onnx.AttributeProto) -> Any:
    """Read an attribute that holds no graph; strings are decoded, tensors are arrays."""
    value = onnx.helper.get_attribute_value(proto)
    kinds = onnx.AttributeProto
    match proto.type:
        case kinds.STRING:
            return value.decode("utf-8", "surrogateescape")
        case kinds.STRINGS:
            return [v.decode("utf-8", "surrogateescape") for v in value]
        case kinds.TENSOR:
            return onnx.numpy_helper.to_array(value)
        case kinds.TENSORS:
            return [onnx.numpy_helper.to_array(v) for v in value]
        case kinds.INTS | kinds.FLOATS:
            return list(value)
        case _:
            return value


def has_maps(op_type: str, domain: str) -> bool:
    """Tell whether an input or output of an operator can be nothing but a map, or maps."""
    schema = find_schema(op_type, domain)
    if schema is None:
        return False
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    kinds = [allowed.get(p.type_str, [p.type_str]) for p in (*schema.inputs, *schema.outputs)]
    return any(all("map(" in kind for kind in group) for group in kinds)


def formal_input(schema: OpSchema, index: int) -> OpSchema.FormalParameter:
    """Give what an operator says of an input; the last one may stand for several."""
    formal = _formal_inputs(schema)
    return formal[min(index, len(formal) - 1)]


def formal_output(schema: OpSchema, index: int) -> OpSchema.FormalParameter:
    """Give what an operator says of an output; the last one may stand for several."""
    formal = _formal_outputs(schema)
    return formal[min(index, len(formal) - 1)]


@cache
def attribute_specs(schema: OpSchema) -> Mapping[str, Any]:  # onnx types only half of OpSchema
    """Give what an operator says of each of its attributes, by name."""
    return dict(schema.attributes)


@cache
def _formal_inputs(schema: OpSchema) -> tuple[OpSchema.FormalParameter, ...]:
    return tuple(schema.inputs)  # each time that it is asked it makes them anew


@cache
def _formal_outputs(schema: OpSchema) -> tuple[OpSchema.FormalParameter, ...]:
    return tuple(schema.outputs)


def by_place(
    schema: OpSchema | None, inputs: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Put inputs that are given by their names, as `min` of Clip, in their places; give the rest.

    Raises:
        GraphError: an input is given twice.
    """
    places = {} if schema is None or not keywords else _input_places(schema)
    named = {places[k]: v for k, v in keywords.items() if k in places}
    if not named:
        return tuple(inputs), dict(keywords)
    if twice := [k for k in keywords if places.get(k, len(inputs)) < len(inputs)]:
        assert schema is not None
        raise GraphError(f"{schema.name} is given '{twice[0]}' twice: {signature(schema)}")
    missing = range(len(inputs), max(named) + 1)
    rest = {k: v for k, v in keywords.items() if k not in places}
    return (*inputs, *(named.get(k) for k in missing)), rest


@cache
def _input_places(schema: OpSchema) -> dict[str, int]:
    """Give the place of each input that stands for one value."""
    variadic = OpSchema.FormalParameterOption.Variadic
    return {p.name: k for k, p in enumerate(schema.inputs) if p.option != variadic}


def check_present(schema: OpSchema, inputs: Sequence[object]) -> None:
    """Refuse None for an input that an operator cannot do without."""
    for k, given in enumerate(inputs[: schema.max_input]):
        formal = formal_input(schema, k)
        if given is None and formal.option != OpSchema.FormalParameterOption.Optional:
            raise GraphError(
                f"{schema.name} cannot omit its input '{formal.name}', got None: "
                f"{signature(schema)}"
            )


def without_omitted(schema: OpSchema | None, inputs: Sequence[Any]) -> Sequence[Any]:
    """Give inputs without the omitted ones at their end, but those that a call must hold room for.

    Loop takes a count and a condition first: both may be omitted, and both are counted.
    """
    option = OpSchema.FormalParameterOption
    counted = schema.min_input if schema is not None else 0
    while inputs and inputs[-1] is None:
        last = len(inputs) - 1
        if last < counted and schema is not None and schema.inputs[last].option == option.Optional:
            break
        inputs = inputs[:-1]
    return inputs


def check_call(schema: OpSchema, inputs: int, attributes: dict[str, Any]) -> None:
    """Refuse a wrong number of inputs, and attributes that the operator lacks or that cannot be."""
    if not schema.min_input <= inputs <= schema.max_input:
        raise GraphError(
            f"{schema.name} takes {number_of(schema.min_input, schema.max_input, 'input')}, "
            f"got {inputs}: {signature(schema)}"
        )
    specs = attribute_specs(schema)
    for name in attributes:
        if name not in specs:
            raise GraphError(f"{schema.name} has no attribute '{name}': {signature(schema)}")
    for name, spec in specs.items():
        if spec.required and name not in attributes:
            raise GraphError(f"{schema.name} needs the attribute '{name}': {signature(schema)}")
    check_values(schema, attributes)


def check_types(schema: OpSchema, types: Sequence[Type | None]) -> None:
    """Refuse inputs of types that the operator does not take, or that must be equal and differ."""
    kinds = tuple(None if t is None else type_string(t) for t in types)
    if (reason := _type_conflict(schema, kinds)) is not None:
        given = ", ".join("–" if t is None else str(t) for t in types)
        raise GraphError(f"{schema.name}({given}) does not fit {signature(schema)}: {reason}")


@cache
def _type_conflict(schema: OpSchema, kinds: tuple[str | None, ...]) -> str | None:
    """Tell why inputs of these types do not fit an operator, None where they do."""
    allowed = allowed_types(schema)
    met: dict[str, str] = {}
    for k, given in enumerate(kinds):
        if given is None:
            continue
        formal = formal_input(schema, k)
        constraint = formal.type_str
        if given not in allowed.get(constraint, (constraint,)):
            return f"{formal.name} cannot be {given}"
        if formal.is_homogeneous and met.setdefault(constraint, given) != given:
            return f"{met[constraint]} and {given} must be one type ({constraint}); use Cast"
    return None


@cache
def allowed_types(schema: OpSchema) -> Mapping[str, frozenset[str]]:
    """Give the types that each of an operator's type constraints allows, as `type_string` does."""
    return {c.type_param_str: frozenset(c.allowed_type_strs) for c in schema.type_constraints}


def signature(schema: OpSchema) -> str:
    """Write an operator's call: "Conv(X, W, B?; auto_pad, dilations, …)"."""
    option = OpSchema.FormalParameterOption
    marks = {option.Optional: "?", option.Variadic: "…"}
    inputs = ", ".join(p.name + marks.get(p.option, "") for p in schema.inputs)
    attributes = ", ".join(sorted(schema.attributes))
    return f"{schema.name}({inputs}{'; ' + attributes if attributes else ''})"


def number_of(least: int, most: int, noun: str) -> str:
    """Write a range of numbers as a sentence has it: "1 input", "1 to 3 inputs"."""
    if least == most:
        return counted(least, noun)
    return f"{least} or more {noun}s" if most > 1000 else f"{least} to {most} {noun}s"
