"""An operator to which ONNX gives a body has one gradient, by our rule and by the body."""

from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import assert_close, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.compiler.gradients import RULES
from onnxgrad.compiler.standard.schemas import find_schema

UNUSABLE = {
    "AffineGrid": "the ranks behind the branches of ONNX's body are unknown",
    "LayerNormalization": "ONNX's body flattens the normalized axes but not a scale of rank 2",
    "MeanVarianceNormalization": "ONNX's body has its constants in float32 only",
}

AT_A_KINK = {"that cuts nothing": "the branches of ONNX's body of Shrink leave out x = 0"}


def has_body(op_type: str) -> bool:
    schema: Any = find_schema(op_type)
    return schema.has_function or schema.has_context_dependent_function


@pytest.mark.parametrize(
    "sample",
    [
        s
        for s in SAMPLES
        if has_body(s.op)
        and ("", s.op) in RULES
        and s.op not in UNUSABLE
        and s.label not in AT_A_KINK
    ],
    ids=str,
)
def test_rule_and_body_agree(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(sample)
    of, wrt = float_outputs(graph), wrt_of(sample)
    feeds = feeds_of(graph, sample)
    feeds |= cotangents(og.compile(graph).run(feeds), of)
    by_rule = og.compile(og.vjp(graph, of, wrt)).run(feeds)
    monkeypatch.delitem(RULES, ("", sample.op))
    by_body = og.compile(og.vjp(graph, of, wrt)).run(feeds)
    for name in wrt:
        assert_close(by_rule[f"{name}.grad"], by_body[f"{name}.grad"], 1e-6)
    assert np.all([np.isfinite(by_rule[f"{name}.grad"]).all() for name in wrt])
