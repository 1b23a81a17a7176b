"""Updates write over the state of a stepper on NumPy, never over what anyone else can see."""

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.in_place import updates_in_place


def step(kept: str = "") -> og.Graph:
    """Two layers under AdamW; `kept` adds an output that is, or may be, a view of a weight."""
    b, random = og.Builder("net"), np.random.default_rng(0)
    x = b.input("x", "float32", (5, 300))
    w1 = b.parameter("w1", random.normal(size=(300, 400)).astype("f4") / 20)
    w2 = b.parameter("w2", random.normal(size=(400, 300)).astype("f4") / 20)
    h = b.op.Tanh(x @ w1) @ b.op.Transpose(b.op.Transpose(w2))
    b.output(b.op.ReduceMean((h - x) ** 2, keepdims=0), "loss")
    if kept == "view":
        b.output(b.op.Transpose(w1), "seen")
    if kept == "new array":
        b.output(w1 + 1, "seen")
    return og.train_step(b.build(), "loss", og.optim.AdamW(0.01))


def feedback(graph: og.Graph) -> dict[str, str]:
    return {v.name: f"{v.name}.new" for v in graph.inputs if v.name != "x"}


@pytest.mark.parametrize(("kept", "count"), [("", 2), ("view", 1), ("new array", 2)])
def test_only_what_nobody_reads_afterwards_is_written_over(kept: str, count: int) -> None:
    graph = step(kept)
    assert len(updates_in_place(graph, feedback(graph))) == count
    other = feedback(graph) | {"w1": "w2.new"}
    assert len(updates_in_place(graph, other)) < count


@pytest.mark.parametrize("kept", ["", "view", "new array"])
def test_steps_in_place_are_steps_by_hand(kept: str) -> None:
    graph, random = step(kept), np.random.default_rng(1)
    first = {n: np.array(a) for n, a in og.initial_state(graph).items()}
    given = {n: a.copy() for n, a in first.items()}
    compiled = og.compile(graph)
    stepper, state, seen = compiled.stepper(given), first, []
    for _ in range(3):
        x = random.normal(size=(5, 300)).astype("f4")
        expected = compiled.run({"x": x, **state})
        state = {n: expected[f"{n}.new"] for n in state}
        results = stepper(x=x)
        seen.append((results, expected))
        for name, array in stepper.state().items():
            np.testing.assert_array_equal(array, state[name])
    for results, expected in seen:  # later steps have not written over what earlier ones gave
        for name, result in results.items():
            np.testing.assert_array_equal(result, expected[name])
    for name, array in og.initial_state(graph).items():
        np.testing.assert_array_equal(given[name], array)


def test_a_step_holds_one_set_of_state() -> None:
    stepper = og.compile(step()).stepper()
    x = np.ones((5, 300), np.float32)
    stepper(x=x)
    held = stepper._stepper._state["w1.mean"]  # type: ignore[attr-defined]
    stepper(x=x)
    assert stepper._stepper._state["w1.mean"] is held  # type: ignore[attr-defined]
