"""Runs: they learn, resume to the very same numbers, stop when asked, and say what is wrong."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import examples, regression, weight

import onnxgrad as og

BACKENDS = ["numpy", "onnxruntime"]
ADAM = og.optim.Adam(0.02)


def same(a: og.Fitted, b: og.Fitted) -> bool:
    assert a.state.keys() == b.state.keys()
    return all(np.array_equal(a.state[k], b.state[k]) for k in a.state)


def losses(fitted: og.Fitted) -> list[float]:
    return [r["loss"] for r in fitted.history if r["event"] == "step"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_is_its_steps_one_by_one(backend: str) -> None:
    """In the order as given, a run is a loop over a stepper."""
    data = examples(40)
    fitted = og.fit(
        regression(), data, optimizer=ADAM, epochs=2, batch_size=16, shuffle=False, backend=backend
    )
    step = og.compile(og.train_step(regression(), optimizer=ADAM), backend).stepper()
    by_hand = [
        float(step.run({n: a[k : k + 16] for n, a in data.items()})["loss"])
        for _ in range(2)
        for k in (0, 16, 32)
    ]
    np.testing.assert_allclose(losses(fitted), by_hand, rtol=1e-6)
    np.testing.assert_allclose(fitted.state["w1"], step.state()["w1"], rtol=1e-5)
    assert fitted.steps == 6


def test_it_learns_and_leaves_its_argument_alone() -> None:
    g, data = regression(), examples(200)
    before = weight(g, "w1").copy()
    fitted = og.fit(g, data, optimizer=ADAM, epochs=30, validation=data)
    scores = [r["loss"] for r in fitted.history if r["event"] == "validation"]
    assert scores[-1] < scores[0] / 4
    assert np.array_equal(weight(g, "w1"), before)
    found = og.compile(fitted.graph).run(data)["loss"]
    np.testing.assert_allclose(found, min(scores), rtol=1e-5)


@pytest.mark.parametrize(("shuffle", "which"), [(True, "others each time"), (False, "the last")])
def test_what_does_not_fill_a_batch_is_told(
    shuffle: bool, which: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """A model whose batches have one size leaves out the rest; one that is open takes it."""
    og.save(regression(), tmp_path / "open.onnx")
    fixed = og.load(tmp_path / "open.onnx", shapes={"N": 7})
    with pytest.warns(
        UserWarning, match=f"batches of 7, .* leaves out 2 of the 16 examples, {which}"
    ):
        fitted = og.fit(fixed, examples(16), optimizer=ADAM, epochs=2, shuffle=shuffle)
    assert fitted.steps == 4
    for graph, count in ((fixed, 14), (regression(), 16)):
        og.fit(graph, examples(count), optimizer=ADAM, shuffle=shuffle)
    assert not recwarn


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("stop_at", [1, 4, 5, 7])
def test_a_resumed_run_ends_with_the_same_bits(backend: str, stop_at: int, tmp_path: Path) -> None:
    data = examples(70)
    run: dict[str, Any] = {"optimizer": ADAM, "epochs": 2, "batch_size": 16, "backend": backend}
    run |= {"validation": examples(20), "seed": 9}
    whole = og.fit(regression(), data, **run)

    def interrupt(record: dict[str, Any]) -> None:
        if record["event"] == "step" and record["step"] == stop_at:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        og.fit(regression(), data, **run, checkpoints=tmp_path, report=interrupt)
    resumed = og.fit(regression(), data, **run, checkpoints=tmp_path, resume=True)
    assert same(whole, resumed)
    assert losses(resumed) == losses(whole)[stop_at:]
    for name in ("w1", "w2"):
        assert np.array_equal(weight(resumed.graph, name), weight(whole.graph, name))


def test_patience_ends_a_run_with_the_best_weights() -> None:
    """With a rate that is far too high validations do not improve for long."""
    fitted = og.fit(
        regression(),
        examples(),
        optimizer=og.optim.SGD(1.5),
        epochs=100,
        validation=examples(20),
        patience=3,
    )
    scores = [r["loss"] for r in fitted.history if r["event"] == "validation"]
    assert len(scores) < 100 and scores.index(min(scores)) == len(scores) - 4
    found = og.compile(fitted.graph).run(examples(20))["loss"]
    np.testing.assert_allclose(found, min(scores), rtol=1e-5)


def test_iterables_give_batches_as_they_come() -> None:
    data = examples(64)
    batches = [{n: a[k : k + 16] for n, a in data.items()} for k in range(0, 64, 16)]
    listed = og.fit(regression(), batches, optimizer=ADAM, epochs=3)
    arrays = og.fit(regression(), data, optimizer=ADAM, epochs=3, batch_size=16, shuffle=False)
    assert same(listed, arrays)
    with pytest.raises(og.GraphError, match="epoch 2.*iterated in each epoch"):
        og.fit(regression(), iter(batches), optimizer=ADAM, epochs=3)


def test_what_is_not_finite_is_named_where_it_begins(tmp_path: Path) -> None:
    data = examples(64)
    data["x"][40] = np.inf
    with pytest.raises(og.GraphError, match=r"nan in step 3; it begins in step 3: 'x'.*infinity"):
        og.fit(regression(), data, optimizer=ADAM, batch_size=16, shuffle=False)
    with pytest.raises(og.GraphError, match="last.safetensors holds a finite state"):
        og.fit(
            regression(), examples(), optimizer=og.optim.SGD(1e30), epochs=9, checkpoints=tmp_path
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"x": np.ones((4, 3)), "u": np.ones((4, 1))}}, "'t' is not among the data; 'u'"),
        ({"data": {"x": np.ones((4, 3)), "t": np.ones((5, 1))}}, "number of examples"),
        (
            {"data": {"x": np.ones((4, 2)), "t": np.ones((4, 1))}},
            r"'x' does not fit.*float32\[N, 3",
        ),
        ({"data": {"x": np.ones((0, 3)), "t": np.ones((0, 1))}}, "no examples"),
        ({"data": "nowhere.npz"}, "cannot read nowhere.npz"),
        ({"data": 3}, "data are a path"),
        ({"data": [1, 2]}, "batch 0 is int"),
        ({"epochs": 0}, "epochs must be an integer of at least 1"),
        ({"batch_size": 0}, "batch_size"),
        ({"patience": 2}, "patience=… counts validations"),
        ({"metric": lambda outputs, feeds: 1.0}, "metric=… scores validations"),
        ({"resume": True}, "give its folder, checkpoints=…"),
        ({"loss": "lost"}, "lost"),
        ({"optimizer": None}, "optimizer"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    call: dict[str, Any] = {"data": examples(), "optimizer": ADAM}
    with pytest.raises(og.OnnxgradError, match=message):
        og.fit(regression(), **(call | change))


@pytest.mark.parametrize("in_batches", [False, True])
def test_numbers_under_a_mask_are_not_learned(in_batches: bool) -> None:
    data = {n: np.ma.array(a, mask=a > 0) for n, a in examples().items()}
    with pytest.raises(og.GraphError, match="what its mask hides would count"):
        og.fit(regression(), [data] if in_batches else data, optimizer=ADAM)
