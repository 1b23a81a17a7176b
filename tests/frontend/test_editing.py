"""Parts of graphs, other names, other outputs."""

import json
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

FEEDS = {"x": np.arange(8, dtype=np.float32).reshape(2, 4) / 8}


def network() -> og.Graph:
    b = og.Builder()
    x, t = b.input("x", "float32", ("N", 4)), b.input("t", "float32", ("N", 2))
    h = b.op.Tanh(x @ b.parameter("w", np.ones((4, 3), np.float32)), name="hidden")
    logits = h @ b.parameter("v", np.ones((3, 2), np.float32))
    b.output(logits, "logits")
    b.output(b.op.Softmax(logits), "probabilities")
    b.output(b.op.ReduceSum((logits - t) * (logits - t), keepdims=0), "loss")
    return b.build()


def names(values: Any) -> list[str]:
    return [v.name for v in values]


def test_keep_drops_what_is_not_needed() -> None:
    g = network()
    part = og.keep(g, "hidden")
    assert names(part.inputs) == ["x"] and names(part.parameters) == ["w"]
    found = og.compile(part).run(FEEDS)
    np.testing.assert_allclose(found["hidden"], np.tanh(FEEDS["x"] @ np.ones((4, 3))), rtol=1e-6)
    assert names(og.keep(g, ["loss", "logits"]).outputs) == ["loss", "logits"]
    assert names(og.keep(g, "lo*").outputs) == ["logits", "loss"]
    assert names(g.outputs) == ["logits", "probabilities", "loss"]
    with pytest.raises(og.GraphError, match="no value 'logit'; did you mean 'logits'"):
        og.keep(g, "logit")


def test_keep_of_a_step_without_its_state_is_no_step() -> None:
    step = og.train_step(network(), "loss", og.optim.SGD(0.1))
    pairs = og.keep(step, [v for v in names(step.outputs) if v != "logits"])
    assert list(og.initial_state(pairs)) == ["w", "v"]
    with pytest.raises(og.GraphError, match="not a training step"):
        og.initial_state(og.keep(step, "loss"))


def test_rename() -> None:
    g = og.rename(network(), {"x": "image", "w": "v", "v": "w", "hidden": "features", "loss": "l"})
    assert names(g.inputs) == ["image", "t"] and names(g.parameters) == ["v", "w"]
    assert g.find("v").shape == (4, 3) and names(g.outputs)[2] == "l"
    assert set(og.compile(og.keep(g, "features")).run({"image": FEEDS["x"]})) == {"features"}


def test_rename_of_a_step_renames_its_state() -> None:
    step = og.train_step(network(), "loss", og.optim.SGD(0.1))
    renamed = og.rename(step, {"w": "weight", "w.new": "weight.new"})
    assert json.loads(renamed.metadata["onnxgrad.state"]) == {"weight": "weight.new", "v": "v.new"}
    stepper = og.compile(renamed).stepper()
    stepper.run({**FEEDS, "t": np.zeros((2, 2), np.float32)})
    assert set(stepper.state()) == {"weight", "v"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": "z"}, "no value 'y'"),
        ({"x": "t"}, "the name 't' is used twice"),
        ({"x": "a", "t": "a"}, "the name 'a' is used twice"),
        ({"x": 5}, "the new name of 'x' must be a text"),
        ({"x": ""}, "a name is a text that is not empty"),
        ("x", "names must be a dict"),
    ],
)
def test_rename_refuses(given: Any, message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.rename(network(), given)


def test_replace_output() -> None:
    g = og.replace_output(network(), "probabilities", "hidden")
    assert names(g.outputs) == ["logits", "probabilities", "loss"]
    feeds = {**FEEDS, "t": np.zeros((2, 2), np.float32)}
    found = og.compile(g).run(feeds)["probabilities"]
    np.testing.assert_allclose(found, np.tanh(FEEDS["x"] @ np.ones((4, 3))), rtol=1e-6)
    assert not any(n.op_type == "Softmax" for n in g.nodes())


def test_replace_output_by_another_output_or_an_input() -> None:
    feeds = {**FEEDS, "t": np.zeros((2, 2), np.float32)}
    before = og.compile(network()).run(feeds)
    swapped = og.compile(og.replace_output(network(), "probabilities", "logits")).run(feeds)
    np.testing.assert_array_equal(swapped["probabilities"], before["logits"])
    np.testing.assert_array_equal(swapped["logits"], before["logits"])
    given = og.compile(og.replace_output(network(), "logits", "t")).run(feeds)
    np.testing.assert_array_equal(given["logits"], feeds["t"])
    np.testing.assert_allclose(given["probabilities"], before["probabilities"])
    with pytest.raises(og.GraphError, match="'hidden' is not an output; those are logits"):
        og.replace_output(network(), "hidden", "t")


def test_a_pattern_stands_for_outputs_of_any_type() -> None:
    b = og.Builder()
    x, k = b.input("x", "float32", (2,)), b.input("k", "int64", (2,))
    b.output(x + 1, "y")
    b.output(k + 1, "next")
    b.output(b.op.Cast(k, to=9), "flags")
    assert [v.name for v in og.keep(b.build(), "*").outputs] == ["y", "next", "flags"]
