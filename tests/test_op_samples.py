"""Every operator's forward, types and gradients, driven by the rows of helpers/op_samples."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from finite_differences import along_directions, finite_differences
from onnx.reference import ReferenceEvaluator
from op_samples import SAMPLES
from op_samples.graphs import (
    Arrays,
    assert_close,
    cotangents,
    feeds_of,
    float_outputs,
    graph_of,
    wrt_of,
)
from op_samples.sample import Sample

import onnxgrad as og

IDS = [f"{k}-{s}" for k, s in enumerate(SAMPLES)]
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=IDS)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.reference], ids=str)
def test_forward_is_the_reference(sample: Sample) -> None:
    graph = graph_of(sample)
    feeds = feeds_of(graph, sample)
    expected: Any = ReferenceEvaluator(og.to_onnx(graph)).run(None, feeds)
    actual = og.compile(graph).run(feeds)
    for value, reference in zip(graph.outputs, expected, strict=True):
        assert_close(actual[value.name], reference, sample.forward_tolerance)
        assert actual[value.name].dtype == value.dtype
        assert value.shape is not None and len(value.shape) == actual[value.name].ndim
        for dim, size in zip(value.shape, actual[value.name].shape, strict=True):
            assert dim == size or isinstance(dim, str)


@every_sample
def test_inputs_stay_and_may_be_strided(sample: Sample) -> None:
    graph = graph_of(sample)
    feeds = feeds_of(graph, sample)
    expected = og.compile(graph).run(feeds)
    strided = {n: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a for n, a in feeds.items()}
    actual = og.compile(graph).run(strided)
    for name, array in feeds.items():
        np.testing.assert_array_equal(strided[name], array)
    for name in expected:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-12, atol=1e-12)


@every_sample
def test_gradient_is_the_finite_difference(sample: Sample) -> None:
    forward = graph_of(sample)
    compiled = og.compile(forward)
    feeds = feeds_of(forward, sample)
    of, wrt = float_outputs(forward), wrt_of(sample)
    seeds = cotangents(compiled.run(feeds), of)

    def loss(moved: Arrays) -> float:
        results = compiled.run(moved)
        return float(sum((results[n] * seeds[f"{n}.grad"]).sum() for n in of))

    actual = og.compile(og.vjp(forward, of, wrt)).run({**feeds, **seeds})
    for name in wrt:
        expected = finite_differences(loss, feeds, name)
        assert actual[f"{name}.grad"].shape == expected.shape
        assert_close(actual[f"{name}.grad"], expected, sample.tolerance)


@every_sample
def test_gradient_is_the_same_where_sizes_are_known_at_run_time_only(sample: Sample) -> None:
    static, symbolic = graph_of(sample), graph_of(sample, symbolic=True)
    of, wrt = float_outputs(static), wrt_of(sample)
    feeds = feeds_of(symbolic, sample)
    feeds |= cotangents(og.compile(symbolic).run(feeds), of)
    actual = og.compile(og.vjp(symbolic, of, wrt)).run(feeds)
    graph = og.vjp(static, of, wrt)
    expected = og.compile(graph).run({v.name: feeds[v.name] for v in graph.inputs})
    for name in expected:
        assert actual[name].shape == expected[name].shape
        assert_close(actual[name], expected[name], 1e-10)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.second_order], ids=str)
def test_second_order_is_the_finite_difference_of_the_gradient(sample: Sample) -> None:
    forward = graph_of(sample)
    feeds = feeds_of(forward, sample)
    of, wrt = float_outputs(forward), wrt_of(sample)
    seeds = cotangents(og.compile(forward).run(feeds), of)
    first = og.vjp(forward, of, wrt)
    compiled = og.compile(first)
    gradients = [f"{n}.grad" for n in wrt]
    directions = cotangents(compiled.run({**feeds, **seeds}), gradients)

    def projected(moved: Arrays) -> float:
        results = compiled.run(moved)
        return float(sum((results[n] * directions[f"{n}.grad"]).sum() for n in gradients))

    every = [*wrt, *seeds]
    names = {n: f"{n}.second" for n in every}
    second = og.vjp(first, gradients, every, names=names, allow_unused=True)
    actual = og.compile(second).run({**feeds, **seeds, **directions})
    for name in every:
        found = along_directions(projected, {**feeds, **seeds}, name, actual[names[name]])
        assert_close(*found, 10 * sample.tolerance)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.third_order], ids=str)
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
def test_third_order_is_the_finite_difference_of_the_second(sample: Sample, symbolic: bool) -> None:
    graph = graph_of(sample, symbolic)
    of, wrt = float_outputs(graph), wrt_of(sample)
    feeds = feeds_of(graph, sample)
    for order in range(2):
        feeds |= cotangents(og.compile(graph).run(feeds), of)
        names = {n: f"{n}.order{order}" for n in wrt}
        graph, of = og.vjp(graph, of, wrt, names=names, allow_unused=True), list(names.values())
    second = og.compile(graph)
    seeds = cotangents(second.run(feeds), of)

    def projected(moved: Arrays) -> float:
        results = second.run(moved)
        return float(sum((results[n] * seeds[f"{n}.grad"]).sum() for n in of))

    third = og.compile(og.vjp(graph, of, wrt, allow_unused=True)).run({**feeds, **seeds})
    for name in wrt:
        found = along_directions(projected, feeds, name, third[f"{name}.grad"])
        assert_close(*found, 100 * sample.tolerance)


@every_sample
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
def test_forward_mode_is_the_directional_difference(sample: Sample, symbolic: bool) -> None:
    forward = graph_of(sample)
    compiled = og.compile(forward)
    feeds = feeds_of(forward, sample)
    of, wrt = float_outputs(forward), wrt_of(sample)
    directions = cotangents(feeds, wrt, ".tangent")
    ahead, behind = (
        compiled.run(feeds | {n: feeds[n] + h * directions[f"{n}.tangent"] for n in wrt})
        for h in (1e-6, -1e-6)
    )
    graph = graph_of(sample, symbolic)
    pushed = og.compile(og.jvp(graph, of, wrt, allow_unused=True))
    actual = pushed.run({**feeds_of(graph, sample), **directions})
    for name in of:
        expected = (ahead[name] - behind[name]) / 2e-6
        assert actual[f"{name}.tangent"].shape == expected.shape
        assert_close(actual[f"{name}.tangent"], expected, sample.tolerance)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.third_order], ids=str)
def test_second_order_of_a_batch_is_that_of_each_example(sample: Sample) -> None:
    forward = graph_of(sample)
    feeds = feeds_of(forward, sample)
    of, (first, *_) = float_outputs(forward), wrt_of(sample)
    feeds |= cotangents(og.compile(forward).run(feeds), of)
    graph = og.vjp(forward, of, [first])
    names = {first: "second"}
    single = og.compile(og.vjp(graph, [f"{first}.grad"], [first], names=names, allow_unused=True))
    batched = og.vjp(
        og.vmap(graph, [first]), [f"{first}.grad"], [first], names=names, allow_unused=True
    )
    batch = [feeds[first], feeds[first] * 0.9]
    seeds = [cotangents({f"{first}.grad": x}, [f"{first}.grad"]) for x in batch]
    expected = [
        single.run({**feeds, **s, first: x})["second"] for s, x in zip(seeds, batch, strict=True)
    ]
    together = {n: np.stack([s[n] for s in seeds]) for n in seeds[0]}
    actual = og.compile(batched).run({**feeds, **together, first: np.stack(batch)})["second"]
    assert_close(actual, np.stack(expected), 1e-9)


def first_input_is_float(sample: Sample) -> bool:
    first = sample.inputs[0]
    return first is not None and first.dtype == np.float64 and sample.wrt is None


@pytest.mark.parametrize("sample", [s for s in SAMPLES if first_input_is_float(s)], ids=str)
def test_vmap_is_a_loop_over_examples(sample: Sample) -> None:
    """Forward and gradient for a batch are those of each example; only x0 has the batch axis."""
    forward = graph_of(sample)
    feeds = feeds_of(forward, sample)
    of, wrt = float_outputs(forward), wrt_of(sample)
    graph = og.vjp(forward, of, wrt)
    seeds = cotangents(og.compile(forward).run(feeds), of)
    batch = [feeds["x0"], feeds["x0"] * 0.9 + 0.01]
    single = og.compile(graph)
    each = [single.run({**feeds, **seeds, "x0": x}) for x in batch]
    compiled = og.compile(og.vmap(graph, ["x0"]))
    together = compiled.run({**feeds, **seeds, "x0": np.stack(batch)})
    nothing = compiled.run({**feeds, **seeds, "x0": np.stack(batch)[:0]})
    for value in graph.outputs:
        expected = np.stack([r[value.name] for r in each])
        assert_close(together[value.name], expected, 1e-9)
        if all(isinstance(d, int) for d in value.shape or ()):
            assert nothing[value.name].shape == (0, *expected.shape[1:])


@every_sample
def test_vmap_over_every_float_is_a_loop_over_examples(sample: Sample) -> None:
    """All floats and cotangents have the batch axis; sizes and integers are run-time inputs."""
    if sample.op == "Range":
        sample = replace(sample, wrt=[0])  # the others say how many numbers there are
    graph = graph_of(sample, symbolic=True)
    of, wrt = float_outputs(graph), wrt_of(sample)
    feeds = feeds_of(graph, sample)
    feeds |= cotangents(og.compile(graph).run(feeds), of)
    graph = og.vjp(graph, of, wrt)
    moving = [*wrt, *(f"{n}.grad" for n in of)]
    batch = [feeds, feeds | {n: feeds[n] * 0.9 for n in moving}]
    single = og.compile(graph)
    each = [single.run(example) for example in batch]
    stacked = {n: np.stack([example[n] for example in batch]) for n in moving}
    together = og.compile(og.vmap(graph, moving)).run(feeds | stacked)
    for value in graph.outputs:
        expected = np.stack([r[value.name] for r in each])
        assert_close(together[value.name], expected, 1e-9)


BY_LENGTH = {
    "AffineGrid", "Col2Im", "Expand", "GatherND", "Reshape", "Squeeze", "Unsqueeze",
    *(f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min")),
    "ReduceProd", "ReduceSum", "ReduceSumSquare",
}  # fmt: skip
"""Operators whose output has a rank by the length of a list, or by sizes that are 1."""


@every_sample
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
def test_what_is_written_is_valid(sample: Sample, symbolic: bool) -> None:
    """ONNX's checker infers the same types as we; it refuses outputs whose rank none can know."""
    forward = graph_of(sample, symbolic, np.float32)
    for graph in (forward, og.vjp(forward, float_outputs(forward), wrt_of(sample))):
        if all(v.shape is not None for v in graph.outputs):
            onnx.checker.check_model(og.to_onnx(graph), full_check=True)
        else:
            assert symbolic and sample.op in BY_LENGTH


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.onnxruntime], ids=str)
def test_onnxruntime_agrees(sample: Sample) -> None:
    """The exported gradient gives the same numbers in onnxruntime."""
    forward = graph_of(sample, dtype=np.float32)
    graph = og.vjp(forward, float_outputs(forward), wrt_of(sample))
    feeds = feeds_of(graph, sample)
    results = og.compile(forward).run(feeds)
    feeds |= cotangents(results, float_outputs(forward))
    expected = og.compile(graph).run(feeds)
    actual = og.compile(graph, "onnxruntime").run(feeds)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert_close(actual[name], array, 1e-4 if array.dtype.kind == "f" else 0)
