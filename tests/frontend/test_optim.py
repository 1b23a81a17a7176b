"""Optimizers: torch's and optax's trajectories, step by step, and what wraps them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from trajectories import FEEDS, STORED, regression

import onnxgrad as og
from onnxgrad import optim

OPTIMIZERS: dict[str, optim.Optimizer] = {
    "sgd": optim.SGD(0.05),
    "sgd_momentum": optim.SGD(0.05, momentum=0.9),
    "sgd_nesterov": optim.SGD(0.05, momentum=0.8, nesterov=True, weight_decay=0.01),
    "adam": optim.Adam(0.05, b1=0.8, b2=0.99, eps=1e-6),
    "adamw": optim.AdamW(0.05, weight_decay=0.1),
    "adagrad": optim.Adagrad(0.1, start=0.1),
    "rmsprop": optim.RMSprop(0.01),
    "rmsprop_centered": optim.RMSprop(0.01, decay=0.9, momentum=0.5, centered=True),
    "adafactor": optim.Adafactor(0.1, weight_decay=0.05),
    "muon": optim.Muon(0.02),
    "muon_plain": optim.Muon(0.02, momentum=0.8, nesterov=False, weight_decay=0.0),
    "lion": optim.Lion(0.02, weight_decay=0.1),
    "masked": optim.decay_weights(optim.Adam(0.05), 0.1),
    "groups": optim.groups(optim.Adam(0.05), {"c*": optim.Adam(0.2)}),
    "clip_by_value": optim.clip_by_value(optim.Adam(0.05), 0.3),
    "clip_by_global_norm": optim.clip_by_global_norm(optim.SGD(0.05, momentum=0.9), 0.5),
    "accumulate": optim.accumulate(optim.Adam(0.05), 4),
    "cosine": optim.AdamW(optim.cosine(0.1, steps=45, warm_up=10, end=0.01), weight_decay=0.1),
}
ALONE = {"muon": ["w"], "muon_plain": ["w"]}
SCHEDULES: dict[str, optim.Schedule] = {
    "cosine": optim.cosine(0.1, steps=50, end=0.01),
    "linear_warm_up": optim.linear_warm_up(0.1, steps=8, start=0.025),
    "one_cycle": optim.one_cycle(0.1, steps=50),
    "piecewise": optim.piecewise(0.1, {10: 0.01, 30: 0.001}),
}


def feeds(name: str, k: int, dtype: str = "float64") -> dict[str, np.ndarray]:
    """What step k reads; gathered gradients are of rows that roll on."""
    x = np.roll(FEEDS["x"], k, 0) if name == "accumulate" else FEEDS["x"]
    return {"x": x.astype(dtype), "t": FEEDS["t"].astype(dtype)}


def step_of(optimizer: optim.Optimizer, dtype: str = "float64", **settings: Any) -> og.Graph:
    graph = regression(STORED["w"].astype(dtype), STORED["c"].astype(dtype))
    return og.train_step(graph, optimizer=optimizer, **settings)


def train(optimizer: optim.Optimizer, steps: int, **settings: Any) -> dict[str, np.ndarray]:
    trainer = og.compile(step_of(optimizer, **settings)).stepper()
    for _ in range(steps):
        trainer(**FEEDS)
    state: dict[str, np.ndarray] = trainer.state()
    return state


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_are_those_of_torch_and_optax(name: str) -> None:
    step = step_of(OPTIMIZERS[name], parameters=ALONE.get(name))
    trainer = og.compile(step).stepper()
    for k, loss in enumerate(STORED[f"{name}.loss"]):
        np.testing.assert_allclose(trainer(**feeds(name, k))["loss"], loss, rtol=1e-9)
        for parameter in ALONE.get(name, "wc"):
            expected = STORED[f"{name}.{parameter}"][k]
            np.testing.assert_allclose(trainer.state()[parameter], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_saved_step_replays_in_onnxruntime(name: str, tmp_path: Path) -> None:
    """A file and its start, looped by nothing but onnxruntime, repeat the losses."""
    step = step_of(OPTIMIZERS[name], "float32", parameters=ALONE.get(name))
    og.save(step, tmp_path / "step.onnx")
    og.save(og.start_graph(step), tmp_path / "start.onnx")
    model = onnx.load(tmp_path / "step.onnx")
    onnx.checker.check_model(model, full_check=True)
    pairs = json.loads({p.key: p.value for p in model.metadata_props}["onnxgrad.state"])
    start = onnxruntime.InferenceSession(tmp_path / "start.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx")
    names = [v.name for v in session.get_outputs()]
    state = dict(zip([v.name for v in start.get_outputs()], start.run(None, {}), strict=True))
    assert {v.name for v in session.get_inputs()} == {"x", "t", *pairs} == {"x", "t", *state}
    for k, loss in enumerate(STORED[f"{name}.loss"][:20]):
        given = feeds(name, k, "float32") | state
        results: dict[str, Any] = dict(zip(names, session.run(names, given), strict=True))
        np.testing.assert_allclose(results["loss"], loss, rtol=2e-4)
        state = {name: results[new] for name, new in pairs.items()}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_torchs(name: str) -> None:
    """The rate of each step is an output of the step."""
    trainer = og.compile(step_of(optim.SGD(SCHEDULES[name]))).stepper()
    rates = [trainer(**FEEDS)["learning_rate"] for _ in STORED[f"rate.{name}"]]
    assert rates[0].dtype == np.float32
    np.testing.assert_allclose(rates, STORED[f"rate.{name}"], rtol=1e-6)


def test_a_schedule_is_any_function_and_they_nest() -> None:
    def halves(op: Any, t: Any) -> Any:
        return op.Pow(op.constant(0.5, t.dtype), t)

    schedule = optim.linear_warm_up(halves, steps=2)
    trainer = og.compile(step_of(optim.SGD(schedule))).stepper()
    rates = [float(trainer(**FEEDS)["learning_rate"]) for _ in range(5)]
    assert rates == [0, 0.5, 1, 0.5, 0.25]
    same = og.compile(step_of(optim.SGD(optim.constant(0.05)))).stepper()
    same(**FEEDS)
    np.testing.assert_allclose(same.state()["w"], STORED["sgd.w"][0], rtol=1e-12)


def test_groups_may_have_schedules_of_their_own() -> None:
    other = optim.SGD(optim.cosine(1.0, steps=10))
    step = step_of(optim.groups(optim.SGD(optim.constant(0.5)), {"c": other}))
    rates = og.compile(step).stepper()(**FEEDS)
    assert (rates["learning_rate"], rates["learning_rate_1"]) == (0.5, 1)
    assert [v.name for v in step.inputs].count("step") == 1


def test_what_decays_is_chosen() -> None:
    """By default all but biases and norms; `of` names others."""
    state = train(optim.decay_weights(optim.SGD(1.0), 0.5, of="c"), 1)
    plain = train(optim.SGD(1.0), 1)
    np.testing.assert_allclose(state["c"], plain["c"] - 0.5 * STORED["c"], rtol=1e-12)
    np.testing.assert_array_equal(state["w"], plain["w"])


def test_averages() -> None:
    trainer = og.compile(step_of(optim.average_weights(optim.SGD(0.05), decay=0.9))).stepper()
    expected = STORED["w"]
    for w in STORED["sgd.w"][:10]:
        trainer(**FEEDS)
        expected = 0.9 * expected + 0.1 * w
    found = optim.averages(trainer.state())
    assert list(found) == ["w", "c"]
    np.testing.assert_allclose(found["w"], expected, rtol=1e-12)
    og.with_parameters(regression(), found)
    with pytest.raises(og.GraphError, match="holds no averages"):
        optim.averages({"w": expected})


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_steps_that_are_not_finite_are_left_out(backend: str) -> None:
    """Nothing moves, not even moments and the count of steps; no optimizer folds 0·x."""
    step = og.optimize(step_of(optim.skip_non_finite(optim.Adam(0.05))))
    trainer = og.compile(step, backend).stepper()
    trainer(**FEEDS)
    before = trainer.state()
    for bad in (np.nan, np.inf):
        trainer(x=np.full_like(FEEDS["x"], bad), t=FEEDS["t"])
    after = trainer.state()
    assert after.pop("optimizer.skipped") == 2 and before.pop("optimizer.skipped") == 0
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


@pytest.mark.parametrize("wrap", [optim.skip_non_finite, optim.scale_loss])
def test_statistics_of_a_step_that_is_left_out_stay(wrap: Any) -> None:
    """In one step and in two graphs, whose first has the statistics."""
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2))
    ones = np.ones(2, np.float32)
    scale, bias, mean, var = (b.parameter(n, ones) for n in ("s", "b", "m", "v"))
    y, *_ = b.op.BatchNormalization(x, scale, bias, mean, var, training_mode=1, outputs=3)
    b.output(b.op.ReduceSum(y * y * y, keepdims=0), "loss")
    graph, optimizer = b.build(), wrap(optim.SGD(0.1))
    good, bad = np.eye(3, 2, dtype=np.float32), np.full((3, 2), np.nan, np.float32)
    trainer = og.compile(og.train_step(graph, optimizer=optimizer)).stepper()
    trainer(x=good)
    before = trainer.state()
    trainer(x=bad)
    for name in "sbmv":
        np.testing.assert_array_equal(trainer.state()[name], before[name])
    assert (before["m"] != 1).all()
    backward, update = og.split_step(graph, optimizer=optimizer)
    scales = {n: a for n, a in og.initial_state(update).items() if n == "optimizer.loss_scale"}
    weights = {n: ones for n in "sb"}
    first = og.compile(backward).stepper()
    first.run({"x": bad} | weights | scales)
    np.testing.assert_array_equal(first.state()["m"], ones)
    first.run({"x": good} | weights | scales)
    np.testing.assert_allclose(first.state()["m"], before["m"], rtol=1e-6)


def test_the_scale_of_the_loss_moves() -> None:
    """It leaves the update what it is, grows after good steps and falls after a bad one."""
    adam = optim.Adam(0.05, b1=0.8, b2=0.99, eps=1e-6)
    step = step_of(optim.scale_loss(adam, start=8.0, interval=3))
    trainer = og.compile(step).stepper()
    scales = []
    for k in range(8):
        x = FEEDS["x"] if k != 4 else np.full_like(FEEDS["x"], np.nan)
        trainer(x=x, t=FEEDS["t"])
        scales.append(float(trainer.state()["optimizer.loss_scale"]))
    assert scales == [8, 8, 16, 16, 8, 8, 8, 16]
    np.testing.assert_allclose(trainer.state()["w"], STORED["adam.w"][6], rtol=1e-9)
    assert trainer.state()["step"] == 7


def test_a_gated_optimizer_counts_its_own_updates() -> None:
    """Inside of `accumulate` a schedule counts updates; beside it, steps."""
    inner = optim.accumulate(optim.SGD(optim.piecewise(0.0, {1: 1.0})), 2)
    outer = optim.groups(optim.Adam(0.1), {"w": inner})
    state = train(outer, 3)
    np.testing.assert_array_equal(state["w"], STORED["w"])
    assert sorted(int(state[name]) for name in ("step", "step_1")) == [1, 3]
    assert (train(outer, 4)["w"] != STORED["w"]).any()


def test_wrapped_ones_have_one_count_and_one_rate() -> None:
    """The rate is that of the updates, told once, however many wrappers hold the optimizer."""
    adam = optim.Adam(optim.piecewise(0.5, {1: 0.25}))
    wrapped = optim.average_weights(optim.clip_by_value(optim.accumulate(adam, 2), 1.0))
    step = step_of(optim.scale_loss(optim.skip_non_finite(wrapped)))
    names = [v.name for v in step.inputs if v.name.startswith("step")]
    assert names == ["step"]
    assert [v.name for v in step.outputs if "rate" in v.name] == ["learning_rate"]
    trainer = og.compile(step).stepper()
    assert [float(trainer(**FEEDS)["learning_rate"]) for _ in range(4)] == [0.5, 0.5, 0.25, 0.25]


REFUSED: list[tuple[Any, str]] = [
    (lambda: optim.clip_by_value(optim.SGD(0.1), 0), "most must be over 0"),
    (lambda: optim.clip_by_global_norm(optim.SGD(0.1), -1), "most must be over 0"),
    (lambda: optim.clip_by_value(optim.SGD, 1), "an optimizer is wanted"),  # type: ignore[arg-type]
    (lambda: optim.accumulate(optim.SGD(0.1), 0), "steps must be an integer"),
    (lambda: optim.cosine(0.1, steps=5, warm_up=5), "warm_up must be less than steps=5"),
    (lambda: optim.piecewise(0.1, {0: 1.0}), "a step must be an integer of at least 1"),
    (lambda: optim.average_weights(optim.SGD(0.1), 1.0), r"decay must be in \[0, 1\)"),
    (lambda: optim.scale_loss(optim.SGD(0.1), backoff=0.0), "backoff must be over 0"),
    (lambda: step_of(optim.groups(optim.SGD(0.1), {"cc": optim.SGD(1)})), "matches 'cc'"),
    (lambda: step_of(optim.decay_weights(optim.SGD(0.1), of="v*")), "of: no trained parameter"),
    (lambda: step_of(optim.Muon()), "Muon is for matrices, 'c' is float64"),
    (
        lambda: step_of(optim.clip_by_value(optim.scale_loss(optim.SGD(0.1)), 1.0)),
        "scale_loss must be the outermost",
    ),
    (lambda: optim.SGD(None), "a learning rate that is neither"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        call()


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize(
    "optimizer", [og.optim.SGD(0.1, momentum=0.9), og.optim.Adam(0.1), og.optim.AdamW(0.1)]
)
def test_a_single_number_trains(optimizer: Any, backend: str) -> None:
    """What an operation gives of one number is no array that a kernel could write into."""
    curves = []
    for shape in ((), (1,)):
        b = og.Builder("number")
        error = b.parameter("a", np.full(shape, 2, np.float32)) * b.input("x", "float32", ()) - 1.0
        b.output(b.op.ReduceSum(error * error, keepdims=0), "loss")
        step = og.train_step(b.build(), optimizer=optimizer, parameters=["a"])
        stepper = og.compile(step, backend).stepper()
        curves.append([float(stepper(x=np.float32(1.5))["loss"]) for _ in range(5)])
    assert curves[0] == curves[1]
    assert curves[0][-1] < curves[0][0]
