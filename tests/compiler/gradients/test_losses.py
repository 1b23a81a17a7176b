"""Gradients of the standard losses at labels that no sample row has."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

LABELS = np.array([[0, -1], [-3, 2], [-2, 7]])
SCORES = np.random.default_rng(0).normal(size=(3, 3, 2)).astype(np.float32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("op", ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
def test_a_negative_label_counts_from_the_last_class(
    op: str, reduction: str, weighted: bool
) -> None:
    """onnxruntime's loss does, and so must the gradient that stands beside it in a file."""
    b = og.Builder("loss")
    x, labels = b.input("x", "float32", (3, 3, 2)), b.input("labels", "int64", (3, 2))
    weights = [b.parameter("w", np.array([1, 2, 4], np.float32))] if weighted else []
    call = getattr(b.op, op)
    loss = call(x, labels, *weights, reduction=reduction, ignore_index=7, outputs=1)
    b.output(b.op.ReduceSum(loss * loss, keepdims=0), "loss")
    wrt = ["x", "w"] if weighted else ["x"]
    graph = og.grad(b.build(), "loss", wrt)
    session = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    names = [v.name for v in session.get_outputs()]

    def run(labels: Any) -> list[dict[str, Any]]:
        feeds = {"x": SCORES, "labels": labels}
        stock = dict(zip(names, session.run(names, feeds), strict=True))
        return [stock, og.compile(graph).run(feeds)]

    counted = np.where(LABELS < 0, LABELS + 3, LABELS)
    for found, wanted in zip(run(LABELS), run(counted), strict=True):
        for name in names:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5)
