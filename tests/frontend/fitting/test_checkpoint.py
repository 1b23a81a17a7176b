"""Checkpoints: whole or not at all, and only for the run that wrote them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_models import examples, regression

import onnxgrad as og
from onnxgrad.fitting.checkpoint import Checkpoint, Progress, read_checkpoint, write_checkpoint

ADAM = og.optim.Adam(0.02)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    state = {"w": np.arange(6.0).reshape(2, 3), "step": np.array(3), "h": np.ones(2, np.float16)}
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, Checkpoint(Progress(1, 2, 3, 0.5, 0, 1), state, {"seed": 4}))
    found = read_checkpoint(path)
    assert found.progress == Progress(1, 2, 3, 0.5, 0, 1) and found.settings == {"seed": 4}
    assert all(np.array_equal(found.state[n], a) for n, a in state.items())
    assert found.state["step"].shape == () and found.state["h"].dtype == np.float16


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08" + b"\0" * 20])
def test_what_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "last.safetensors").write_bytes(content)
    with pytest.raises(og.ModelFileError, match="not a checkpoint of onnxgrad"):
        og.fit(regression(), examples(), optimizer=ADAM, checkpoints=tmp_path, resume=True)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "file", "file/deeper"])
def test_what_cannot_be_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no folder")
    with pytest.raises(og.ModelFileError, match="cannot write"):
        og.fit(regression(), examples(), optimizer=ADAM, checkpoints=tmp_path / name)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    og.fit(regression(), examples(), optimizer=ADAM, checkpoints=tmp_path)
    resume = {"checkpoints": tmp_path, "resume": True}
    with pytest.raises(
        og.ModelFileError, match="another model or optimizer: 'step' int64.*missing here"
    ):
        og.fit(regression(), examples(), optimizer=og.optim.SGD(0.1), **resume)  # type: ignore[arg-type]
    with pytest.raises(og.ModelFileError, match="seed 0, this run has 1"):
        og.fit(regression(), examples(), optimizer=ADAM, seed=1, **resume)  # type: ignore[arg-type]
    with pytest.raises(og.ModelFileError, match="shuffle True, this run has False"):
        og.fit(regression(), examples(), optimizer=ADAM, shuffle=False, **resume)  # type: ignore[arg-type]
    for other in (og.optim.Adam(0.01), og.optim.Adam(0.02, eps=1e-6)):
        with pytest.raises(og.ModelFileError, match=r"optimizer Adam\(.*this run has Adam\("):
            og.fit(regression(), examples(), optimizer=other, **resume)  # type: ignore[arg-type]
    with pytest.raises(og.ModelFileError, match="'w1' float32.*float64"):
        double = regression("float64")
        og.fit(double, examples(dtype="float64"), optimizer=ADAM, **resume)  # type: ignore[arg-type]


def test_a_schedule_of_the_users_own_goes_on(tmp_path: Path) -> None:
    """A function has no text that tells it from others, only an address."""

    def fit(rate: float) -> og.Fitted:
        adam = og.optim.Adam(lambda op, t: op.like(rate, t))
        return og.fit(regression(), examples(), optimizer=adam, checkpoints=tmp_path, resume=True)

    assert [r["event"] for r in fit(0.1).history][0] == "started"
    (record,) = fit(0.1).history
    assert record["event"] == "resumed" and record["ended"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(og.ModelFileError, match="cannot write"):
        og.fit(regression(), examples(), optimizer=ADAM, checkpoints=tmp_path / "file")


PROGRAM = """
import sys
import onnxgrad as og
import onnxgrad.fitting.run as run
from small_models import examples, regression
run.SECONDS_BETWEEN_CHECKPOINTS = 0.0
og.fit(regression(), examples(200), optimizer=og.optim.Adam(0.02), epochs=int(sys.argv[2]),
       batch_size=8, checkpoints=sys.argv[1], resume=True)
print("done")
"""


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """SIGKILL at moments that the clock chooses; `benchmarks/kill_check.py` does it fifty times."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), "12"]
    for delay in (0.05, 0.2):
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (tmp_path / "last.safetensors").exists():
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        read_checkpoint(tmp_path / "last.safetensors")
    subprocess.run(command, env=env, check=True, capture_output=True)
    whole = og.fit(regression(), examples(200), optimizer=ADAM, epochs=12, batch_size=8)
    found = read_checkpoint(tmp_path / "last.safetensors").state
    assert all(np.array_equal(found[n], a) for n, a in whole.state.items())
