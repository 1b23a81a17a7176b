"""NaN and infinity go where the mathematics takes them: nothing fails, nothing else is harmed."""

from dataclasses import replace

import numpy as np
import pytest
from not_finite import is_right, judge
from op_samples import SAMPLES
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of

import onnxgrad as og

BACKENDS = ("numpy", "onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.mark.parametrize("index", range(0, len(SAMPLES), 9), ids=lambda k: f"{k}-{SAMPLES[k].op}")
def test_a_bad_number_harms_only_what_depends_on_it(index: int) -> None:
    found = [o for o in judge(index, 1, frozenset()) if not o.is_pending]
    assert not [o for o in found if not is_right(o)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_a_nan_point_of_a_grid_is_nan_and_no_other(backend: str, padding: str, mode: str) -> None:
    b = og.Builder()
    x, grid = b.input("x", "float32", (1, 2, 3, 3)), b.input("grid", "float32", (1, 2, 2, 2))
    b.output(b.op.GridSample(x, grid, mode=mode, padding_mode=padding), "y")
    g = og.vjp(b.build(), "y", ["x", "grid"], allow_unused=True)
    f = og.compile(g, backend=backend)
    random = np.random.default_rng(3)
    feeds = {
        "x": random.normal(size=(1, 2, 3, 3)).astype(np.float32),
        "grid": random.uniform(-0.9, 0.9, (1, 2, 2, 2)).astype(np.float32),
        "y.grad": random.normal(size=(1, 2, 2, 2)).astype(np.float32),
    }
    clean = f.run(feeds)
    feeds["grid"][0, 0, 1, 0] = np.nan
    spoiled = f.run(feeds)
    rest = np.ones((2, 2), bool)
    rest[0, 1] = False
    assert np.isnan(spoiled["y"][..., ~rest]).all()
    np.testing.assert_allclose(spoiled["y"][..., rest], clean["y"][..., rest], rtol=1e-5)
    if mode != "nearest":  # its gradient by the grid is 0 anywhere
        assert np.isnan(spoiled["grid.grad"][:, ~rest, 0]).all()
    after, before = (r["grid.grad"][:, rest] for r in (spoiled, clean))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    feeds["y.grad"][0, :, 0, 1] = 0  # without the point
    feeds["grid"][0, 0, 1, 0] = 0.1
    np.testing.assert_allclose(spoiled["x.grad"], f.run(feeds)["x.grad"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_a_bad_region_is_nan_and_no_other(mode: str, bad: float) -> None:
    b = og.Builder()
    x, regions = b.input("x", "float32", (1, 2, 6, 6)), b.input("r", "float32", (3, 4))
    y = b.op.RoiAlign(x, regions, [0, 0, 0], mode=mode, output_height=2, output_width=2)
    b.output(y, "y")
    f = og.compile(og.vjp(b.build(), "y", ["x", "r"]))
    feeds = {
        "x": np.random.default_rng(1).normal(size=(1, 2, 6, 6)).astype(np.float32),
        "r": np.array([[0, 0, 3, 3], [1, 1, 5, 4], [2, 0, 5, 5]], np.float32),
        "y.grad": np.ones((3, 2, 2, 2), np.float32),
    }
    clean = f.run(feeds)
    feeds["r"][1, 2] = bad
    spoiled = f.run(feeds)
    assert np.isnan(spoiled["y"][1]).all() and np.isnan(spoiled["r.grad"][1, 2])
    for name in ("y", "r.grad"):
        np.testing.assert_allclose(spoiled[name][[0, 2]], clean[name][[0, 2]], rtol=1e-5)
    assert np.isfinite(spoiled["x.grad"]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op_type", ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
def test_scores_of_an_ignored_label_may_be_nan(backend: str, op_type: str) -> None:
    b = og.Builder()
    x = b.input("x", "float32", (3, 4))
    b.output(getattr(b.op, op_type)(x, np.array([1, -1, 3]), ignore_index=-1), "y")
    scores = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    f = og.compile(og.grad(b.build(), "y", "x"), backend=backend)
    clean = f.run({"x": scores})["x.grad"]
    scores[1] = [np.nan, np.inf, 0, -np.inf]
    np.testing.assert_allclose(f.run({"x": scores})["x.grad"], clean, rtol=1e-5)
    assert not clean[1].any()


@pytest.mark.parametrize("op_type", ["RNN", "GRU", "LSTM"])
def test_what_lies_after_a_sequence_may_be_nan(op_type: str) -> None:
    sample = next(
        s for s in SAMPLES if s.op == op_type and len(s.inputs) > 4 and s.inputs[4] is not None
    )
    layout = sample.attributes.get("layout", 0)
    lengths, x = sample.inputs[4], np.array(sample.inputs[0])
    assert lengths is not None
    after = np.zeros(x.shape[:2], bool)
    for k, length in enumerate(lengths):
        if layout:
            after[k, length:] = True
        else:
            after[length:, k] = True
    x[after] = np.nan
    if not after.any():
        pytest.fail("the sample has no padding")
    sample = replace(sample, inputs=[x, *sample.inputs[1:]])
    graph = graph_of(sample)
    feeds = feeds_of(graph, sample)
    results = og.compile(graph).run(feeds)
    backward = og.compile(og.vjp(graph, float_outputs(graph), wrt_of(sample)))
    gradients = backward.run({**feeds, **cotangents(results, float_outputs(graph))})
    for name, array in gradients.items():
        assert np.isfinite(array).all(), name
