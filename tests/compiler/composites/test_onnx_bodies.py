"""An operator to which ONNX gives a body has one gradient, by our rule and by the body."""

from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import assert_close, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample
from written_files import run_in_onnxruntime

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


@pytest.mark.parametrize("opset", [13, 16, 21])
@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (2, 1, 4), (4,), (1,)])
def test_a_scale_of_any_shape_that_broadcasts_to_x(shape: tuple[int, ...], opset: int) -> None:
    rng = np.random.default_rng(0)
    x, scale, bias, dy = (
        rng.normal(size=s).astype(np.float32) for s in ((2, 3, 4), shape, shape, (2, 3, 4))
    )
    b = og.Builder("scale")
    values = [b.input(n, "float32", a.shape) for n, a in zip("xsb", (x, scale, bias), strict=True)]
    b.output(b.op.LayerNormalization(*values), "y")
    model = og.to_onnx(og.vjp(b.build(), "y", ["s", "b"]), opset)
    found = run_in_onnxruntime(model, {"x": x, "s": scale, "b": bias, "y.grad": dy})
    normal = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(found["y"], normal * scale + bias, rtol=1e-4, atol=1e-5)
    axes = tuple(k for k in range(3) if ((1,) * (3 - len(shape)) + shape)[k] == 1)
    for name, terms in {"s.grad": dy * normal, "b.grad": dy}.items():
        expected = terms.sum(axes, keepdims=True).reshape(shape)
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5)
