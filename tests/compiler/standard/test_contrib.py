"""The rows of onnxruntime's own operators say what onnxruntime itself says of them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import onnx
import pytest
from onnx.defs import OpSchema
from onnxruntime.capi import (
    onnxruntime_pybind11_state as native,  # pyright: ignore[reportAttributeAccessIssue]  # no stubs
)

from onnxgrad.compiler.composites.expand import has_body
from onnxgrad.compiler.graph.ir import Node
from onnxgrad.compiler.standard.contrib import contrib_schemas, find_contrib
from onnxgrad.compiler.standard.schemas import attribute_value

KEYS = sorted(contrib_schemas())


@cache
def all_of_theirs() -> dict[tuple[str, str], Any]:
    schemas = native.get_all_operator_schema()
    return {(s.domain, s.name): s for s in schemas if s.since_version == 1}


def theirs(domain: str, op_type: str) -> Any:
    return all_of_theirs()[domain, op_type]


def parameters(listed: Any) -> Iterator[tuple[str, str, str]]:
    for p in listed:
        kind = p.type_str if isinstance(p, OpSchema.FormalParameter) else p.typeStr
        yield p.name, kind, str(p.option).rpartition(".")[2]


def default(attribute: Any) -> Any:
    if isinstance(attribute, OpSchema.Attribute):
        proto = attribute.default_value
    else:
        proto = onnx.AttributeProto.FromString(attribute._default_value)
    return attribute_value(proto) if proto.type else None


@pytest.mark.parametrize("key", KEYS, ids=".".join)
def test_a_row_is_what_onnxruntime_says(key: tuple[str, str]) -> None:
    ours, others = find_contrib(key[1], key[0]), theirs(*key)
    assert ours is not None
    assert list(parameters(ours.inputs)) == list(parameters(others.inputs))
    assert list(parameters(ours.outputs)) == list(parameters(others.outputs))
    given: Any = ours.attributes
    assert given.keys() == others.attributes.keys()
    for name, attribute in given.items():
        other = others.attributes[name]
        assert attribute.type.name == str(other.type).rpartition(".")[2], name
        assert attribute.required == other.required, name
        assert default(attribute) == default(other), name


@pytest.mark.parametrize("key", KEYS, ids=".".join)
def test_a_row_allows_every_type_that_onnxruntime_allows(key: tuple[str, str]) -> None:
    ours, others = find_contrib(key[1], key[0]), theirs(*key)
    assert ours is not None
    allowed = {c.type_param_str: set(c.allowed_type_strs) for c in ours.type_constraints}
    for constraint in others.type_constraints:
        wanted = {t for t in constraint.allowed_type_strs if "complex" not in t}
        assert wanted <= allowed[constraint.type_param_str], constraint.type_param_str


@pytest.mark.parametrize("key", KEYS, ids=".".join)
def test_every_row_has_a_body(key: tuple[str, str]) -> None:
    assert has_body(Node(key[1], (), (), {}, key[0]))
