"""Every operator of the ONNX standard has a gradient, or a statement that it has none."""

from typing import Any

import onnx
import pytest

import onnxgrad as og
from onnxgrad.compiler.gradients import RULES, ZERO_GRADIENT
from onnxgrad.compiler.schemas import find_schema

BY_BODY = {"CenterCropPad", "RotaryEmbedding", "SequenceMap"}
"""Differentiated through the body that ONNX gives for them."""

NOT_YET = {
    "Attention": "a rule of its own is on its way: the body is not stable for masked rows",
    "CausalConvWithState": "on its way with the convolutions",
    "Col2Im": "on its way with the rules that move elements",
    "ConcatFromSequence": "on its way with the sequences",
    "DFT": "on its way with the signal operators",
    "DeformConv": "on its way with the signal operators",
    "GRU": "on its way with control flow",
    "GridSample": "on its way with the image operators",
    "LSTM": "on its way with control flow",
    "LinearAttention": "on its way with Attention",
    "MaxRoiPool": "on its way with the image operators",
    "Optional": "on its way with the sequences",
    "OptionalGetElement": "on its way with the sequences",
    "RNN": "on its way with control flow",
    "RoiAlign": "on its way with the image operators",
    "STFT": "on its way with the signal operators",
    "SequenceAt": "on its way with the sequences",
    "SequenceConstruct": "on its way with the sequences",
    "SequenceErase": "on its way with the sequences",
    "SequenceInsert": "on its way with the sequences",
    "SplitToSequence": "on its way with the sequences",
    "TensorScatter": "on its way with the rules that move elements",
}


def live_operators() -> list[str]:
    schemas: Any = onnx.defs.get_all_schemas()
    return sorted({s.name for s in schemas if not s.domain and find_schema(s.name)})


def test_every_operator_is_classified() -> None:
    classes = [{op for _, op in RULES}, {op for _, op in ZERO_GRADIENT}, BY_BODY, set(NOT_YET)]
    classified = set[str]().union(*classes)
    missing = [op for op in live_operators() if op not in classified]
    assert not missing, f"give these a gradient, or a reason in gradients/zero.py: {missing}"


def test_no_operator_is_in_two_tables() -> None:
    assert not RULES.keys() & ZERO_GRADIENT.keys()
    assert not {("", op) for op in BY_BODY} & (RULES.keys() | ZERO_GRADIENT.keys())


@pytest.mark.parametrize("op_type", sorted(BY_BODY))
def test_those_by_body_have_one(op_type: str) -> None:
    schema: Any = find_schema(op_type)
    assert schema.has_function or schema.has_context_dependent_function


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
