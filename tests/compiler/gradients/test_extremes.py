"""Gradients where y is rounded, overflows nearly or saturates, against float64 and closed forms."""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.compiler.standard.schemas import get_schema
from onnxgrad.compiler.standard.traits import ELEMENTWISE


def constraints(op: str) -> Sequence[Any]:
    return get_schema(op).type_constraints


finfo: Any = ml_dtypes.finfo
BACKENDS = ["numpy", "onnxruntime"]


def gradient(op: str, x: object, dtype: str, backend: str, **attributes: object) -> np.ndarray:
    b = og.Builder()
    array = np.array(x, dtype)
    y = getattr(b.op, op)(b.input("x", dtype, array.shape), **attributes)
    b.output(b.op.ReduceSum(b.op.Cast(y, to="float64"), keepdims=0), "y")
    return og.compile(og.grad(b.build(), "y", "x"), backend).run({"x": array})["x.grad"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("v", [0.0, 1e4, 1e6, 1e8, 1e30, -1e8])
def test_log_sum_exp_shares_in_full(v: float, backend: str) -> None:
    """d/dx ln(eᵛ + eᵛ) is ½ by each, however y is rounded."""
    np.testing.assert_allclose(gradient("ReduceLogSumExp", [v, v], "float32", backend), 0.5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_log_sum_divides_by_the_sum(backend: str) -> None:
    x = np.array([1e30, 2e30, 3e30], np.float32)
    found = gradient("ReduceLogSum", x, "float32", backend)
    np.testing.assert_allclose(found, np.full(3, 1 / 6e30), rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_neighbouring_channels_in_float16(backend: str) -> None:
    """LRN's y is finite here, the squares of x in its derivative are not."""
    b = og.Builder()
    x = b.input("x", "float16", (1, 3, 1))
    y = b.op.LRN(b.op.Unsqueeze(x, [3]), size=3)
    b.output(b.op.ReduceSum(y, keepdims=0), "y")
    compiled = og.compile(og.grad(b.build(), "y", "x"), backend)
    found = compiled.run({"x": np.array([[[300], [400], [300]]], np.float16)})["x.grad"]
    np.testing.assert_allclose(found.ravel(), [0.0231, -0.1874, 0.0231], rtol=4e-3)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_approximated_gelu_far_out(dtype: str, backend: str) -> None:
    largest = float(np.finfo(dtype).max)
    x = [-largest, -300.0, -20.0, 20.0, 300.0, largest]
    b = og.Builder()
    v = b.input("x", dtype, (6,))
    b.output(b.op.ReduceSum(b.op.Mul(b.op.Gelu(v, approximate="tanh"), 1e-3), keepdims=0), "y")
    first = og.grad(b.build(), "y", "x")
    second = og.vjp(first, "x.grad", "x", names={"x": "second"})
    feeds = {"x": np.array(x, dtype), "x.grad.grad": np.ones(6, dtype)}
    results = og.compile(second, backend).run(feeds)
    alone = og.compile(first, backend).run({"x": feeds["x"]})  # by a kernel, where there is one
    for found in (results, alone):
        np.testing.assert_allclose(found["x.grad"], np.array([0, 0, 0, 1, 1, 1]) * 1e-3, rtol=1e-3)
    np.testing.assert_array_equal(results["second"], 0)


SLOPES = {
    "Elu": lambda x: np.exp(x),
    "Celu": lambda x: np.exp(x),
    "Selu": lambda x: 1.0507009873554805 * 1.6732632423543772 * np.exp(x),
}


@pytest.mark.parametrize("op", SLOPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_saturated_exponential_keeps_its_slope(op: str, backend: str) -> None:
    """y + alpha has lost it: at −20 the sum is 0 in float32, the slope 2·10⁻⁹"""
    x = np.array([-1.0, -10.0, -20.0, -40.0])
    np.testing.assert_allclose(gradient(op, x, "float32", backend), SLOPES[op](x), rtol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_more_labels_than_float16_counts(reduction: str) -> None:
    """Σ weight is 70,000: more than float16 holds, though each share of the mean is a number"""
    b = og.Builder()
    count = 70_000
    x = b.input("x", "float16", (count, 2))
    labels = b.constant(np.zeros(count, np.int64))
    loss = b.op.SoftmaxCrossEntropyLoss(x, labels, reduction=reduction)
    b.output(b.op.Mul(b.op.Cast(loss, to="float32"), 1024.0), "y")
    compiled = og.compile(og.grad(b.build(), "y", "x"))
    found = compiled.run({"x": np.zeros((count, 2), np.float16)})["x.grad"]
    right = 512 / count if reduction == "mean" else 512
    np.testing.assert_allclose(found[[0, 1, -1]], [[-right, right]] * 3, rtol=2e-3)


HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
SIZES = [0.01, 4.0, 9.0, 200.0]
ONE_INPUT = {s.op: s for s in SAMPLES if s.op in ELEMENTWISE and len(s.inputs) == 1}
CASES = [
    pytest.param(sample, dtype, id=f"{sample.op}-{dtype}")
    for sample in ONE_INPUT.values()
    for dtype in HALVES
    if any(f"tensor({dtype})" in c.allowed_type_strs for c in constraints(sample.op))
]


@pytest.mark.parametrize(("sample", "dtype"), CASES)
def test_half_precision_at_all_sizes(sample: Sample, dtype: np.dtype) -> None:
    """Where the dtype holds the slope: within four roundings, or some of float32 at 1."""
    exact, half = graph_of(sample), graph_of(sample, dtype=dtype)
    of, wrt = float_outputs(exact), wrt_of(sample)
    if not of or half.outputs[0].dtype != dtype:
        return
    single, narrow = (og.compile(og.vjp(g, of, wrt)) for g in (exact, half))
    (feed,) = feeds_of(exact, sample).items()
    for size in SIZES:
        x = (np.sign(feed[1]) * size * (1 + np.abs(feed[1]) / 8)).astype(dtype)
        one = np.ones(x.shape)
        right = single.run({feed[0]: x.astype(np.float64), f"{of[0]}.grad": one})
        found = narrow.run({feed[0]: x, f"{of[0]}.grad": one.astype(dtype)})
        wanted, actual = (r[f"{wrt[0]}.grad"].astype(np.float64) for r in (right, found))
        holds = np.isfinite(wanted) & (np.abs(wanted) < float(finfo(dtype).max))
        holds &= np.isfinite(right[of[0]]) & np.isfinite(found[of[0]].astype(np.float64))
        near = 4 * float(finfo(dtype).eps)
        np.testing.assert_allclose(actual[holds], wanted[holds], rtol=near, atol=2**-19)
