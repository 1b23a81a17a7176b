"""Say a graph in the operators of an older opset; it relabels what fits and guesses nothing."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from onnx.defs import OpSchema

from ..composites.expand import has_body
from ..emission.ops import Ops
from ..errors import GraphError, UnsupportedOpError
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_within
from ..graph.types import TensorType, type_string
from ..graph.wording import counted
from ..opset import COMPOSITE_DOMAIN, OPSET
from ..standard.attribute_values import check_values
from ..standard.protos import PASSED_ON
from ..standard.schemas import (
    allowed_types,
    attribute_defaults,
    attribute_specs,
    attribute_value,
    check_types,
    find_schema,
    formal_input,
    formal_output,
    number_of,
)
from . import axes
from .downgrades import DOWNGRADES, MEANING_SINCE
from .spellings.calls import SPELLINGS
from .spellings.double import is_said_in_double, say_in_double
from .spellings.kernel_bodies import is_said_by_body
from .spellings.kernels import say_otherwise

OLDEST = 7
"""The oldest opset that is written: before it, broadcasting was another one."""

HALVES_SINCE = 13
"""The first opset in which Cast knows bfloat16."""


Expand = Callable[[Graph, Node], object]
"""Replaces a node by its body, or by the call of a function."""


def lower(graph: Graph, opset: int, expand: Expand) -> None:
    """Bring every node to the opset, in place: as it is, rewritten, or by its body.

    Composites are always expanded.

    Raises:
        GraphError: there is no such opset.
        UnsupportedOpError: operators that this opset cannot express; all of them at once.
    """
    if not isinstance(opset, int) or not OLDEST <= opset <= OPSET:
        raise GraphError(f"opset {opset!r} cannot be written; choose one from {OLDEST} to {OPSET}")
    refused: dict[str, str] = {}
    _lower(graph, opset, expand, refused)
    if refused:
        listed = "; ".join(refused.values())
        operators = sorted({key.partition(" ")[0] for key in refused})
        raise UnsupportedOpError(f"opset {opset} cannot express {listed}", operators)


def spell_foreign(graph: Graph, expand: Expand, foreign: Callable[[Node], bool]) -> None:
    """Replace operators that a runtime does not know by their bodies, in place."""
    for node in graph.nodes():
        run_within(partial(spell_foreign, expand=expand, foreign=foreign), graph, node)
        if foreign(node) and has_body(node) and not _is_known(graph, node):
            expand(graph, node)


def _lower(graph: Graph, opset: int, expand: Expand, refused: dict[str, str]) -> None:
    lower_inside = partial(_lower, opset=opset, expand=expand, refused=refused)
    pending = graph.nodes()
    while pending:
        for node in pending:
            if node.domain != COMPOSITE_DOMAIN:  # its body comes along in what it is expanded to
                run_within(lower_inside, graph, node)
        pending += [n for node in pending for n in _respell(graph, node)]
        before = set(graph.nodes())
        for node in pending:
            if node not in before:
                continue  # another spelling took its place
            if node.operator in _PASSED_ON:
                _write_derivative(node)
            elif node.domain == COMPOSITE_DOMAIN:
                expand(graph, node)
            else:
                _lower_node(graph, node, opset, expand, refused)
        pending = [n for n in graph.nodes() if n not in before]


_PASSED_ON = {f"{COMPOSITE_DOMAIN}.{name}" for name in PASSED_ON}


def _write_derivative(node: Node) -> None:
    """Write a composite that passes its input on as an Identity whose metadata names it."""
    node.op_type, node.domain, node.derivative = "Identity", "", node.op_type


def _respell(graph: Graph, node: Node) -> list[Node]:
    """Write a call so that every reader understands it; give the nodes that this adds."""
    respell = None if node.domain else SPELLINGS.get(node.op_type)
    if respell is None or _is_known(graph, node) or (is_said_by_body(node) and has_body(node)):
        return []
    op = Ops(graph, node.position, f"{node.title}/")
    if respell(op, node):
        graph.reconnect(node)
    return op.emitted


def _is_known(graph: Graph, node: Node) -> bool:
    """Tell whether what a node gives will stand as constants."""
    return all(v.constant is not None and v not in graph.outputs for v in node.writes())


def _lower_node(
    graph: Graph, node: Node, opset: int, expand: Expand, refused: dict[str, str]
) -> None:
    if _is_known(graph, node):
        return
    prefix = f"{node.title}/"
    op = Ops(graph, node.position, prefix)
    if opset < axes.SINCE and not node.domain:
        axes.count_from_front(node)
    if is_said_in_double(node):
        say_in_double(op, node)
        return
    if say_otherwise(op, node):
        return
    if is_said_by_body(node) and has_body(node):
        with suppress(UnsupportedOpError):  # a setting for which there is no body
            expand(graph, node)
            return
    if (reason := misfit(node, opset)) is None:
        relabel(node, opset)
        return
    for since, rewrite in DOWNGRADES.get(node.op_type, ()) if not node.domain else ():
        if opset < since and rewrite(op, node):
            graph.reconnect(node)
            reason = _misfit_signature(node, opset)
            if reason is None:
                relabel(node, opset)
                return
    if has_body(node):
        try:
            expand(graph, node)
            return
        except UnsupportedOpError:
            pass  # no body for these types
    if _through_float32(op, node, opset):
        return
    name = node.title
    lowest = next((v for v in range(opset + 1, OPSET + 1) if misfit(node, v) is None), None)
    advice = f"; opset {lowest} can" if lowest else ""
    refused[f"{node.operator} {name}"] = f"{node.operator} '{name}' ({reason}{advice})"


def _through_float32(op: Ops, node: Node, opset: int) -> bool:
    """Compute in float32 what the opset cannot in bfloat16: Cast(op(Cast(x)))."""
    half, single = np.dtype("bfloat16"), np.dtype(np.float32)
    if opset < HALVES_SINCE or node.op_type == "Cast" or node.subgraphs:
        return False
    if not any(v is not None and _dtype(v) == half for v in node.inputs):
        return False
    wide = [op.Cast(v, to="float32") if v and _dtype(v) == half else v for v in node.inputs]
    fresh = op.graph.names.fresh
    names = [fresh(f"{op.prefix}wide{k}") if v else "" for k, v in enumerate(node.outputs)]
    results = op.emit(node.op_type, *wide, outputs=names, domain=node.domain, **node.attributes)
    listed = [results] if len(names) == 1 else results
    inner = op.emitted[-1]
    if misfit(inner, opset) is not None:
        op.graph.remove(inner)
        return False
    for value, result in zip(node.outputs, listed, strict=True):
        if value is not None:
            narrow = _dtype(value) == half and _dtype(result) == single
            new = op.Cast(result, to="bfloat16") if narrow else op.Identity(result)
            op.graph.redirect(new, value)
    op.graph.remove(node)
    return True


def _dtype(value: Value) -> np.dtype | None:
    return value.type.dtype if isinstance(value.type, TensorType) else None


def misfit(node: Node, opset: int) -> str | None:
    """Tell why a node cannot stand as it is at an opset, None where it can."""
    if not node.domain and opset < (since := MEANING_SINCE.get(node.op_type, 0)):
        if find_schema(node.op_type, "", opset) is not None:
            return f"it meant something else before opset {since}"
    return _misfit_signature(node, opset)


def _misfit_signature(node: Node, opset: int) -> str | None:
    if node.domain:
        return None
    now, then = find_schema(node.op_type), find_schema(node.op_type, "", opset)
    if now is None or then is None:
        return "the opset has no such operator"
    if opset < axes.SINCE and not axes.count_from_front(node):
        return "its axes count from the end of a rank that is unknown"
    if now.since_version == then.since_version:
        return None
    defaults, specs = attribute_defaults(node.op_type), attribute_specs(then)
    for name, value in node.attributes.items():
        if name not in specs and not _equal(value, defaults.get(name)):
            return f"its attribute '{name}' is newer"
    for name, spec in specs.items():
        if spec.required and name not in node.attributes and name not in defaults:
            return f"it needs the attribute '{name}' there"
    return _misfit_values(node, then)


def _misfit_values(node: Node, schema: OpSchema) -> str | None:
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        return f"it takes {number_of(schema.min_input, schema.max_input, 'input')} there"
    if len(node.outputs) > schema.max_output:
        return f"it has {counted(schema.max_output, 'output')} there"
    optional = OpSchema.FormalParameterOption.Optional
    for k, value in enumerate(node.inputs):
        parameter = formal_input(schema, k)
        if value is None and parameter.option != optional:
            return f"it needs the input '{parameter.name}' there"
    specs = attribute_specs(schema)
    known = {k: a for k, a in node.attributes.items() if k in specs}
    try:
        check_values(schema, known)
        check_types(schema, [None if v is None else v.type for v in node.inputs])
    except GraphError as error:
        return f"there {error}"
    allowed = allowed_types(schema)
    for k, value in enumerate(node.outputs):
        kind = formal_output(schema, k).type_str
        if value is not None and type_string(value.type) not in allowed.get(kind, (kind,)):
            return f"'{value.name}' cannot be {value.type} there"
    return None


def relabel(node: Node, opset: int) -> None:
    """Drop attributes that are newer than the opset and write defaults that were others there."""
    now, then = find_schema(node.op_type), find_schema(node.op_type, "", opset)
    if node.domain or now is None or then is None or now.since_version == then.since_version:
        return
    defaults, specs = attribute_defaults(node.op_type), attribute_specs(then)
    node.attributes = {k: v for k, v in node.attributes.items() if k in specs}
    for name, spec in specs.items():
        if name in node.attributes or name not in defaults:
            continue
        old = attribute_value(spec.default_value) if spec.default_value.type else None
        if spec.required or not _equal(old, defaults[name]):
            node.attributes[name] = defaults[name]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is not None and b is not None and np.array_equal(a, b)
    return bool(a == b)
