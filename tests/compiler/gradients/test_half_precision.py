"""Every rule in float16 and bfloat16: right dtypes, and numbers near those of float64."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import Arrays, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.compiler.graph.types import is_float
from onnxgrad.compiler.standard.schemas import get_schema

TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1}  # some ten roundings: 2⁻¹¹ and 2⁻⁸ each


def takes(sample: Sample, dtype: str) -> bool:
    """Tell whether the standard lets the operator's float inputs have this dtype."""
    schema: Any = get_schema(sample.op)
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    last = len(schema.inputs) - 1
    kinds = {
        schema.inputs[min(k, last)].type_str
        for k, array in enumerate(sample.inputs)
        if array is not None and array.dtype == np.float64
    }
    return all(f"tensor({dtype})" in allowed.get(kind, ()) for kind in kinds)


def chooses(sample: Sample) -> bool:
    """Tell whether rounding the inputs changes which computed value is the largest: RoiAlign."""
    return sample.op == "RoiAlign" and sample.attributes.get("mode") == "max"


def backends_of(sample: Sample, dtype: str) -> list[str]:
    """Give the backends that run a sample in half precision."""
    unordered = sample.op == "TopK" and sample.attributes.get("sorted") == 0
    # onnxruntime stops at opset 21 for it, whose GlobalLpPool takes no bfloat16
    refused = sample.op == "GlobalLpPool" and dtype == "bfloat16"
    return ["numpy", "onnxruntime"][: 1 if unordered or refused or not sample.onnxruntime else 2]


HALVES = [
    pytest.param(sample, dtype, id=f"{sample}-{dtype}")
    for sample in SAMPLES
    for dtype in TOLERANCE
    if takes(sample, dtype) and not chooses(sample)
]


@pytest.mark.parametrize(("sample", "dtype"), HALVES)
def test_gradient_keeps_half_precision(sample: Sample, dtype: str) -> None:
    half = np.dtype(getattr(ml_dtypes, dtype, dtype))
    narrow, wide = graph_of(sample, dtype=half), graph_of(sample)
    of = [v.name for v in narrow.outputs if is_float(v.dtype)]
    wrt = wrt_of(sample)
    feeds = rounded(feeds_of(wide, sample), half)
    results = og.compile(wide).run(widened(feeds))
    seeds = rounded(cotangents(results, of), half)
    narrow, wide = og.vjp(narrow, of, wrt), og.vjp(wide, of, wrt)
    assert [narrow.find(f"{name}.grad").dtype for name in wrt] == [half] * len(wrt)
    expected = og.compile(wide).run(widened(feeds | seeds))
    fed = {v.name: (feeds | seeds)[v.name].astype(v.dtype) for v in narrow.inputs}
    for backend in backends_of(sample, dtype):
        actual = og.compile(narrow, backend).run(fed)
        for name in wrt:
            found, exact = actual[f"{name}.grad"], expected[f"{name}.grad"]
            assert found.dtype == half
            scale = max(1.0, float(np.abs(exact).max(initial=0)))
            tolerance = TOLERANCE[dtype]
            np.testing.assert_allclose(
                found.astype(np.float64), exact, rtol=tolerance, atol=tolerance * scale
            )


def rounded(arrays: Arrays, half: np.dtype) -> Arrays:
    """Give arrays with those of float64 rounded to half precision."""
    return {k: a.astype(half) if a.dtype == "float64" else a for k, a in arrays.items()}


def widened(arrays: Arrays) -> Arrays:
    """Give arrays with those of half precision in float64."""
    return {k: a.astype("float64") if a.dtype.kind in "fV" else a for k, a in arrays.items()}


def test_a_sum_of_many_half_gradients_does_not_stall() -> None:
    """Added up in float16, ones stop counting at 2,048."""
    b = og.Builder("bias")
    x, bias = b.input("x", "float16", ("N", 2)), b.input("bias", "float16", (2,))
    b.output(b.op.Add(x, bias), "y")
    graph = og.vjp(b.build(), "y", "bias")
    ones = np.ones((5000, 2), np.float16)
    feeds = {"x": ones, "bias": ones[0], "y.grad": ones}
    for backend in ("numpy", "onnxruntime"):
        results = og.compile(graph, backend).run(feeds)
        np.testing.assert_array_equal(results["bias.grad"], np.full(2, 5000, np.float16))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_sum_over_many_steps_of_a_loop_does_not_stall(name: str) -> None:
    """Added up in bfloat16, ones stop counting at 256; elementwise and as a product."""
    half = np.dtype(getattr(ml_dtypes, name, name))
    b = og.Builder("steps")
    x, w, m = b.input("x", half, ("N", 2, 2)), b.input("w", half, (2,)), b.input("m", half, (2, 2))
    body = b.subgraph(lambda step: (step * w) @ m, (half, (2, 2)))
    b.output(b.op.Scan(x, num_scan_inputs=1, body=body), "y")
    graph = og.vjp(b.build(), "y", ["w", "m"])
    ones = np.ones((5120, 2, 2), half)
    feeds = {"x": ones, "w": ones[0, 0], "m": ones[0], "y.grad": ones}
    for backend in ("numpy", "onnxruntime"):
        results = og.compile(graph, backend).run(feeds)
        assert results["w.grad"].tolist() == [20480] * 2
        assert results["m.grad"].tolist() == [[10240] * 2] * 2


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_sum_over_many_uses_does_not_stall(name: str) -> None:
    """A gradient of 4,096 and 512 of -1: added one by one in bfloat16 they would vanish."""
    half = np.dtype(getattr(ml_dtypes, name, name))
    b = og.Builder("uses")
    x = b.input("x", half, (1,))
    uses = [x * 4096.0, *(b.op.Neg(x) for _ in range(512))]
    b.output(b.op.Concat(*uses, axis=0), "y")
    graph = og.vjp(b.build(), "y", "x")
    feeds = {"x": np.ones(1, half), "y.grad": np.ones(513, half)}
    for backend in ("numpy", "onnxruntime"):
        assert og.compile(graph, backend).run(feeds)["x.grad"].tolist() == [3584]


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.op in ("RNN", "GRU", "LSTM")], ids=str)
@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_the_gradient_of_a_recurrence_is_rounded_once(sample: Sample, backend: str) -> None:
    """In float16 every step would lose digits, and overflow where y does not."""
    exact, narrow = graph_of(sample), graph_of(sample, dtype=np.dtype(np.float16))
    of, wrt = float_outputs(exact), wrt_of(sample)
    feeds = feeds_of(narrow, sample)
    y = og.compile(narrow).run(feeds)
    feeds |= {name: np.round(seed, 1) for name, seed in cotangents(y, of).items()}
    wide = {n: a.astype(np.float64) if a.dtype == np.float16 else a for n, a in feeds.items()}
    wanted = og.compile(og.vjp(exact, of, wrt)).run(wide)
    found = og.compile(og.vjp(narrow, of, wrt), backend).run(feeds)
    for name in (f"{w}.grad" for w in wrt):
        unit = np.finfo(np.float16).eps * np.abs(wanted[name]).max()
        np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=0.51 * unit)
