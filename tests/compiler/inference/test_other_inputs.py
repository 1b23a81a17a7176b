"""Calls with an input of another rank: refused, or right to the gradient; `make calls` runs all."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from op_samples import SAMPLES
from op_samples.sample import Sample
from other_inputs import changed, verdict

import onnxgrad as og


@pytest.mark.parametrize("sample", SAMPLES[::16], ids=str)
def test_a_call_with_another_input_is_right_or_refused(sample: Sample) -> None:
    for what, other in changed(sample):
        for symbolic in (False, True):
            assert verdict(other, symbolic) in ("right", "refused"), what


@pytest.mark.parametrize("sample", SAMPLES[8::64], ids=str)
def test_so_it_is_on_onnxruntime(sample: Sample) -> None:
    for what, other in changed(sample):
        for symbolic in (False, True):
            assert verdict(other, symbolic, "onnxruntime") in ("right", "refused"), what


CALLS: dict[str, tuple[Callable[[Any, Callable[..., og.Tensor]], Any], str]] = {
    "AffineGrid": (lambda op, x: op.AffineGrid(x(2, 3, 4, 1), [2, 2, 2, 2, 2]), "must have rank 3"),
    "Attention": (
        lambda op, x: op.Attention(x(1, 2, 3, 4), x(1, 2, 4, 4), x(1, 2, 4, 2), x(2, 1, 3, 4)),
        r"must broadcast to \(1, 2, 3, keys\)",
    ),
    "DFT": (lambda op, x: op.DFT(x(), None, 0), "must have rank 2 or more, not 0"),
    "DFT parts": (lambda op, x: op.DFT(x(3, 4), None, 0), "has 1 or 2 elements, not 4"),
    "GatherND": (
        lambda op, x: op.GatherND(x(4, 3), [[0], [1]], batch_dims=1),
        "must share their first 1 size",
    ),
    "Gemm": (lambda op, x: op.Gemm(x(2, 3), x(3, 4), x(1, 2, 4)), "rank from 0 to 2, not 3"),
    "InstanceNormalization": (
        lambda op, x: op.InstanceNormalization(x(2, 3), x(3), x(3)),
        "must have rank 3 or more, not 2",
    ),
    "LRN": (lambda op, x: op.LRN(x(4), size=1), "must have rank 2 or more, not 1"),
    "MeanVarianceNormalization": (
        lambda op, x: op.MeanVarianceNormalization(x(2, 3, 4)),
        "each of axes must lie from -3 to 2",
    ),
    "OneHot": (lambda op, x: op.OneHot([0, 1], 3, x(4)), r"must have the shape \(2,\)"),
    "STFT": (lambda op, x: op.STFT(x(1, 3, 1), 1, x(4)), "longer than the signal of 3"),
    "SoftmaxCrossEntropyLoss": (
        lambda op, x: op.SoftmaxCrossEntropyLoss(x(3), [1]),
        "must have rank 2 or more, not 1",
    ),
    "TopK": (lambda op, x: op.TopK(x(), [1]), "must have rank 1 or more, not 0"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_rank_is_named(call: str) -> None:
    b = og.Builder()
    make, reason = CALLS[call]
    names = itertools.count()
    with pytest.raises(og.GraphError, match=reason):
        make(b.op, lambda *shape: b.input(f"x{next(names)}", "float32", shape))


def test_a_list_that_only_running_tells_is_checked() -> None:
    """NumPy would clip each row by a limit of its own, and repeat over an axis that is none."""
    b = og.Builder()
    x, low = b.input("x", "float32", (2, 3)), b.input("low", "float32", ("n",))
    b.output(b.op.Clip(x, low), "y")
    run = og.compile(b.build()).run
    with pytest.raises(og.GraphError, match="must be one number"):
        run({"x": [[1, 2, 3], [4, 5, 6]], "low": [1, 2, 3]})
