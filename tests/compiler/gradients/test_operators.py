"""Every operator of the ONNX standard has a gradient, or a statement that it has none."""

from typing import Any

import numpy as np
import onnx
import pytest
from op_samples import SAMPLES
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.compiler.composites.expand import has_body
from onnxgrad.compiler.gradients import RULES, ZERO_GRADIENT
from onnxgrad.compiler.gradients.standard_tags import DENIED
from onnxgrad.compiler.graph.ir import Node
from onnxgrad.compiler.standard.schemas import find_schema


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


AGREED = {
    ("BitCast", "input"): "the bits of a number jump",
    ("CastLike", "target_type"): "only its dtype is read",
    ("MaxRoiPool", "rois"): "rounded to whole elements",
    ("OneHot", "depth"): "a size",
    ("OneHot", "indices"): "positions, be they floats",
}
"""Float inputs that ONNX tags as not differentiable, and rightly so."""

OWN_TESTS = {
    ("CausalConvWithState", "past_state"): "test_float32_operators.py",
    ("LinearAttention", "past_state"): "test_float32_operators.py",
    ("Dropout", "ratio"): "test_randomness.py",
    ("Resize", "scales"): "test_resize_scales.py",
}
"""Inputs whose gradients are held against finite differences, but not by sample rows."""


def position(operator: str, name: str) -> int:
    schema = find_schema(operator)
    assert schema is not None
    return [i.name for i in schema.inputs].index(name)


def is_denied(spec: Any, schema: Any) -> bool:
    """Tell whether ONNX tags a float input as not differentiable."""
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    is_float = "tensor(float)" in allowed.get(spec.type_str, [spec.type_str])
    return is_float and spec.differentiation_category.name == "NonDifferentiable"


def test_what_onnx_denies_is_listed() -> None:
    denied = set()
    for name in live_operators():
        schema: Any = find_schema(name)
        if ("", name) not in ZERO_GRADIENT:
            denied |= {(name, i.name) for i in schema.inputs if is_denied(i, schema)}
    assert denied == DENIED.keys() | AGREED.keys()


@pytest.mark.parametrize(("operator", "name"), sorted(DENIED.keys() - OWN_TESTS.keys()))
def test_what_onnx_denies_is_there(operator: str, name: str) -> None:
    """Some sample row, held against finite differences, has a gradient that is not zero."""
    k = position(operator, name)
    rows = [s for s in SAMPLES if s.op == operator and f"x{k}" in wrt_of(s)]
    assert any(np.any(gradient_by(sample, f"x{k}")) for sample in rows)


def gradient_by(sample: Sample, name: str) -> np.ndarray:
    forward = graph_of(sample)
    of = float_outputs(forward)
    feeds = feeds_of(forward, sample)
    seeds = cotangents(og.compile(forward).run(feeds), of)
    gradient: np.ndarray = og.compile(og.vjp(forward, of, name)).run(feeds | seeds)[f"{name}.grad"]
    return gradient
