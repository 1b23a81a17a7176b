"""A graph put into another: values, names, sizes, gradients, refusals."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og

W = np.arange(6, dtype=np.float32).reshape(3, 2) / 5


def layer() -> og.Graph:
    b = og.Builder("layer")
    x = b.input("x", "float32", ("N", 3))
    b.output(b.op.Tanh(x @ b.parameter("w", W) + b.input("shift", "float32", (2,))), "y")
    return b.build()


X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def test_the_values_are_those_of_the_graph() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (4, 3))
    y = b.call(layer(), x=x * 2.0, shift=np.ones(2, np.float32))
    assert y.shape == (4, 2)
    b.output(b.call(layer(), x=x, shift=0.5 * y[0]), "z")
    g = b.build()
    assert [v.name for v in g.parameters] == ["w", "w_1"] and [v.name for v in g.inputs] == ["x"]
    first = np.tanh(2 * X @ W + 1)
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(g, backend).run({"x": X})["z"]
        np.testing.assert_allclose(found, np.tanh(X @ W + 0.5 * first[0]), rtol=1e-5)
    b.output(b.op.ReduceSum(b.value("z"), keepdims=0), "loss")
    assert og.check_gradients(b.build(), "loss", ["x", "w", "w_1"], {"x": X}, ["numpy"])


def test_several_outputs_and_bodies() -> None:
    inner = og.Builder("loop")
    x, w = inner.input("x", "float32", ("N", 2)), inner.parameter("w", np.eye(2, dtype=np.float32))
    body = inner.subgraph(lambda i, go, s: (go, s @ w * 2.0), ("int64", ()), ("bool", ()), x)
    inner.output(inner.op.Loop(3, None, x, body=body), "last")
    inner.output(x + 1.0, "more")
    b = og.Builder()
    start = b.input("start", "float32", ("M", 2))
    last, more = b.call(inner.build(), x=start)
    again, _ = b.call(inner.build(), x=last)
    assert last.shape[1:] == (2,) and more.shape == ("M", 2)
    b.output(again, "y")
    found = og.compile(b.build()).run({"start": np.ones((3, 2), np.float32)})
    np.testing.assert_array_equal(found["y"], np.full((3, 2), 64))


def test_within_a_branch() -> None:
    """Parameters land in the graph around, so that they train."""
    b = og.Builder()
    x, flag = b.input("x", "float32", ("N", 3)), b.input("flag", "bool", ())
    zeros = np.zeros(2, np.float32)
    branches = [b.subgraph(lambda s=s: b.call(layer(), x=x * s, shift=zeros)) for s in (1.0, -1.0)]
    b.output(b.op.If(flag, then_branch=branches[0], else_branch=branches[1]), "y")
    g = b.build()
    assert [v.name for v in g.parameters] == ["w", "w_1"]
    found = og.compile(g).run({"x": X, "flag": np.array(False)})["y"]
    np.testing.assert_allclose(found, np.tanh(-X @ W), rtol=1e-5)


def test_a_graph_that_is_called_again_shares_its_parameters() -> None:
    """A body first, then outside: one set of weights, whose gradients sum over all calls."""
    inner = og.Builder("layer")
    weight = np.linspace(-1, 1, 6).reshape(3, 2)
    x = inner.input("x", "float64", ("N", 3))
    inner.output(inner.op.Tanh(x @ inner.parameter("w", weight)), "y")
    shared = inner.build()
    b = og.Builder("siamese")
    x, z = (b.input(name, "float64", ("N", 3)) for name in "xz")
    body = b.subgraph(
        lambda i, go, s: (go, s + b.op.ReduceSum(b.call(shared, x=x), keepdims=0)),
        *(("int64", ()), ("bool", ()), ("float64", ())),
    )
    total = b.op.Loop(2, None, np.array(0.0), body=body)
    both = b.call(shared, x=z) * b.call(shared, x=x * z)
    b.output(total + b.op.ReduceSum(both, keepdims=0), "loss")
    g = b.build()
    assert [v.name for v in g.parameters] == ["w"]
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(size=(4, 3)) for name in "xz"}

    def loss(w: np.ndarray) -> float:
        x, z = feeds.values()
        return float(2 * np.tanh(x @ w).sum() + (np.tanh(z @ w) * np.tanh((x * z) @ w)).sum())

    result = og.compile(og.grad(g, "loss", "w")).run(feeds)
    np.testing.assert_allclose(result["loss"], loss(weight), rtol=1e-12)
    steps = 1e-5 * np.eye(6).reshape(6, 3, 2)
    slopes = [(loss(weight + s) - loss(weight - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(result["w.grad"].ravel(), slopes, rtol=1e-7)
    step = og.compile(og.train_step(g, "loss", og.optim.SGD(0.1))).stepper()
    step.run(feeds)
    assert step.state().keys() == {"w"}
    np.testing.assert_allclose(step.state()["w"], weight - 0.1 * result["w.grad"], rtol=1e-12)


def test_a_copy_and_another_builder_have_weights_of_their_own() -> None:
    shared, zeros = layer(), np.zeros(2, np.float32)
    for _ in range(2):
        b = og.Builder()
        x = b.input("x", "float32", ("N", 3))
        first, second = (b.call(g, x=x, shift=zeros) for g in (shared, shared.copy()))
        b.output(first + second + b.call(shared, x=x, shift=zeros), "y")
        assert [v.name for v in b.build().parameters] == ["w", "w_1"]


def test_what_is_built_on_a_graph_shares_its_parameters() -> None:
    g = layer()
    b = og.Builder.extend(g)
    other = b.input("other", "float32", ("N", 3))
    b.output(b.value("y") - b.call(g, x=other, shift=b.value("shift")), "difference")
    assert [v.name for v in b.build().parameters] == ["w"]


def test_a_weight_that_changed_between_two_calls_is_refused() -> None:
    g, zeros = layer(), np.zeros(2, np.float32)
    b = og.Builder()
    x = b.input("x", "float32", ("N", 3))
    b.call(g, x=x, shift=zeros)
    g.find("w").constant = W + 1
    with pytest.raises(og.GraphError, match="'w' of 'layer' holds another array .* layer.copy()"):
        b.call(g, x=x, shift=zeros)


def test_unknown_sizes_of_two_calls_are_two() -> None:
    """How many elements are not zero is not the same in both."""
    inner = og.Builder("nonzero")
    inner.output(inner.op.NonZero(inner.input("x", "float32", ("K",))), "places")
    b = og.Builder()
    x = b.input("x", "float32", ("K",))
    first, second = (b.call(inner.build(), x=v) for v in (x, x * 0.0))
    assert first.shape[1] != second.shape[1]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": "x"}, "'layer' needs its inputs shift, too"),
        ({"x": "x", "shift": "s", "z": "x"}, "'layer' has no input 'z'"),
        ({"x": "x", "shift": "x"}, "input 'shift' is float32\\[2\\], got float32\\[4, 3\\]"),
        ({"x": "x", "shift": "d"}, "input 'shift' is float32\\[2\\], got float64"),
        ({"x": "x", "shift": "n"}, "wants the size 2 in its input 'shift', which is M here"),
        ({"x": "x", "shift": "three"}, "wants the size 2 in its input 'shift', which is 3 here"),
    ],
)
def test_refusals(inputs: dict[str, str], message: str) -> None:
    b = og.Builder()
    tensors: dict[str, Any] = {
        "x": b.input("x", "float32", (4, 3)), "s": b.input("s", "float32", (2,)),
        "d": b.input("d", "float64", (2,)), "n": b.input("n", "float32", ("M",)),
        "three": np.ones(3, np.float32),
    }  # fmt: skip
    with pytest.raises(og.GraphError, match=message):
        b.call(layer(), **{name: tensors[key] for name, key in inputs.items()})


def test_one_name_is_one_size() -> None:
    inner = og.Builder("pair")
    x, y = (inner.input(name, "float32", ("N",)) for name in "xy")
    inner.output(x + y, "sum")
    b = og.Builder()
    tensors = {name: b.input(name, "float32", (size,)) for name, size in (("x", "A"), ("y", "B"))}
    with pytest.raises(og.GraphError, match="takes 'N' for one size, but 'y' makes it B .* A"):
        b.call(inner.build(), **tensors)
