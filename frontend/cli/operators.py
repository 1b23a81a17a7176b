"""The command ops: what is known of every operator of the standard."""

from typing import Any

import onnx

from onnxgrad.backends.control_flow import SUBGRAPH_KERNELS
from onnxgrad.backends.kernels.registry import KERNELS
from onnxgrad.compiler.composites.registry import STANDARD_BODIES
from onnxgrad.compiler.gradients import REFUSED_GRADIENT, RULES, ZERO_GRADIENT
from onnxgrad.compiler.gradients.standard_tags import DENIED
from onnxgrad.compiler.standard.schemas import find_schema, has_maps

from .application import AsJson, command
from .terminal import print_json, print_table


@command("ops")
def ops(as_json: AsJson = False) -> None:
    """List ONNX's operators: kernel on NumPy, gradient, ONNX's own tag of it, function body.

    Example: onnxgrad ops --json
    """
    standard, ml = operator_rows(), operator_rows("ai.onnx.ml")
    if as_json:
        print_json([*standard, *ml])
        return
    columns = ["operator", "kernel", "gradient", "ONNX's tag", "body"]
    cells = [[cell or "" for cell in row.values()] for row in (*standard, *ml)]
    print_table(f"{len(standard)} operators, {len(ml)} of ai.onnx.ml", columns, cells)


def operator_rows(domain: str = "") -> list[dict[str, str | None]]:
    """Tell for each live operator who runs it, how it is differentiated, if it has a body."""
    rows: list[dict[str, str | None]] = []
    for op_type in sorted({s.name for s in onnx.defs.get_all_schemas() if s.domain == domain}):
        schema: Any = find_schema(op_type, domain)  # onnx types only half of OpSchema
        if schema is None:  # deprecated
            continue
        name = f"{domain}.{op_type}" if domain else op_type
        by_onnx = schema.has_function or schema.has_context_dependent_function
        body = "ours" if name in STANDARD_BODIES else "ONNX's" if by_onnx else None
        ours = (domain, op_type) in KERNELS or (domain, op_type) in SUBGRAPH_KERNELS
        rows.append(
            {
                "operator": name,
                "kernel": "ours" if ours else _without_kernel(op_type, domain, body),
                "gradient": _gradient(op_type, domain, body),
                "onnx_tag": _tag(schema),
                "body": body,
            }
        )
    return rows


def _without_kernel(op_type: str, domain: str, body: str | None) -> str:
    if has_maps(op_type, domain):
        return "none: it reads or makes maps"
    return "its body" if domain and body == "ours" else "onnx.reference"


def _gradient(op_type: str, domain: str, body: str | None) -> str | None:
    key = domain, op_type
    if key in REFUSED_GRADIENT:
        return f"refused: {REFUSED_GRADIENT[key]}"
    if key in RULES:
        return "rule"
    if key in ZERO_GRADIENT:
        return f"zero: {ZERO_GRADIENT[key].reason}"
    return "of its body" if body else None


def _tag(schema: Any) -> str:
    tags = {i.differentiation_category.name for i in schema.inputs}
    tag = "none" if not tags or "Unknown" in tags else "not differentiable"
    tag = "differentiable" if "Differentiable" in tags else tag
    wrong = [f"wrong by {i}: {why}" for (op, i), why in DENIED.items() if op == schema.name]
    return "; ".join([tag, *wrong])
