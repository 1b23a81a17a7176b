"""Which weights a training step changes: patterns, what is frozen, and what that costs."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og

SGD = og.optim.SGD(0.1)


def layers(count: int = 4) -> og.Graph:
    """loss = Σ tanh(… tanh(x·w₀ + c₀) …)², with a table of sines added to x."""
    b = og.Builder()
    x = b.input("x", "float32", (6, 3))
    steps = np.arange(6, dtype=np.float32)[:, None]
    h = x + b.parameter("table", np.sin(steps * [1, 0.5, 0.1]).astype(np.float32))
    rng = np.random.default_rng(0)
    for k in range(count):
        w = b.parameter(f"layer{k}.weight", rng.normal(size=(3, 3)).astype(np.float32))
        h = b.op.Tanh(h @ w + b.parameter(f"layer{k}.bias", np.zeros(3, np.float32)))
    b.output(b.op.ReduceSum(h * h, keepdims=0), "loss")
    return b.build()


def trained(**choice: Any) -> list[str]:
    return list(og.initial_state(og.train_step(layers(2), "loss", SGD, **choice)))


def test_a_constant_is_not_trained_by_default() -> None:
    weights = ["layer0.weight", "layer0.bias", "layer1.weight", "layer1.bias"]
    assert trained() == trained(parameters="*") == weights
    assert trained(parameters=["table"]) == ["table"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"frozen": "layer0.*"}, ["layer1.weight", "layer1.bias"]),
        ({"frozen": ["layer0.*", "layer1.bias"]}, ["layer1.weight"]),
        ({"parameters": "layer1.*", "frozen": "*.bias"}, ["layer1.weight"]),
        ({"parameters": ["layer0.bias", "layer1.*"], "frozen": "*.bias"},
         ["layer0.bias", "layer1.weight"]),
        ({"frozen": "table", "parameters": "layer?.weight"}, ["layer0.weight", "layer1.weight"]),
    ],
)  # fmt: skip
def test_patterns(choice: dict[str, Any], names: list[str]) -> None:
    """A name stands against a pattern."""
    assert trained(**choice) == names


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"frozen": "*"}, "frozen=… leaves nothing to train"),
        ({"frozen": "*.wieght"}, r"frozen: nothing matches '\*.wieght'; there are table"),
        ({"frozen": "layr0.bias"}, "has no value 'layr0.bias'; did you mean 'layer0.bias'"),
        ({"frozen": []}, "frozen is an empty list"),
        ({"frozen": 3}, "frozen: a value goes by its name"),
        ({"parameters": "t*"}, r"'t\*' matches no weight, only 'table' \(constant: sines"),
        ({"parameters": "*.head"}, r"parameters: nothing matches '\*.head'"),
        (
            {"parameters": "layer0.bias", "frozen": "layer0.bias"},
            "parameters=… and frozen=… both name",
        ),
    ],
)
def test_refusals(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        trained(**choice)


def test_nothing_is_computed_below_the_lowest_trained_layer() -> None:
    """The way back to the last layer takes the same nodes under 2 layers and under 12."""
    added = {}
    for count in (2, 12):
        graph = layers(count)
        step = og.train_step(graph, "loss", SGD, frozen=[f"layer{k}.*" for k in range(count - 1)])
        added[count] = len(step.nodes()) - len(graph.nodes())
        last = graph.find(f"layer{count - 1}.weight")
        (product,) = graph.consumers(last)
        below = {v.name for v in graph.upstream([product.first_input]) if isinstance(v, og.Value)}
        gradients = [n for n in step.nodes() if n.output().name.startswith("grad/")]
        assert gradients
        for node in gradients:  # none is of a value below
            wrt = node.output().name.removeprefix("grad/").partition("/")[0]
            assert wrt not in below
    assert added[2] == added[12]
    full = og.train_step(layers(12), "loss", SGD)
    assert len(full.nodes()) - len(layers(12).nodes()) > 5 * added[12]


def test_a_single_number_that_may_be_a_weight_is_named_in_a_warning() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (3,)) * b.parameter("w", np.ones(3, np.float32))
    b.output(b.op.ReduceSum(x * b.parameter("factor", np.float32(2)), keepdims=0), "loss")
    with pytest.warns(UserWarning, match="not trained: factor; name"):
        og.train_step(b.build(), "loss", SGD)
