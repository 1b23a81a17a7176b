"""The table of composite operators and their forms; expand.py puts them in."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ..emission.accumulation import as_float32, cast_to, is_half
from ..emission.ops import Ops
from ..errors import GraphError
from ..graph.ir import Graph, Node, Value
from ..graph.types import Type
from ..inference.node_types import TYPES_BY_BODY
from ..standard.contrib import DOMAIN

Body = Callable[[Ops, Node], Value | Sequence[Value | None]]
"""`body(op, node)` emits standard operators (or other composites) that compute node's outputs."""

B = TypeVar("B", bound=Body)

FORMS: dict[str, dict[str, Body]] = {}
"""Bodies of each composite by form; the first is the default.

A default has the right derivatives of every order, for the files that it is written to may be
differentiated again.
"""

RUN_ONLY: dict[str, str] = {}
"""Forms that are faster where a graph only runs: they give the values, not all the derivatives."""

STANDARD_BODIES: dict[str, Body] = {}
"""Bodies of standard operators that ONNX gives none; used where a gradient passes through."""


def standard_body(op_type: str, widens: bool = False) -> Callable[[Body], Body]:
    """Register a body of a standard operator; one that `widens` computes halves in float32."""

    def register(body: Body) -> Body:
        assert op_type not in STANDARD_BODIES, op_type
        STANDARD_BODIES[op_type] = partial(_widened, body) if widens else body
        return body

    return register


def _widened(body: Body, op: Ops, node: Node) -> Value | Sequence[Value | None]:
    """Emit a body in float32 of inputs in half precision, and round what it gives, once."""
    if not any(v is not None and is_half(v) for v in node.inputs):
        return body(op, node)
    inputs = tuple(v and as_float32(op, v) for v in node.inputs)
    found = body(op, replace(node, inputs=inputs))
    results = (found,) if isinstance(found, Value) else found
    return [
        None if y is None or new is None else cast_to(op, new, y)
        for y, new in zip(node.outputs, results, strict=False)
    ]


def contrib_body(*op_types: str, domain: str = DOMAIN) -> Callable[[B], B]:
    """Register the body of operators that are none of ONNX's; their types are its own.

    It must not read the types of the node's outputs, which follow from what it gives.
    """

    def register(body: B) -> B:
        for op_type in op_types:
            operator = f"{domain}.{op_type}" if domain else op_type
            assert operator not in STANDARD_BODIES, operator
            STANDARD_BODIES[operator] = body
            TYPES_BY_BODY[operator] = partial(types_by_body, body)
        return body

    return register


def types_by_body(body: Body, node: Node) -> list[Type | None]:
    """Emit a body into a graph of its own and see what it gives."""
    graph = Graph("types")
    mapping = {
        v: graph.add_value(Value(f"x{k}", v.type, v.constant, v.parameter, v.elements))
        for k, v in enumerate(dict.fromkeys(v for v in node.inputs if v is not None))
    }
    inputs = tuple(None if v is None else mapping[v] for v in node.inputs)
    found = body(Ops(graph), replace(node, inputs=inputs))
    results = (found,) if isinstance(found, Value) else found
    return [None if v is None else v.type for v in results]


def form(op_type: str, name: str = "default", run_only: bool = False) -> Callable[[B], B]:
    """Register a body of a composite; the form registered first is its default.

    A body that is `run_only` is taken in its place where a graph is prepared to run.
    """

    def register(body: B) -> B:
        forms = FORMS.setdefault(op_type, {})
        assert name not in forms, (op_type, name)
        forms[name] = body
        if run_only:
            RUN_ONLY[op_type] = name
        return body

    return register


def find_body(op_type: str, name: str | None = None) -> Body:
    """Give the body of a composite in the form of that name (None: the default)."""
    if op_type not in FORMS:
        raise GraphError(f"there is no composite '{op_type}'; there are {', '.join(sorted(FORMS))}")
    forms = FORMS[op_type]
    if name is None:
        return next(iter(forms.values()))
    if name not in forms:
        raise GraphError(f"{op_type} has no form '{name}'; it has {', '.join(forms)}")
    return forms[name]
