"""Every version of every operator is read: values, gradients, and what is written of it."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from old_calls import REFUSED, ROWS, WRITTEN
from old_calls.call import Feeds, OldCall, history
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi import (
    onnxruntime_pybind11_state as errors,  # pyright: ignore[reportAttributeAccessIssue]  # no stubs
)

import onnxgrad as og
from onnxgrad.compiler.gradients import ZERO_GRADIENT
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.opset import OPSET
from onnxgrad.compiler.standard.verifier import verify

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # IsNaN, IsInf

NOT_AT_21 = {"BitCast": "it came with opset 26, and ONNX gives it no body of other operators"}

NOT_IN_ONNXRUNTIME = {
    "Bernoulli": "it draws a one where it should draw a zero; our backend writes another node",
    "FlexAttention": "it has no kernel, and knows no body",
    "ImageDecoder": "it has no kernel",
    "StringNormalizer": "it wants an en_US locale of the system",
}

NEEDS_SIZES = {"CausalConvWithState": "ONNX gives it a body where the channels are known"}

CANNOT_RUN = (errors.NotImplemented, errors.Fail, errors.InvalidGraph, errors.InvalidArgument)

Row = tuple[OldCall, int]


def name_of(row: Row) -> str:
    return f"{row[0].op}-{row[1]}"


def in_onnxruntime(model: onnx.ModelProto, feeds: Feeds) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it warns of every opset before 7
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def independent(call: OldCall, version: int) -> Any:
    """Give the outputs by closed form, by onnxruntime or by onnx.reference, in this order."""
    if call.expected is not None:
        results = call.expected(*(a for a in call.inputs if a is not None))
        return results if isinstance(results, tuple) else (results,)
    feeds = call.feeds(np.float32)
    if call.as_of is not None:
        return in_onnxruntime((call.like or call).model(call.as_of, np.float32), feeds)
    model = call.model(version, np.float32)
    try:
        return in_onnxruntime(model, feeds)
    except CANNOT_RUN:
        return ReferenceEvaluator(model).run(None, feeds)


def run(graph: og.Graph, feeds: Feeds) -> list[Any]:
    """Give the outputs, each of the type that the graph says."""
    results = og.compile(graph).run(feeds)
    for value in graph.outputs:
        array = results[value.name]
        assert isinstance(value.type, TensorType) and array.dtype == value.dtype
        if value.shape is not None:
            for dim, size in zip(value.shape, array.shape, strict=True):
                assert dim == size or isinstance(dim, str)
    return [results[v.name] for v in graph.outputs]


def assert_same(actual: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    if expected.dtype.kind in "OSUb":
        np.testing.assert_array_equal(actual, expected)
    else:
        scale = max(1.0, np.abs(expected[np.isfinite(expected)]).max(initial=0.0))
        np.testing.assert_allclose(actual, expected, rtol=5e-6, atol=5e-6 * scale)


def test_every_version_of_every_operator_has_a_call() -> None:
    calls = [*ROWS, *((call, version) for call, version, _ in REFUSED)]
    tried = {(call.domain, call.op, version) for call, version in calls}
    missing = [
        f"{name}-{schema.since_version}"
        for (domain, name), schemas in history().items()
        for schema in schemas
        if (domain, name, schema.since_version) not in tried
    ]
    assert not missing, f"add calls to tests/helpers/old_calls: {missing}"


def test_every_attribute_that_went_is_given_by_a_call() -> None:
    """Where a version drops an attribute, or changes its default, old calls must be upgraded."""
    missing = [
        f"{name}-{old.since_version} {attribute}"
        for (_, name), schemas in history().items()
        for old, new in zip(schemas, schemas[1:], strict=False)
        for attribute in set(old.attributes) - set(new.attributes)
        if not any(
            call.op == name and version == old.since_version and call.gives(attribute)
            for call, version in ROWS
        )
    ]
    assert not missing, f"add calls to tests/helpers/old_calls: {missing}"


def test_every_call_is_read_at_some_version() -> None:
    read = {id(call) for call, _ in ROWS}
    assert not [str(call) for call in WRITTEN if id(call) not in read]


@pytest.mark.parametrize(("call", "version"), ROWS, ids=map(name_of, ROWS))
def test_values(call: OldCall, version: int) -> None:
    """What is read computes as an independent source does, and so does what is written of it.

    It is written at the newest opset, and at our default for onnxruntime.
    """
    graph = og.load(call.model(version, np.float32))
    verify(graph)
    feeds = call.feeds(np.float32)
    actual = run(graph, feeds)
    for a, b in zip(actual, independent(call, version), strict=True):
        assert_same(a, b)
    again = og.load(og.to_onnx(graph, OPSET))
    assert [v.name for v in again.outputs] == [v.name for v in graph.outputs]
    for a, b in zip(run(again, feeds), actual, strict=True):
        assert_same(a, b)
    if call.op in NOT_AT_21:
        with pytest.raises(og.UnsupportedOpError, match=call.op):
            og.to_onnx(graph)
        return
    written = og.to_onnx(graph)
    onnx.checker.check_model(written, full_check=True)
    if call.op not in NOT_IN_ONNXRUNTIME:
        for a, b in zip(in_onnxruntime(written, feeds), actual, strict=True):
            assert_same(a, b)


def is_differentiable(row: Row) -> bool:
    call, _ = row
    return bool(call.differentiated()) and (call.domain, call.op) not in ZERO_GRADIENT


DIFFERENTIABLE = [row for row in ROWS if is_differentiable(row)]


@pytest.mark.parametrize(("call", "version"), DIFFERENTIABLE, ids=map(name_of, DIFFERENTIABLE))
def test_gradient_is_the_difference(call: OldCall, version: int) -> None:
    """Along one direction of all inputs, whose sizes are known at run time only."""
    single = call.domain == "ai.onnx.ml"  # its results are float32
    double = call.is_accepted(version, np.float64) and not single
    dtype, step, tolerance = (np.float64, 1e-6, 1e-5) if double else (np.float32, 1e-2, 2e-3)
    graph = og.load(call.model(version, dtype, symbolic=call.op not in NEEDS_SIZES))
    feeds, wrt = call.feeds(dtype), call.differentiated()
    forward = og.compile(graph)
    results = forward.run(feeds)
    random = np.random.default_rng(7)

    def draw(array: Any) -> Any:
        return np.asarray(random.uniform(0.5, 1.5, array.shape), array.dtype)

    of = [v.name for v in graph.outputs if v.dtype.kind == "f"]
    seeds = {name: draw(results[name]) for name in of}
    way = {name: draw(feeds[name]) for name in wrt}
    ahead, behind = (
        forward.run(feeds | {n: feeds[n] + s * step * way[n] for n in wrt}) for s in (1, -1)
    )
    differences = ((ahead[n].astype(float) - behind[n]) / (2 * step) for n in of)
    expected = sum((d * s).sum() for d, s in zip(differences, seeds.values(), strict=True))
    gradient = og.compile(og.vjp(graph, of, wrt, allow_unused=True))
    found = gradient.run(feeds | {f"{n}.grad": seed for n, seed in seeds.items()})
    actual = sum((found[f"{n}.grad"] * way[n]).sum() for n in wrt)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize(("call", "version", "reason"), REFUSED, ids=[c.op for c, *_ in REFUSED])
def test_what_cannot_be_said_today_is_refused(call: OldCall, version: int, reason: str) -> None:
    with pytest.raises(og.OnnxgradError, match=reason) as caught:
        og.load(call.model(version, np.float32))
    assert call.op in "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


@pytest.mark.parametrize("version", [1, 6, 12, 13, 22])
def test_dropout_in_training(version: int) -> None:
    """Elements are dropped or scaled up, both happens, and the gradient drops the same."""
    x, ratio = np.ones((20, 50), np.float32), 0.25
    held = [np.array(ratio, np.float32), np.array(True)] if version > 10 else []
    attributes = {} if held else {"ratio": ratio}
    call = OldCall("Dropout", [x.astype(np.float64), *held], attributes, outputs=2)
    graph = og.vjp(og.load(call.model(version, np.float32)), "y0", "x0")
    results = og.compile(graph).run({"x0": x, "y0.grad": x})
    kept = results["y1"].astype(bool)
    assert results["y1"].dtype == (bool if held else np.float32)
    assert 0.15 < 1 - kept.mean() < 0.35
    for name in ("y0", "x0.grad"):
        np.testing.assert_allclose(results[name], kept / (1 - ratio), rtol=1e-6)


@pytest.mark.parametrize("version", [2, 11, 13])
@pytest.mark.parametrize("size", ["N", None])
def test_a_split_into_equal_parts_whose_size_run_time_tells(version: int, size: Any) -> None:
    """Stock onnxruntime refuses 5 rows for 2 outputs; before opset 18 no part could be shorter."""
    info = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Split", ["x"], ["y", "z"], axis=0)
    x = info("x", onnx.TensorProto.FLOAT, [size, 2])
    outputs = [info(name, onnx.TensorProto.FLOAT, None) for name in "yz"]
    graph = onnx.helper.make_graph([node], "parts", [x], outputs)
    opsets = [onnx.helper.make_opsetid("", version)]
    read = og.load(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8))
    for backend in ("numpy", "onnxruntime"):
        compiled = og.compile(read, backend)
        even = np.arange(12, dtype=np.float32).reshape(6, 2)
        found = compiled.run({"x": even})
        np.testing.assert_array_equal(found["y"], even[:3])
        np.testing.assert_array_equal(found["z"], even[3:])
        with pytest.raises(og.GraphError, match="Split"):
            compiled.run({"x": even[:5]})
