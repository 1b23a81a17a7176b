"""Half precision for chosen operators: where casts stand, and that training still arrives."""

import numpy as np
import pytest

import onnxgrad as og


def network(dtype: str = "float32") -> og.Graph:
    """Two layers on eight numbers, three classes."""
    random = np.random.default_rng(0)
    b = og.Builder("network")
    h = b.input("x", dtype, ("N", 8))
    for k, (rows, columns) in enumerate([(8, 32), (32, 3)]):
        w = random.normal(size=(rows, columns)) / np.sqrt(rows)
        h = h @ b.parameter(f"w{k}", w.astype(dtype))
        h = h + b.parameter(f"c{k}", np.zeros(columns, dtype))
        h = b.op.Tanh(h) if k == 0 else h
    b.output(h, "logits")
    return og.losses.cross_entropy(b.build())


def losses_of(graph: og.Graph, optimizer: og.optim.Optimizer, steps: int) -> np.ndarray:
    """Train on one fixed task, whose classes are a noisy function of x."""
    random = np.random.default_rng(1)
    x = random.normal(size=(256, 8)).astype(np.float32)
    label = (x[:, :3] + 0.5 * random.normal(size=(256, 3))).argmax(1)
    trainer = og.compile(og.train_step(graph, optimizer=optimizer), "onnxruntime").stepper()
    dtype = graph.inputs[0].dtype
    found = []
    for k in range(steps):
        rows = slice(k * 32 % 256, k * 32 % 256 + 32)
        found.append(float(trainer(x=x[rows].astype(dtype), label=label[rows])["loss"]))
    return np.array(found)


def test_casts_stand_around_products_alone() -> None:
    graph = og.mixed_precision(network())
    kinds = [(n.op_type, v.dtype.name) for n in graph.nodes() for v in n.writes()]
    assert [k for k in kinds if k[0] == "MatMul"] == [("MatMul", "float16")] * 2
    assert {d for op, d in kinds if op in ("Add", "Tanh", "SoftmaxCrossEntropyLoss")} == {"float32"}
    assert {v.dtype.name for v in graph.values() if v.parameter} == {"float32"}
    assert [v.name for v in graph.outputs] == ["logits", "loss"]


def test_what_is_half_already_is_not_cast_to_and_fro() -> None:
    b = og.Builder()
    x, w = b.input("x", "float32", (4, 4)), b.parameter("w", np.eye(4, dtype=np.float32))
    b.output(x @ w @ w, "y")
    graph = og.mixed_precision(b.build())
    assert sum(n.op_type == "Cast" for n in graph.nodes()) == 3  # x, w, and the result


def test_bodies_of_loops_are_halved_too() -> None:
    b = og.Builder()
    x, w = b.input("x", "float32", (2, 2)), b.parameter("w", np.eye(2, dtype=np.float32))
    body = b.subgraph(lambda i, keep, s: (keep, s @ w), ("int64", ()), ("bool", ()), x)
    b.output(b.op.Loop(3, None, x, body=body), "y")
    graph = og.mixed_precision(b.build(), "bfloat16")
    feeds = {"x": np.full((2, 2), 1 / 3, np.float32)}
    value = og.compile(graph).run(feeds)["y"]
    np.testing.assert_allclose(value, 1 / 3, rtol=1e-2)
    assert (value != feeds["x"]).all()


@pytest.mark.parametrize("kind", ["mixed", "float16"])
def test_a_thousand_steps_follow_float32(kind: str) -> None:
    """Within one percent of the loss, by its mean over each pass through the data."""
    adam = og.optim.Adam(1e-3)
    wide = losses_of(network(), adam, 1000)
    graph = og.mixed_precision(network()) if kind == "mixed" else network("float16")
    half = losses_of(graph, og.optim.scale_loss(adam, start=1024.0), 1000)
    passes = [run.reshape(-1, 8).mean(1) for run in (wide, half)]
    assert passes[0][-1] < 0.7 * passes[0][0]
    np.testing.assert_allclose(passes[1], passes[0], rtol=0.01)


def test_refusals() -> None:
    with pytest.raises(og.GraphError, match="float16 or bfloat16, got float64"):
        og.mixed_precision(network(), "float64")
    with pytest.raises(og.GraphError, match="no Conv of the graph .* reads float32"):
        og.mixed_precision(network(), operators=["Conv"])
    with pytest.raises(og.GraphError, match="no Attention or .* reads float32"):
        og.mixed_precision(network("float16"))
