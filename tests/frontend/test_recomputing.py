"""Values computed again: fewer bytes at once, predicted and measured, and not a bit changes."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.peak_memory import peak_of
from onnxgrad.compiler.passes.recompute import PREFIX, Recomputation

BATCH, WIDTH, LAYERS = 1024, 64, 6


def network(batch: int | str = BATCH, dropout: bool = False) -> og.Graph:
    """Layers of LayerNormalization, a product, a bias and Gelu, with the sums around them."""
    rng = np.random.default_rng(0)
    b = og.Builder("network")
    h = b.input("x", "float32", (batch, WIDTH))
    for k in range(LAYERS):
        w = b.parameter(f"{k}.weight", (rng.normal(size=(WIDTH, WIDTH)) / 8).astype(np.float32))
        c = b.parameter(f"{k}.bias", np.zeros(WIDTH, np.float32))
        s = b.parameter(f"{k}.scale", np.ones(WIDTH, np.float32))
        y = b.op.Gelu(b.op.LayerNormalization(h, s)[0] @ w + c)
        h = h + (b.op.Dropout(y, 0.5, True, seed=3)[0] if dropout else y)
    b.output(b.op.ReduceMean(h * h, keepdims=0), "loss")
    return b.build()


X = np.random.default_rng(1).normal(size=(BATCH, WIDTH)).astype(np.float32)


def measured_peak(graph: og.Graph, feeds: dict[str, Any]) -> int:
    """Give the bytes of inputs and weights and the most that NumPy allocates beside them."""
    f = og.compile(graph)
    f.run(feeds)
    tracemalloc.start()
    f.run(feeds)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = [v.constant for v in graph.values() if graph.producer(v) is None]
    return (
        most + sum(a.nbytes for a in held if a is not None) + sum(a.nbytes for a in feeds.values())
    )


def test_the_peak_falls_below_the_limit_as_predicted_and_not_a_bit_changes() -> None:
    gradient = og.grad(network(), of="loss", wrt="*")
    before, nodes = og.cost(gradient).peak, len(gradient.nodes())
    assert before is not None
    limit = int(0.75 * before)
    fewer = og.recompute(gradient, limit)
    after = og.cost(fewer).peak
    assert after is not None and after <= limit
    assert len(gradient.nodes()) == nodes < len(fewer.nodes()), "the argument stays what it is"
    for graph, predicted in ((gradient, before), (fewer, after)):
        workspace = 3 * X.nbytes  # of kernels
        assert predicted - X.nbytes < measured_peak(graph, {"x": X}) < predicted + workspace
    wanted, found = (og.compile(g).run({"x": X}) for g in (gradient, fewer))
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
    for name, array in og.compile(fewer, "onnxruntime").run({"x": X}).items():
        np.testing.assert_allclose(array, wanted[name], rtol=1e-3, atol=1e-5)


def test_no_more_is_computed_again_than_the_limit_asks_for() -> None:
    gradient = og.grad(network(), of="loss", wrt="*")
    peak = peak_of(gradient).held
    assert len(og.recompute(gradient, "2GB").nodes()) == len(gradient.nodes())
    counts = [len(og.recompute(gradient, int(f * peak)).nodes()) for f in (0.95, 0.85, 0.75)]
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_a_limit_that_cannot_be_met_says_the_least() -> None:
    gradient = og.grad(network(), of="loss", wrt="*")
    with pytest.raises(og.GraphError, match="the limit is 1,000 bytes; the least possible is") as e:
        og.recompute(gradient, "1kB")
    least = int(str(e.value).split("possible is ")[1].split(", with")[0].replace(",", ""))
    assert og.cost(og.recompute(gradient, least)).peak == least
    with pytest.raises(og.GraphError, match="least possible"):
        og.recompute(gradient, least - 1)


def test_nothing_random_runs_twice() -> None:
    step = og.grad(network(dropout=True), of="loss", wrt="*")
    Recomputation(copy := step.copy()).lower(0)
    counts = [sum(n.op_type == "Dropout" for n in g.nodes()) for g in (step, copy)]
    assert counts == [LAYERS, LAYERS] and len(copy.nodes()) > len(step.nodes())


def test_products_run_once() -> None:
    gradient = og.grad(network(), of="loss", wrt="*")
    Recomputation(copy := gradient.copy()).lower(0)
    again = {n.op_type for n in copy.nodes() if any(PREFIX in v.name for v in n.writes())}
    assert again & {"Gelu", "LayerNormalization"} and not again & {"MatMul", "Gemm"}


def test_training_steps_and_files_stay_the_same() -> None:
    step = og.train_step(network(), "loss", og.optim.AdamW(1e-3))
    fewer = og.recompute(step, int(0.9 * peak_of(step).held))
    steppers = [og.compile(g).stepper() for g in (step, fewer)]
    for _ in range(3):
        losses = [s(x=X)["loss"] for s in steppers]
        assert losses[0] == losses[1]
    for name, array in steppers[0].state().items():
        np.testing.assert_array_equal(steppers[1].state()[name], array)
    state = og.initial_state(step)
    plain = og.load(og.to_onnx(fewer))
    assert any(PREFIX in v.name for v in plain.values())
    found, wanted = (
        og.compile(g).run({"x": X, **state}) for g in (plain, og.load(og.to_onnx(step)))
    )
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_keep_their_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    b = og.Builder("random")
    values = [b.input("x", "float32", (8, 8)), b.parameter("w", np.ones((8, 8), np.float32))]
    for _ in range(25):
        kind, (p, q) = (
            int(rng.integers(9)),
            (values[int(k)] for k in rng.integers(len(values), size=2)),
        )
        made = [
            lambda p, q: p @ q, lambda p, q: p + q, lambda p, q: p * q, lambda p, q: b.op.Tanh(p),
            lambda p, q: b.op.Transpose(p), lambda p, q: b.op.Softmax(p), lambda p, q: p - q,
            lambda p, q: b.op.Reshape(b.op.Transpose(p), [8, 8]),
            lambda p, q: b.op.Concat(p[2:], q[:2], axis=0),
        ][kind](p, q)  # fmt: skip
        values.append(b.op.Tanh(made) if kind == 0 else made)
    b.output(b.op.ReduceSum(values[-1] * values[-2], keepdims=0), "loss")
    b.output(values[int(rng.integers(len(values)))], "y")
    gradient = og.grad(b.build(), of="loss", wrt=["x", "w"], allow_unused=True)
    least = Recomputation(copy := gradient.copy()).lower(0)
    assert least <= peak_of(gradient).held and least == peak_of(copy).held
    x = rng.normal(size=(8, 8)).astype(np.float32)
    wanted, found = (og.compile(g).run({"x": x}) for g in (gradient, copy))
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("limit", ["2", "many GB", "-1GB", 0, -5, 2.5, None])
def test_wrong_limits_are_refused(limit: Any) -> None:
    with pytest.raises(og.GraphError, match="limit"):
        og.recompute(network(), limit)


@pytest.mark.parametrize(
    "limit, same", [("0.032MB", 32_000), ("32 kB", 32_000), ("32 KiB", 1 << 15)]
)
def test_limits_as_texts(limit: str, same: int) -> None:
    with pytest.raises(og.GraphError, match=f"the limit is {same:,} bytes"):
        og.recompute(og.grad(network(), of="loss", wrt="*"), limit)


def test_open_sizes_need_numbers() -> None:
    with pytest.raises(og.GraphError, match=r"depends on N; load the model with shapes=\{'N': 8\}"):
        og.recompute(network("N"), "1GB")
