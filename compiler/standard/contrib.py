"""Schemas of operators that are not ONNX's: onnxruntime's, and those that users register.

The rows of onnxruntime's stand in contrib_operators.py.
"""

import re
from ast import literal_eval
from collections.abc import Iterator
from functools import cache

from onnx import helper
from onnx.defs import OpSchema

from ..errors import GraphError
from ..graph.ir import Node
from .contrib_operators import MICROSOFT, ONNX

DOMAIN = "com.microsoft"

BLOCKED_DOMAIN = "com.microsoft.nchwc"
"""What onnxruntime's optimizer writes beyond its extended level; it has no schemas here."""

_FLOATS = ("float16", "float", "double", "bfloat16")
_BYTES = ("int8", "uint8")
_NUMBERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_CLASSES = {
    "floats": _FLOATS,
    "bytes": _BYTES,
    "any": (*_FLOATS, *_NUMBERS, "bool", "string"),
}
"""Words for several types."""

_ROW = re.compile(r"(\w+)\((.*?)(?:; (.*))?\) -> (.*?)(?: where (.*))?")
_SINGLE = ("int", "float", "string", "tensor", "graph")
_KINDS = (*_SINGLE, *(f"{kind}s" for kind in _SINGLE))
"""The types of attributes."""

_UNKNOWN_TYPE = re.compile(r".*invalid data type string ('[^']*').*", re.DOTALL)
"""How onnx says it."""

REGISTERED: dict[tuple[str, str], OpSchema] = {}
"""The schemas of users' operators, by domain and operator."""


def is_contrib(node: Node) -> bool:
    """Tell whether a node's operator is none of ONNX's, but onnxruntime's or a user's."""
    return find_contrib(node.op_type, node.domain) is not None


def is_registered(node: Node) -> bool:
    """Tell whether a node's operator is a user's."""
    return (node.domain, node.op_type) in REGISTERED


def find_contrib(op_type: str, domain: str) -> OpSchema | None:
    """Give the schema of an operator that is none of ONNX's, None for any other."""
    key = (domain, op_type)
    return contrib_schemas().get(key) or REGISTERED.get(key)


@cache
def contrib_schemas() -> dict[tuple[str, str], OpSchema]:
    """Give the schemas of onnxruntime's by domain and operator."""
    return {
        (domain, schema.name): schema
        for domain, text in ((DOMAIN, MICROSOFT), ("", ONNX))
        for schema in _read(domain, text)
    }


def read_row(row: str) -> OpSchema:
    """Read a row such as "acme.Swish(x: T; beta=1.0) -> y: T where T: floats".

    Raises:
        GraphError: it is none.
    """
    call, _, rest = row.partition("(")
    domain, _, name = call.strip().rpartition(".")
    typed = rest.partition(" where ")[2]
    free = sorted(set(re.findall(r": ([A-Z]\w*)", rest)) - set(re.findall(r"(\w+): ", typed)))
    constraints = [*([typed] if typed else []), *(f"{letter}: any" for letter in free)]
    where = f" where {', '.join(constraints)}" if constraints else ""
    try:
        (schema,) = _read(domain, f"{name}({rest.partition(' where ')[0]}{where}")
    except Exception as error:  # onnx's own has no base, and a row may be wrong in any way
        wrong = _UNKNOWN_TYPE.sub(r"there is no type \1", str(error))
        raise GraphError(
            f"{row!r} is no schema; write one as 'acme.Swish(x: T, scale?: T; beta=1.0, axis: int) "
            f"-> y: T where T: floats': {wrong}"
        ) from None
    for what, names in (
        ("inputs", [v.name for v in schema.inputs]),
        ("outputs", [v.name for v in schema.outputs]),
    ):
        if len(set(names)) < len(names):
            raise GraphError(f"{row!r}: two {what} have the same name; give each its own")
    return schema


def _read(domain: str, text: str) -> Iterator[OpSchema]:
    for row in re.split(r"\n(?=\S)", text.strip()):
        found = _ROW.fullmatch(" ".join(row.split()))
        if found is None:
            raise GraphError("there is no '(…) -> …' after a name")
        name, inputs, given, outputs, where = found.groups()
        attributes = [_attribute(a) for a in (given or "").split(", ") if a]
        if len({a.name for a in attributes}) < len(attributes):
            raise GraphError("two attributes have the same name")
        yield OpSchema(
            name,
            domain,
            1,
            inputs=[_parameter(p) for p in inputs.split(", ")],
            outputs=[_parameter(p) for p in outputs.split(", ")],
            type_constraints=[_constraint(c) for c in (where or "").split(", ") if c],
            attributes=attributes,
        )


def _parameter(text: str) -> OpSchema.FormalParameter:
    name, kind = _halves(text)
    option = OpSchema.FormalParameterOption.Single
    if name.endswith("?"):
        option = OpSchema.FormalParameterOption.Optional
    elif name.endswith("..."):
        option = OpSchema.FormalParameterOption.Variadic
    variadic = option == OpSchema.FormalParameterOption.Variadic
    return OpSchema.FormalParameter(
        name.rstrip("?."),
        kind if kind[0].isupper() else f"tensor({kind})",
        param_option=option,
        is_homogeneous=not variadic,
    )


def _constraint(text: str) -> tuple[str, list[str], str]:
    name, kinds = _halves(text)
    types = [t for kind in kinds.split() for t in _CLASSES.get(kind, (kind,))]
    return name, [f"tensor({t})" for t in types], ""


def _attribute(text: str) -> OpSchema.Attribute:
    if "=" in text:
        name, _, default = text.partition("=")
        try:
            made = helper.make_attribute(name, literal_eval(default))
        except (ValueError, SyntaxError, TypeError):
            raise GraphError(
                f"the default of '{name}' is a number, a text in quotes or a list of them, not "
                f"{default}"
            ) from None
        return OpSchema.Attribute(name, made)
    name, kind = _halves(text)
    required = name.endswith("!")
    name = name.rstrip("!")
    if kind not in _KINDS:
        raise GraphError(f"the attribute '{name}' is of a type {', '.join(_KINDS)}, not {kind}")
    return OpSchema.Attribute(name, getattr(OpSchema.AttrType, kind.upper()), required=required)


def _halves(text: str) -> tuple[str, str]:
    """Give the name and the type of what is written as "name: type"."""
    name, _, kind = text.partition(": ")
    if not name or not kind:
        raise GraphError(f"write 'name: type' in place of '{text}'")
    return name, kind
