"""Checks of calls that ONNX's inference accepts and no runtime can run; it infers nothing."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import GraphError
from ..graph.dims import multiply
from ..graph.ir import Graph, Node, Value
from ..graph.types import Dim, Shape
from ..standard.schemas import attribute
from .shapes import infer_shape


def check_shapes(node: Node) -> None:
    """Refuse a call of a standard operator whose shapes do not fit together.

    Raises:
        GraphError: channels, a bias or a number of elements does not match.
    """
    for check in _CHECKS.get(node.op_type, ()) if not node.domain else ():
        check(node)


def check_bodies(op_type: str, inputs: int, attributes: Mapping[str, Any]) -> None:
    """Refuse branches and bodies that do not take or give what their operator hands over.

    Raises:
        GraphError: the numbers of inputs or outputs do not fit, or a condition is no bool.
    """
    match op_type:
        case "If":
            for name in ("then_branch", "else_branch"):
                _check_body(f"{name} of If", attributes[name], 0, 1)
        case "Loop":
            states = max(inputs - 2, 0)
            body = attributes["body"]
            _check_body("the body of Loop", body, 2 + states, 1 + states)
            if body.outputs[0].type.dtype != np.bool_:
                raise GraphError(
                    f"the body of Loop gives {body.outputs[0]} first, which must be the bool "
                    "that says whether to go on"
                )
        case "Scan":
            tapes = attributes["num_scan_inputs"]
            if not 1 <= tapes <= inputs:
                raise GraphError(f"Scan has {inputs} inputs, of which num_scan_inputs={tapes}")
            _check_body("the body of Scan", attributes["body"], inputs, inputs - tapes)
            for name in ("scan_input_axes", "scan_input_directions"):
                if len(attributes.get(name) or [0] * tapes) != tapes:
                    raise GraphError(f"Scan: {name} needs {tapes} entries, as num_scan_inputs says")
        case "SequenceMap":
            _check_body("the body of SequenceMap", attributes["body"], inputs, 1)


def _check_body(what: str, body: Graph, inputs: int, outputs: int) -> None:
    if len(body.inputs) != inputs or len(body.outputs) < outputs:
        raise GraphError(
            f"{what} takes {len(body.inputs)} inputs and gives {len(body.outputs)} outputs; it "
            f"must take {inputs} and give at least {outputs}"
        )


def explain(node: Node, reason: str) -> str:
    """Write why a node does not fit, with the names and types it was given."""
    given = ", ".join("–" if v is None else f"{v.name}: {v.type}" for v in node.inputs)
    detail = reason.partition("]")[2] if reason.startswith("[") else reason
    return f"{node.op_type}({given}) does not fit: {detail.strip() or reason.strip()}"


def _static(value: Value | None) -> Shape | None:
    return None if value is None else value.shape


def _conv(node: Node) -> None:
    x, w = (_static(v) for v in node.inputs[:2])
    if x is None or w is None:
        return
    group = attribute(node, "group")
    if len(x) != len(w):
        raise GraphError(explain(node, f"x has rank {len(x)}, w has rank {len(w)}"))
    if isinstance(x[1], int) and isinstance(w[1], int) and x[1] != w[1] * group:
        raise GraphError(
            explain(node, f"x has {x[1]} channels, w with group={group} wants {w[1] * group}")
        )
    _check_bias(node, w[0])


def _conv_transpose(node: Node) -> None:
    x, w = (_static(v) for v in node.inputs[:2])
    if x is None or w is None:
        return
    if isinstance(x[1], int) and isinstance(w[0], int) and x[1] != w[0]:
        raise GraphError(explain(node, f"x has {x[1]} channels, w wants {w[0]}"))
    _check_bias(node, multiply([w[1], attribute(node, "group")]))


def _check_bias(node: Node, channels: Dim) -> None:
    bias = _static(node.inputs[2]) if len(node.inputs) > 2 else None
    if bias is not None and isinstance(channels, int) and all(isinstance(d, int) for d in bias):
        if bias != (channels,):
            raise GraphError(explain(node, f"the bias must have shape ({channels},)"))


def _gemm(node: Node) -> None:
    a, b = (_static(v) for v in node.inputs[:2])
    c = _static(node.inputs[2]) if len(node.inputs) > 2 else None
    if a is None or b is None or c is None or len(a) != 2 or len(b) != 2:
        return
    rows = a[1] if attribute(node, "transA") else a[0]
    columns = b[0] if attribute(node, "transB") else b[1]
    for given, wanted in zip(c[::-1], (columns, rows), strict=False):
        if isinstance(given, int) and isinstance(wanted, int) and given not in (1, wanted):
            raise GraphError(explain(node, f"C must broadcast to ({rows}, {columns})"))


def _reshape(node: Node) -> None:
    x, target = _static(node.inputs[0]), infer_shape(node)
    if x is None or target is None:
        return
    before, after = multiply(x), multiply(target)
    if isinstance(before, int) and isinstance(after, int) and before != after:
        raise GraphError(explain(node, f"{before} elements cannot take the shape {target}"))


def _expand(node: Node) -> None:
    shape = node.inputs[1]
    if shape is not None and shape.constant is not None and (shape.constant < 0).any():
        raise GraphError(explain(node, f"the shape {shape.constant.tolist()} has a negative size"))


_CHECKS: dict[str, tuple[Callable[[Node], None], ...]] = {
    "Conv": (_conv,),
    "ConvTranspose": (_conv_transpose,),
    "Expand": (_expand,),
    "Gemm": (_gemm,),
    "Reshape": (_reshape,),
}
