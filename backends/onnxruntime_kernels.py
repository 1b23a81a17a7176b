"""What onnxruntime has kernels for, asked of onnxruntime itself; it opens no session."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from functools import cache, partial
from importlib import import_module
from typing import Any

from onnx.defs import OpSchema

from ..compiler.composites.expand import has_body
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.subgraphs import all_nodes
from ..compiler.graph.types import type_string
from ..compiler.interchange.downgrades import DOWNGRADES
from ..compiler.interchange.lowering import misfit
from ..compiler.opset import EXPORT_OPSET, OPSET
from ..compiler.passes.widen import wider_dtypes
from ..compiler.standard.contrib import BLOCKED_DOMAIN
from ..compiler.standard.schemas import find_schema, formal_input, formal_output

_OPEN = 2**31 - 1
"""The last version of a kernel that is registered without one: it fits its first version only."""

_DROPPED = {"Affine", "ImageScaler", "ParametricSoftplus", "Scale", "ScaledTanh"}
"""What models of old opsets may hold: its kernels are there, but no new opset knows the name."""

_ANSWERS = frozenset(
    f"{name}ExecutionProvider" for name in ("CPU", "Azure", "CUDA", "Tensorrt", "Dml")
)
"""Providers with kernels. Builds with others, OpenVINO's, die when they are asked for kernels."""

_LIST = """
from onnxruntime.capi import onnxruntime_pybind11_state as native
found = getattr(native, "get_all_opkernel_def", list)()
rows = [
    (k.domain, k.op_name, *k.version_range, k.type_constraints)
    for k in found
    if k.provider == "CPUExecutionProvider"
]
"""

_Row = tuple[str, str, int, int, Mapping[str, list[str]]]
"""Domain, operator, first version, last version, and the types that its parameters take."""

_Kernel = tuple[int, int, Mapping[str, Set[str]]]
"""First version, last version, and the types that each of its type parameters takes."""


def lacking_kernels(graph: Graph, opset: int) -> list[Node]:
    """List the nodes, those of subgraphs too, that have no kernel at an opset."""
    unknown = (n for n in all_nodes(graph) if any(v.constant is None for v in n.writes()))
    return [n for n in unknown if not has_kernel(n, opset)]


def best_opset(graph: Graph) -> int:
    """Choose where the fewest nodes are stranded, then lack a kernel, then do not fit."""
    least: list[tuple[int, int, int, int]] = []
    for opset in opsets():
        lacking = lacking_kernels(graph, opset)
        if not lacking:
            return opset
        stranded = sum(_is_stranded(n, opset) for n in lacking)
        misfits = sum(misfit(n, opset) is not None for n in lacking)
        least.append((stranded, len(lacking), misfits, opset))
    return min(least)[-1]


def _is_stranded(node: Node, opset: int) -> bool:
    """Tell whether a node without a kernel has no other spelling and no wider dtype either."""
    older = any(opset < since for since, _ in DOWNGRADES.get(node.operator, ()))
    wider = wider_dtypes(node, partial(has_kernel, opset=opset))
    return not (older or has_body(node) or wider)


@cache
def opsets() -> range:
    """Give the opsets to choose from: the default of export first."""
    return range(EXPORT_OPSET, OPSET + 1)


def has_kernel(node: Node, opset: int) -> bool:
    """Tell whether a kernel takes the node's types where it is written at an opset."""
    if node.domain == BLOCKED_DOMAIN:
        return True  # it stands where onnxruntime has been asked
    schema = find_schema(node.op_type, node.domain, None if node.domain else opset)
    if schema is None or misfit(node, opset) is not None or node.op_type in _DROPPED:
        return False
    if node.op_type == "ScatterND" and node.attributes.get("reduction", "none") != "none":
        return False  # it is there, but its threads race where indices repeat
    return _takes(schema, _kinds(node.inputs), _kinds(node.outputs))


def _kinds(values: Iterable[Value | None]) -> tuple[str | None, ...]:
    return tuple(None if v is None else type_string(v.type) for v in values)


@cache
def _takes(
    schema: OpSchema, inputs: tuple[str | None, ...], outputs: tuple[str | None, ...]
) -> bool:
    """Tell whether a kernel of an operator takes inputs and outputs of these types."""
    table, since = _kernels(), schema.since_version
    formal = [(formal_input(schema, k), kind) for k, kind in enumerate(inputs)]
    formal += [(formal_output(schema, k), kind) for k, kind in enumerate(outputs)]
    types = [(p, kind) for p, kind in formal if kind is not None]
    return not table or any(
        (first == since or first < since <= last < _OPEN)
        and all(kind in takes.get(p.type_str, takes.get(p.name, {kind})) for p, kind in types)
        for first, last, takes in table.get((schema.domain, schema.name), ())
    )


@cache
def _kernels() -> Mapping[tuple[str, str], list[_Kernel]]:
    """Give onnxruntime's own list of its CPU kernels; empty where a build does not tell."""
    native = import_module("onnxruntime.capi.onnxruntime_pybind11_state")  # only when it is used

    rows = _rows() if _ANSWERS.issuperset(native.get_available_providers()) else _rows_from_afar()
    table: dict[tuple[str, str], list[_Kernel]] = defaultdict(list)
    for domain, op_name, first, last, constraints in rows:
        takes = {name: frozenset(types) for name, types in constraints.items()}
        table[domain, op_name].append((first, last, takes))
    return table


def _rows() -> list[_Row]:
    names: dict[str, Any] = {}
    exec(_LIST, names)
    rows: list[_Row] = names["rows"]
    return rows


def _rows_from_afar() -> list[_Row]:
    """Ask in a process of its own, which may die of the question."""
    code = f"{_LIST}\nimport json; print(json.dumps(rows))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    rows: list[_Row] = json.loads(done.stdout) if done.returncode == 0 else []
    return rows
