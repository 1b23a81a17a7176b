"""Every operator of the ONNX standard has a gradient, or a statement that it has none."""

from typing import Any

import onnx
import pytest

import onnxgrad as og
from onnxgrad.compiler.expand import has_body
from onnxgrad.compiler.gradients import RULES, ZERO_GRADIENT
from onnxgrad.compiler.ir import Node
from onnxgrad.compiler.schemas import find_schema


def live_operators() -> list[str]:
    schemas: Any = onnx.defs.get_all_schemas()
    return sorted({s.name for s in schemas if not s.domain and find_schema(s.name)})


def test_every_operator_is_classified() -> None:
    """By a rule, as zero with a reason, or by a body that is differentiated in its place."""
    missing = [
        op
        for op in live_operators()
        if ("", op) not in RULES
        and ("", op) not in ZERO_GRADIENT
        and not has_body(Node(op, (), ()))
    ]
    assert not missing, f"give these a gradient, or a reason in gradients/zero.py: {missing}"


def test_no_operator_is_in_two_tables() -> None:
    assert not RULES.keys() & ZERO_GRADIENT.keys()


def test_the_tables_name_operators_that_exist() -> None:
    live = set(live_operators())
    named = {op for domain, op in [*RULES, *ZERO_GRADIENT] if not domain}
    assert named <= live, named - live


def test_an_operator_without_a_gradient_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, ("", "Erf"))
    monkeypatch.delitem(RULES, ("", "Sin"))
    b = og.Builder("planted")
    x = b.input("x", "float32", (2,))
    b.output(b.op.Add(b.op.Erf(x), b.op.Sin(x)), "y")
    with pytest.raises(og.UnsupportedOpError) as caught:
        og.vjp(b.build(), "y", "x")
    assert list(caught.value.ops) == ["Erf", "Sin"]


def test_an_operator_behind_a_step_needs_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, ("", "Erf"))
    b = og.Builder("step")
    x = b.input("x", "float32", (2,))
    b.output(b.op.Add(b.op.Erf(b.op.Floor(x)), x), "y")
    graph = og.vjp(b.build(), "y", "x")
    assert [n.op_type for n in graph.nodes()] == ["Floor", "Erf", "Add", "Identity"]
