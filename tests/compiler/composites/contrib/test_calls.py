"""Random calls of onnxruntime's own operators: what stock onnxruntime gives, and differences."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from contrib_calls import ROWS, Call, Row, graph_of, model_of
from contrib_calls.call import feeds_of
from finite_differences import along_directions

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype
from onnxgrad.compiler.standard.contrib import contrib_schemas

SEEDS = 2

WITHOUT_A_KERNEL = {
    "BiasAdd",
    "BiasDropout",
    "BiasSplitGelu",
    "GemmFastGelu",
    "GroupNorm",
    "MatMulInteger16",
    "NhwcConv",
    "NhwcFusedConv",
    "NhwcMaxPool",
    "QEmbedLayerNormalization",
    "QLinearReduceMean",
    "Scale",
    "ScaledSiLU",
    "SkipGroupNorm",
}
"""Operators that test_formulas.py compares with formulas; onnxruntime has most for GPUs only."""

RUNNING = [row for row in ROWS if row.runs]
SMOOTH = [row for row in ROWS if row.smooth]
HALF_TOLERANCE = 2e-3


def stock(model: onnx.ModelProto, feeds: Any) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # what DynamicQuantizeLSTM gives depends on it
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    results: Any = session.run(None, feeds)
    return list(results)


def assert_close(row: Row, actual: Any, expected: Any) -> None:
    for a, b in list(zip(actual, expected, strict=True))[: row.compared]:
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if a.dtype.kind in "iub":
            assert np.abs(a.astype(np.int64) - b.astype(np.int64)).max(initial=0) <= row.steps
            continue
        tolerance = HALF_TOLERANCE if a.dtype == np.float16 else row.tolerance
        wide = b.astype(np.float64)
        bound = tolerance * max(np.abs(wide).max(initial=0), 1e-3)
        np.testing.assert_allclose(a.astype(np.float64), wide, rtol=0, atol=bound)


def test_every_operator_has_a_row() -> None:
    named = {row.op for row in ROWS}
    assert {op for _, op in contrib_schemas()} - named == WITHOUT_A_KERNEL


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("row", RUNNING, ids=str)
def test_values_are_those_of_onnxruntime(row: Row, dtype: Any) -> None:
    if dtype is np.float16 and not row.half:
        return
    for seed in range(SEEDS):
        call = row.call(seed, dtype)
        model, feeds = model_of(row, call), feeds_of(call)
        expected, graph = stock(model, feeds), og.load(model)
        assert_close(row, og.compile(graph).run(feeds).values(), expected)
        assert_close(row, stock(og.to_onnx(graph), feeds), expected)
        assert_close(row, og.compile(graph, "onnxruntime").run(feeds).values(), expected)


@pytest.mark.parametrize("row", RUNNING, ids=str)
def test_sizes_may_be_symbols(row: Row) -> None:
    call = row.call(0)
    feeds = feeds_of(call)
    expected = stock(model_of(row, call), feeds)
    try:
        graph = og.load(model_of(row, call, dynamic=True))
    except og.UnsupportedOpError as error:
        assert "not known" in str(error)
        return
    assert_close(row, og.compile(graph).run(feeds).values(), expected)


@pytest.mark.parametrize("row", SMOOTH, ids=str)
def test_gradients_are_those_of_differences(row: Row) -> None:
    """By every float input, constants too, of a weighted sum of the first output."""
    for seed in range(SEEDS - 1):
        check_gradients(row, row.call(seed))


def check_gradients(row: Row, call: Call) -> None:
    graph = graph_of(row, call)
    arrays = {f"x{k}": a for k, a in enumerate(call.inputs) if a is not None}
    wrt = [name for name, a in arrays.items() if a.dtype == np.float32]
    fed, y = feeds_of(call), graph.outputs[0].name
    shape = og.compile(graph).run(fed)[y].shape
    weights = np.random.default_rng(7).uniform(0.5, 1.5, shape).astype(np.float32)
    gradient = og.vjp(graph, y, wrt, allow_unused=True)
    found = og.compile(gradient).run({**fed, f"{y}.grad": weights})
    exact = with_dtype(graph, np.dtype(np.float64))

    def total(given: dict[str, np.ndarray]) -> float:
        held = {n: a for n, a in given.items() if n in wrt and n not in fed}
        moved = og.with_parameters(exact, held) if held else exact
        results = og.compile(moved).run({n: a for n, a in given.items() if n in fed})
        return float((results[y] * weights).sum())

    doubles = {n: a.astype(np.float64) if n in wrt else a for n, a in arrays.items()}
    for name in wrt:
        dx = found[f"{name}.grad"].astype(np.float64)
        slopes, expected = along_directions(total, doubles, name, dx)
        bound = 2e-5 * (np.abs(dx).sum() + 1)
        np.testing.assert_allclose(slopes, expected, rtol=0, atol=bound, err_msg=name)


VECTORIZED = ["FusedConv", "FusedMatMul", "SkipLayerNormalization", "RotaryEmbedding"]


@pytest.mark.parametrize("row", [r for r in SMOOTH if str(r) in VECTORIZED], ids=str)
def test_a_batch_of_examples_needs_no_loop(row: Row) -> None:
    call = row.call(0)
    graph = graph_of(row, call)
    batched = og.vmap(graph, ["x0"])
    assert "Loop" not in [n.op_type for n in batched.nodes()]
    feeds = feeds_of(call)
    doubled = {**feeds, "x0": np.stack([feeds["x0"], 2 * feeds["x0"]])}
    found = og.compile(batched).run(doubled)["y"]
    for k in range(2):
        each = og.compile(graph).run({**feeds, "x0": doubled["x0"][k]})["y"]
        np.testing.assert_allclose(found[k], each, rtol=1e-4, atol=1e-5)


def test_states_of_several_examples_are_rounded_as_one_thread_does() -> None:
    """With more threads onnxruntime rounds the states of fewer examples together."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.integers(-100, 100, (1, 4, 24)), "r": rng.integers(-100, 100, (1, 6, 24))}
    held = [onnx.numpy_helper.from_array(a.astype(np.int8), n) for n, a in weights.items()]
    held.append(onnx.numpy_helper.from_array(np.full(1, 0.01, np.float32), "scale"))
    held.append(onnx.numpy_helper.from_array(np.zeros(1, np.int8), "zero"))
    names = ["x", "w", "r", *[""] * 5, "scale", "zero", "scale", "zero"]
    domain = "com.microsoft"
    node = onnx.helper.make_node("DynamicQuantizeLSTM", names, ["y"], domain=domain, hidden_size=6)
    ends = [onnx.helper.make_tensor_value_info(n, 1, None) for n in ("x", "y")]
    ends[0] = onnx.helper.make_tensor_value_info("x", 1, [5, 3, 4])
    graph = onnx.helper.make_graph([node], "states", ends[:1], ends[1:], held)
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(domain, 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    feeds = {"x": rng.normal(size=(5, 3, 4)).astype(np.float32)}
    (expected,) = stock(model, feeds)
    (y,) = og.compile(og.load(model)).run(feeds).values()
    np.testing.assert_allclose(y, expected, rtol=0, atol=5e-7)
