"""Checks of calls that ONNX's inference accepts and no runtime can run; it infers nothing."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import GraphError
from ..graph.dims import add, may_equal, multiply
from ..graph.ir import Graph, Node, Value
from ..graph.types import Shape, TensorType
from ..graph.wording import counted
from ..standard.schemas import attribute
from .axis_checks import AXIS_CHECKS
from .einsum_checks import check_einsum
from .layer_checks import LAYER_CHECKS
from .list_checks import LIST_CHECKS
from .list_forms import check_lists, has_open_lists
from .ml_checks import ML_CHECKS
from .number_checks import NUMBER_CHECKS
from .rank_checks import RANK_CHECKS
from .refusal import explain
from .shapes import elements_of, infer_shape
from .window_checks import WINDOW_CHECKS


def check_shapes(node: Node) -> None:
    """Refuse a call whose attributes and known sizes do not fit together.

    Raises:
        GraphError: an axis that is none, a list of a wrong length, sizes that do not match.
    """
    check_lists(node)
    for checks in _TABLES:
        if (check := checks.get(node.operator)) is not None:
            check(node)


def is_checked(node: Node) -> bool:
    """Tell whether anything is checked of calls like this one."""
    return has_open_lists(node) or any(node.operator in checks for checks in _TABLES)


def check_bodies(op_type: str, inputs: int, attributes: Mapping[str, Any]) -> None:
    """Refuse branches and bodies that do not take or give what their operator hands over.

    Raises:
        GraphError: the numbers of inputs or outputs do not fit, or a condition is not a bool.
    """
    match op_type:
        case "If":
            for name in ("then_branch", "else_branch"):
                _check_body(f"{name} of If", attributes[name], 0, 1)
        case "Loop":
            states = max(inputs - 2, 0)
            body = attributes["body"]
            _check_body("the body of Loop", body, 2 + states, 1 + states)
            first = body.outputs[0].type
            if not isinstance(first, TensorType) or first.dtype != np.bool_:
                raise GraphError(
                    f"the body of Loop gives {body.outputs[0]} first, which must be the bool "
                    "that says whether to go on"
                )
            if not all(may_equal(d, 1) for d in first.shape or ()):
                raise GraphError(
                    f"the body of Loop gives {body.outputs[0]} first, which must be one bool"
                )
        case "Scan":
            tapes = attributes["num_scan_inputs"]
            if not 1 <= tapes <= inputs:
                raise GraphError(
                    f"Scan has {counted(inputs, 'input')}, of which num_scan_inputs={tapes}"
                )
            _check_body("the body of Scan", attributes["body"], inputs, inputs - tapes)
            results = len(attributes["body"].outputs) - (inputs - tapes)
            for name in ("axes", "directions"):
                for side, count in (("input", tapes), ("output", results)):
                    if len(attributes.get(f"scan_{side}_{name}", [0] * count)) != count:
                        raise GraphError(f"Scan: scan_{side}_{name} must have {count} entries")
        case "SequenceMap":
            _check_body("the body of SequenceMap", attributes["body"], inputs, 1)


def _check_body(what: str, body: Graph, inputs: int, outputs: int) -> None:
    if len(body.inputs) != inputs or len(body.outputs) < outputs:
        raise GraphError(
            f"{what} takes {counted(len(body.inputs), 'input')} and gives "
            f"{counted(len(body.outputs), 'output')}; it must take {inputs} and give at least "
            f"{outputs}"
        )


def _static(value: Value | None) -> Shape | None:
    return None if value is None else value.shape


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
    _require_target(node, x)
    if x is None or target is None:
        return
    before, after = multiply(x), multiply(target)
    if isinstance(before, int) and isinstance(after, int) and before != after:
        raise GraphError(explain(node, f"{before} elements cannot take the shape {target}"))


def _require_target(node: Node, x: Shape | None) -> None:
    """Check the numbers of a target: sizes, one −1 at most, and a 0 for no axis that x lacks."""
    target = elements_of(node.input(1)) or ()
    if target.count(-1) > 1:
        raise GraphError(explain(node, f"only one size can be −1, which takes the rest: {target}"))
    for axis, size in enumerate(target):
        if isinstance(size, int) and size < -1:
            raise GraphError(explain(node, f"{size} is not a size"))
        if size == 0 and not attribute(node, "allowzero") and x is not None and axis >= len(x):
            raise GraphError(explain(node, f"0 keeps axis {axis}, but x has rank {len(x)}"))
    if attribute(node, "allowzero") and 0 in target and -1 in target:
        raise GraphError(explain(node, "beside a size of 0 nothing tells what −1 would be"))


def _expand(node: Node) -> None:
    shape = node.inputs[1]
    if shape is not None and shape.constant is not None and (shape.constant < 0).any():
        raise GraphError(explain(node, f"the shape {shape.constant.tolist()} has a negative size"))


def _pad(node: Node) -> None:
    """Check a number before and one after each axis, which crop no more than there is."""
    shape = _static(node.inputs[0])
    pads, axes = (elements_of(v) for v in [*node.inputs, None, None, None][1:4:2])
    named = len(node.inputs) > 3 and node.inputs[3] is not None
    if pads is None or shape is None or named and axes is None:
        return
    chosen = [a for a in axes or () if isinstance(a, int)] if named else range(len(shape))
    for axis in chosen:
        if not -len(shape) <= axis < len(shape):
            raise GraphError(explain(node, f"axes names {axis}, but x has rank {len(shape)}"))
    places = [a % len(shape) for a in chosen]
    if len(set(places)) < len(places):
        raise GraphError(explain(node, f"axes names an axis twice: {[*chosen]}"))
    reason = f"pads must hold {2 * len(places)} numbers"
    if len(pads) != 2 * len(places):
        raise GraphError(explain(node, reason))
    for k, axis in enumerate(places):
        size = add(add(shape[axis], pads[k]), pads[k + len(places)])
        if isinstance(size, int) and size < 0:
            raise GraphError(explain(node, f"pads crop axis {axis} to the size {size}"))


def _resize(node: Node) -> None:
    """Check that there is a positive scale, or a size, for each axis that is resized."""
    x, axes = _static(node.inputs[0]), node.attributes.get("axes")
    count = len(axes) if axes else None if x is None else len(x)
    is_crop = attribute(node, "coordinate_transformation_mode") == "tf_crop_and_resize"
    for index, name, each in ((1, "roi", 2 * is_crop), (2, "scales", 1), (3, "sizes", 1)):
        shape = _static(node.input(index))
        given = shape[0] if shape else 0
        missing = shape is not None and (index == 1 or node.input(5 - index) is None)
        wanted = each and (given or missing)  # none where the other is given
        if wanted and count is not None and not may_equal(given, each * count):
            raise GraphError(explain(node, f"{name} has {given} entries, for {count} axes"))
    scales = node.inputs[2].constant if len(node.inputs) > 2 and node.inputs[2] else None
    if scales is not None and not ((scales > 0) & np.isfinite(scales)).all():
        reason = f"scales must be positive and finite, got {scales.tolist()}"
        raise GraphError(explain(node, reason))
    sizes = elements_of(node.inputs[3]) if len(node.inputs) > 3 else None
    for size in sizes or ():
        if isinstance(size, int) and size < 0:
            raise GraphError(explain(node, f"sizes holds {size}, which is not a size"))


_TABLES: tuple[dict[str, Callable[[Node], None]], ...] = (
    RANK_CHECKS,  # first, for the others count axes
    AXIS_CHECKS,  # and read sizes along them
    LIST_CHECKS,
    LAYER_CHECKS,
    ML_CHECKS,
    NUMBER_CHECKS,
    WINDOW_CHECKS,
    {
        "Einsum": check_einsum,
        "Expand": _expand,
        "Gemm": _gemm,
        "Pad": _pad,
        "Reshape": _reshape,
        "Resize": _resize,
    },
)
