"""`onnxgrad train`: from a file and data to the same file with other weights."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from small_models import Arrays, weight
from typer.testing import CliRunner

import onnxgrad as og
from onnxgrad.cli import app

# the model ends in Softmax, which the loss contains: the command says so, and goes on
pytestmark = pytest.mark.filterwarnings("default:the loss is taken from before Softmax")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A classifier of points by the sign of their first number, with a Softmax, and data."""
    rng = np.random.default_rng(0)
    b = og.Builder("points")
    x = b.input("x", "float32", ("N", 2))
    hidden = b.op.Tanh(x @ b.parameter("body.weight", rng.normal(size=(2, 8)).astype("f4")))
    head = b.parameter("head.weight", rng.normal(size=(8, 2)).astype("f4"))
    b.output(b.op.Softmax(hidden @ head), "probabilities")
    og.save(b.build(), tmp_path / "model.onnx", opset=17)
    for name, count in (("train", 200), ("val", 50)):
        points = rng.normal(size=(count, 2)).astype("f4")
        np.savez(tmp_path / f"{name}.npz", x=points, label=(points[:, 0] > 0).astype(np.int64))
    return tmp_path


def train(folder: Path, *arguments: Any, data: str = "train.npz", status: int = 0) -> str:
    given = ["train", folder / "model.onnx", "--data", folder / data, "-o", folder / "tuned.onnx"]
    result = CliRunner().invoke(app, [str(a) for a in (*given, *arguments)])
    assert result.exit_code == status, result.output
    if status == 2:
        assert "Traceback" not in result.stderr and "defect" not in result.stderr
        assert len(result.stderr.splitlines()) <= 3, result.stderr
    return result.output


def weights(path: Path) -> Arrays:
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def test_a_loss_that_the_model_lacks_is_told_with_its_outputs(folder: Path) -> None:
    said = train(folder, "--loss", "loss", status=2)
    assert "the model no such output, but probabilities" in said and "cross_entropy" in said
    assert "did you mean 'huber'" in train(folder, "--loss", "hubert", status=2)


def test_a_training_step_is_not_trained(folder: Path) -> None:
    with pytest.warns(UserWarning, match="before Softmax"):
        goal = og.losses.cross_entropy(og.load(folder / "model.onnx"), "probabilities")
    og.save(og.train_step(goal, "loss", og.optim.SGD(0.1)), folder / "model.onnx")
    assert "model.onnx is a training step already" in train(folder, "--loss", "loss", status=2)


def test_one_command_tunes_a_file(folder: Path) -> None:
    said = train(
        folder, "--epochs", 20, "--learning-rate", 0.05, "--validation", folder / "val.npz",
        "--metric", "accuracy", "--log", folder / "log.jsonl", "--curve", folder / "loss.png",
        "--schedule", "cosine", "--tensorboard", folder / "board",
    )  # fmt: skip
    assert "2 weights trained in 140 steps" in said
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if r["event"] == "step"] == list(range(1, 141))
    assert max(r["metric"] for r in records if r["event"] == "validation") > 0.9
    rates = [r["learning_rate"] for r in records if r["event"] == "step"]
    assert rates[0] == pytest.approx(0.05) and rates[-1] < 1e-4
    assert list((folder / "board").glob("events.out.tfevents.*"))
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    with np.load(folder / "val.npz") as val:
        found = og.compile(og.load(folder / "tuned.onnx")).run({"x": val["x"]})["probabilities"]
        assert (found.argmax(-1) == val["label"]).mean() > 0.9
    before, after = onnx.load(folder / "model.onnx"), onnx.load(folder / "tuned.onnx")
    for model in (before, after):
        for tensor in model.graph.initializer:
            tensor.ClearField("raw_data")
    assert before.SerializeToString(deterministic=True) == after.SerializeToString(
        deterministic=True
    )


def test_optimizers_and_schedules_compose(folder: Path) -> None:
    """What the command makes of its options is what Python makes of the same calls."""
    rule = "clip_by_global_norm(accumulate(sgd(momentum=0.5), 2), 0.1)"
    train(
        folder, "--optimizer", rule, "--schedule", "cosine(warm_up=3)", "--learning-rate", 0.2,
        "--batch-size", 50, "--epochs", 2, "--backend", "numpy",
    )  # fmt: skip
    sgd = og.optim.SGD(og.optim.cosine(0.2, steps=4, warm_up=3), momentum=0.5)
    composed = og.optim.clip_by_global_norm(og.optim.accumulate(sgd, 2), 0.1)
    goal = og.losses.cross_entropy(og.load(folder / "model.onnx"))
    fitted = og.fit(goal, folder / "train.npz", optimizer=composed, epochs=2, batch_size=50)
    for name, array in weights(folder / "tuned.onnx").items():
        np.testing.assert_array_equal(array, weight(fitted.graph, name))


def test_what_is_frozen_stays(folder: Path) -> None:
    train(folder, "--train", "head.*")
    before, after = weights(folder / "model.onnx"), weights(folder / "tuned.onnx")
    changed = {n for n in before if not np.array_equal(before[n], after[n])}
    assert changed == {"head.weight"}
    train(folder, "--freeze", "head.*", "--optimizer", "sgd(momentum=0.9)")
    after = weights(folder / "tuned.onnx")
    assert np.array_equal(before["head.weight"], after["head.weight"])


def test_a_new_head_has_other_classes(folder: Path) -> None:
    """All that differs is the weights, and the sizes that the head has now."""
    points = np.random.default_rng(1).normal(size=(300, 2)).astype("f4")
    directions = np.array([[1, -1, 0], [0, 0, 1]], np.float32)
    labels = (points @ directions).argmax(-1)
    np.savez(folder / "three.npz", x=points, label=labels)
    train(
        folder, "--new-head", "probabilities=3", "--epochs", 20, "--learning-rate", 0.05,
        data="three.npz",
    )  # fmt: skip
    tuned = og.load(folder / "tuned.onnx")
    assert str(tuned.find("probabilities").type) == "float32[N, 3]"
    found = og.compile(tuned).run({"x": points})["probabilities"]
    assert (found.argmax(-1) == labels).mean() > 0.9
    onnx.checker.check_model(onnx.load(folder / "tuned.onnx"), full_check=True)


def test_a_second_run_does_not_destroy_one_that_has_not_ended(folder: Path) -> None:
    arguments = [sys.executable, "-m", "onnxgrad", "train", "model.onnx", "--data", "train.npz"]
    arguments += ["-o", "tuned.onnx", "--epochs", "100000", "--backend", "numpy"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(arguments, cwd=folder, env=env, stderr=subprocess.PIPE) as process:
        last = folder / "tuned.checkpoints" / "last.safetensors"
        while process.poll() is None and not last.exists():
            pass
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert (
        process.returncode == 130
        and "--resume goes on" in said
        and not (folder / "tuned.onnx").exists()
    )
    assert "has not ended" in train(folder, status=2) and "--resume goes on" in train(
        folder, status=2
    )
    train(folder, "--resume", "--backend", "numpy")
    assert (folder / "tuned.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loss", "cross_entrpy"], "did you mean 'cross_entropy'"),
        (["--loss", "cross_entropy(smoothing=1)"], "no setting 'smoothing'"),
        (["--loss", "cross_entropy(1, 2, 3, 4, 5)"], "too many settings"),
        (["--loss", "cross_entropy(label_smoothing=1 + x)"], "must be a number, a text"),
        (["--loss", "cross_entropy("], "wants a name"),
        (["--optimizer", "adamm"], "did you mean 'adam"),
        (["--optimizer", "clip_by_global_norm"], "needs optimizer"),
        (["--schedule", "cosine(warmup=3)"], "did you mean 'warm_up'"),
        (["--schedule", "cosine(warm_up=99)"], "less than steps=7, which it is part of, got 99;"),
        (["--schedule", "cosine(warm_up=99)"], "; this run has steps=7"),
        (["--optimizer", "averages"], "no 'averages'"),
        (["--optimizer", "adamw(cosine(1, 2, 3))"], "--optimizer has no 'cosine'"),
        (["--optimizer", "accumulate(adamw(b1=2), 2)"], "--optimizer: AdamW: b1"),
        (["--optimizer", "adamw(b1=2)"], "b1"),
        (["--train", "*.wieght"], "wieght"),
        (["--new-head", "logits:3"], "output=classes"),
        (["--new-head", "logits=3"], "logits"),
        (["--metric", "f1"], "loss or accuracy"),
        (["--metric", "accuracy", "--loss", "probabilities"], "needs a --loss"),
        (["--of", "logits"], "logits"),
        (["--log", "no/such/folder/log.jsonl"], "cannot write"),
        (["--learning-rate", "-1"], "at least 0"),
        (["--curve", "loss.pdf"], ".png or an .svg"),
        (["--backend", "numpi"], "numpi"),
        (["--patience", "3"], "validation"),
        (["--checkpoints", "/dev/null/x"], "cannot write into"),
    ],
)
def test_wrong_options_are_named(folder: Path, arguments: list[str], message: str) -> None:
    assert message in train(folder, *arguments, status=2).replace("\n", " ")
    assert not (folder / "tuned.onnx").exists()


@pytest.mark.parametrize(
    ("option", "library"), [("--curve", "matplotlib.figure"), ("--tensorboard", "tensorboardX")]
)
def test_what_is_not_installed_is_told_before_training(
    folder: Path, option: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    before = sorted(os.listdir(folder))
    said = train(folder, option, folder / "losses.png", status=2)
    assert f"{library.partition('.')[0]}: pip install 'onnxgrad[" in said
    assert sorted(os.listdir(folder)) == before


def test_wrong_data_are_named(folder: Path) -> None:
    np.savez(folder / "other.npz", images=np.ones((9, 2), "f4"), label=np.zeros(9, np.int64))
    said = train(folder, data="other.npz", status=2)
    assert (
        "'x' is not among the data; 'images' is not an input" in said and "x: float32[N, 2]" in said
    )
    np.savez(folder / "high.npz", x=np.ones((9, 2), "f4"), label=np.full(9, 2))
    said = train(folder, data="high.npz", status=2)
    assert "epoch 1, batch 1: label[0] is 2" in said and "classes are 0 to 1" in said
    said = train(folder, "--validation", folder / "high.npz", status=2)
    assert "label[0] is 2" in said
    assert "cannot read" in train(folder, data="none.npz", status=2)
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    assert "cannot be read" in train(folder, data="broken.npz", status=2)


@pytest.fixture
def with_loss(tmp_path: Path) -> Path:
    """A model that already has a loss beside its logits, and data."""
    b = og.Builder("net")
    x, label = b.input("x", "float32", ("N", 2)), b.input("label", "int64", ("N",))
    logits = x @ b.parameter("w", np.eye(2, dtype=np.float32))
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, label), "loss")
    b.output(logits, "logits")
    og.save(b.build(), tmp_path / "model.onnx")
    x_, label_ = np.ones((4, 2), np.float32), np.zeros(4, np.int64)
    np.savez(tmp_path / "train.npz", x=x_, label=label_)
    return tmp_path


def test_a_loss_that_the_model_has_is_named(with_loss: Path) -> None:
    """Whoever does not know that it can be named is told how."""
    assert "'loss' may be a loss already: --loss loss\n" in train(with_loss, status=2)
    assert "train with --loss loss\n" in train(with_loss, "--of", "loss", status=2)
    assert "1 weight trained" in train(with_loss, "--loss", "loss")


def test_a_run_that_is_to_go_on_says_how_it_begins(folder: Path) -> None:
    checkpoint = folder / "tuned.checkpoints" / "last.safetensors"
    said = train(folder, "--resume", "--epochs", 2)
    assert f"no checkpoint at {checkpoint}: starting from scratch\n" in said
    said = train(folder, "--resume", "--epochs", 2)
    assert "nothing is left to do: the run ended after step 14" in said
    assert "trained in 14 steps" in said
    said = train(folder, "--resume", "--epochs", 3)
    assert "going on after step 14, in epoch 3\n" in said and "trained in 21 steps" in said
    said = train(folder, "--resume", "--epochs", 4, "--learning-rate", 0.5, status=2)
    assert "rate=0.001" in said and "rate=0.5" in said and "start without --resume" in said
    assert "checkpoint" not in train(folder, "--epochs", 1, "--of", "probabilities")


def test_each_epoch_tells_its_losses(folder: Path) -> None:
    """Without validation, too; the mean of what the steps reported."""
    log = folder / "log.jsonl"
    said = train(folder, "--epochs", 2, "--log", log)
    losses = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
    for epoch, mean in enumerate((np.mean(losses[:7]), np.mean(losses[7:])), 1):
        assert f"epoch {epoch}: training loss {mean:.4g}\n" in said
    said = train(folder, "--validation", folder / "val.npz", "--metric", "accuracy")
    (line,) = (line for line in said.splitlines() if line.startswith("epoch "))
    assert re.fullmatch(
        r"epoch 1: training loss [\d.]+, validation loss [\d.]+, [\d.]+% right", line
    )


def test_statistics_are_counted_apart(folder: Path) -> None:
    rng = np.random.default_rng(0)
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2))
    numbers = [
        b.parameter(n, np.ones(2, np.float32)) for n in ("scale", "bias", "mean", "variance")
    ]
    y, *moved = b.op.BatchNormalization(x, *numbers, training_mode=1)
    for value in moved:
        b.output(value)
    w = b.parameter("w", rng.normal(size=(2, 2)).astype(np.float32))
    b.output(b.op.Softmax(y @ w), "probabilities")
    og.save(b.build(), folder / "model.onnx")
    assert "3 weights trained, and 2 running statistics kept, in " in train(
        folder, "--epochs", 1, "--of", "probabilities"
    )
