"""Large updates beside a session of onnxruntime: the numbers of NumPy, one set of state."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.onnxruntime import BoundStepper
from onnxgrad.backends.onnxruntime_updates import UpdatingStepper, take_out_updates
from onnxgrad.backends.stepping import RunStepper

WIDTH = 256
X = np.random.default_rng(0).normal(size=(4, WIDTH)).astype(np.float32)


def model(dtype: str = "float32", shown: bool = False) -> og.Graph:
    b, rng = og.Builder("model"), np.random.default_rng(1)
    x = b.input("x", "float32", ("N", WIDTH))
    w1, w2, c = (
        b.parameter(name, (rng.normal(size=shape) / 16).astype(dtype))
        for name, shape in (("w1", (WIDTH, WIDTH)), ("w2", (WIDTH, WIDTH)), ("c", (WIDTH,)))
    )
    h = b.op.Cast(x, to=dtype) @ w1 + c
    h = b.op.Cast(b.op.Tanh(h) @ b.op.Transpose(w2), to="float32")
    b.output(h, "h")
    b.output(b.op.ReduceMean(h * h, keepdims=0), "loss")
    if shown:
        b.output(b.op.Transpose(w1), "seen")
    return b.build()


EPS = 1e-3
"""A step does not follow the sign of what is as good as zero, which runtimes round differently."""

CLOSE = 1e-5
"""A thousandth of a step of 0.01: Adam divides by gradients, and so enlarges how they round."""

OPTIMIZERS: dict[str, tuple[Any, int]] = {
    "adamw": (og.optim.AdamW(0.01, eps=EPS), 2),
    "scheduled": (og.optim.Adam(og.optim.cosine(0.01, steps=9), eps=EPS), 2),
    "fed": (og.optim.Adam("rate", eps=EPS), 2),
    "clipped": (og.optim.clip_by_global_norm(og.optim.AdamW(0.01, eps=EPS), 0.1), 2),
    "averaged": (og.optim.average_weights(og.optim.Adam(0.01, eps=EPS)), 0),
    "accumulated": (og.optim.accumulate(og.optim.Adam(0.01, eps=EPS), 2), 0),
    "momentum": (og.optim.SGD(0.01, momentum=0.9), 0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shown", [False, True])
def test_steps_are_those_of_numpy(name: str, shown: bool) -> None:
    optimizer, count = OPTIMIZERS[name]
    step = og.train_step(model(shown=shown), "loss", optimizer)
    assert len(take_out_updates(step)[1]) == count
    first = og.initial_state(step)
    given = {n: a.copy() for n, a in first.items()}
    steppers = [og.compile(step, b).stepper(given) for b in ("numpy", "onnxruntime")]
    assert isinstance(steppers[1]._stepper, UpdatingStepper if count else BoundStepper)
    rate = {"rate": np.float32(0.01)} if name == "fed" else {}
    kept: list[list[dict[str, Any]]] = []
    for k in (1, 2, 3):
        kept.append([s.run({"x": X[: k + 1], **rate}) for s in steppers])
    for wanted, found in kept:  # later steps have not written over what earlier ones gave
        assert list(wanted) == list(found)
        for output, array in wanted.items():
            np.testing.assert_allclose(found[output], array, rtol=1e-4, atol=CLOSE)
    wanted, found = (s.state() for s in steppers)
    assert list(wanted) == list(found)
    for state, array in wanted.items():
        np.testing.assert_allclose(found[state], array, rtol=1e-4, atol=CLOSE)
        np.testing.assert_array_equal(given[state], first[state])


def test_runs_give_all_outputs_and_leave_what_is_fed() -> None:
    step = og.train_step(model(shown=True), "loss", og.optim.AdamW(0.01, eps=EPS))
    feeds = {"x": X, **og.initial_state(step)}
    copies = {n: a.copy() for n, a in feeds.items()}
    wanted, found = (og.compile(step, b).run(feeds) for b in ("numpy", "onnxruntime"))
    assert list(found) == [v.name for v in step.outputs]
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=CLOSE)
    for name, array in copies.items():
        np.testing.assert_array_equal(feeds[name], array)


def test_gradients_that_are_asked_for_are_the_callers() -> None:
    step = og.train_step(model(), "loss", og.optim.AdamW(0.01, eps=EPS))
    (update, _) = take_out_updates(step)[1]
    more = og.Builder.extend(step)
    gradient = update.inputs[1]
    assert isinstance(gradient, str)
    more.output(more.op.Identity(more.value(gradient)), "gradient")
    stepper = og.compile(more.build(), "onnxruntime").stepper()
    first = stepper(x=X)["gradient"]
    copy = first.copy()
    stepper(x=-2 * X)
    np.testing.assert_array_equal(first, copy)


def test_one_set_of_large_state_stays_where_it_is() -> None:
    step = og.train_step(model(), "loss", og.optim.AdamW(0.01, eps=EPS))
    stepper: Any = og.compile(step, "onnxruntime").stepper()._stepper
    held = dict(stepper._buffers)
    assert held.keys() == {f"{w}{s}" for w in ("w1", "w2") for s in ("", ".mean", ".square")}
    before = stepper.state()["w1"]
    stepper.run({"x": X})
    assert all(stepper._buffers[name] is array for name, array in held.items())
    assert not np.array_equal(stepper.state()["w1"], before)


def test_state_that_goes_elsewhere_and_half_precision_go_the_plain_way() -> None:
    step = og.train_step(model(), "loss", og.optim.AdamW(0.01, eps=EPS))
    feedback = {n: f"{n}.new" for n in og.initial_state(step)} | {"w1": "w2.new", "w2": "w1.new"}
    steppers = [og.compile(step, b).stepper(feedback=feedback) for b in ("numpy", "onnxruntime")]
    assert isinstance(steppers[1]._stepper, RunStepper)
    for _ in range(2):
        losses = [float(s(x=X)["loss"]) for s in steppers]
        assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    half = og.train_step(model("float16"), "loss", og.optim.AdamW(0.01, eps=EPS))
    steppers = [og.compile(half, b).stepper() for b in ("numpy", "onnxruntime")]
    for _ in range(3):
        losses = [float(s(x=X)["loss"]) for s in steppers]
        assert losses[1] == pytest.approx(losses[0], rel=2e-2)


def test_no_examples_and_wrong_feeds() -> None:
    step = og.train_step(model(), "loss", og.optim.AdamW(0.01, eps=EPS))
    f = og.compile(step, "onnxruntime")
    stepper = f.stepper()
    for x in (X, X[:0], X):
        wanted = f.run({"x": x, **stepper.state()})
        np.testing.assert_array_equal(stepper(x=x)["loss"], wanted["loss"])
        for name, array in stepper.state().items():
            np.testing.assert_array_equal(array, wanted[f"{name}.new"])
    with pytest.raises(og.GraphError, match="fed back"):
        stepper(x=X, w1=stepper.state()["w1"])
    with pytest.raises(og.GraphError, match="missing"):
        stepper()


def test_a_failure_after_the_first_write_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    step = og.train_step(model(), "loss", og.optim.AdamW(0.01, eps=EPS))
    stepper: Any = og.compile(step, "onnxruntime").stepper()._stepper
    stepper._updates = [*stepper._updates, "no update"]
    with pytest.raises(Exception, match="str"):
        stepper.run({"x": X})
    with pytest.raises(og.GraphError, match="failed while it wrote"):
        stepper.state()
