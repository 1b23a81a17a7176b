"""Runs that several processes share: one loss curve, whoever and however many they are."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import ml_dtypes
import numpy as np
import pytest
from small_models import examples, regression, save_arrays, weight
from threads import Threads, losses, together

import onnxgrad as og
from onnxgrad.fitting.checkpoint import read_checkpoint
from onnxgrad.parallel import Group, find_group

ADAM = og.optim.Adam(0.02)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_parts_make_the_step_of_the_whole_batch(size: int, backend: str) -> None:
    """The last batch, of two examples, leaves some with none."""
    data = examples(34, "float64")
    run: dict[str, Any] = {"optimizer": ADAM, "epochs": 3, "batch_size": 16, "backend": backend}
    run |= {"validation": examples(11, "float64")}
    alone = og.fit(regression("float64"), data, **run)
    for fitted in together(size, lambda g: og.fit(regression("float64"), data, **run, parallel=g)):
        np.testing.assert_allclose(losses(fitted), losses(alone), rtol=1e-9)
        np.testing.assert_allclose(
            losses(fitted, "validation"), losses(alone, "validation"), rtol=1e-9
        )
        np.testing.assert_allclose(fitted.state["w1"], alone.state["w1"], rtol=1e-9)


@pytest.mark.parametrize("size", [1, 2])
def test_the_one_element_of_a_loss_may_have_axes(size: int) -> None:
    b = og.Builder("with axes")
    x, t = b.input("x", "float64", ("N", 3)), b.input("t", "float64", ("N", 1))
    error = x @ b.parameter("w", np.ones((3, 1))) - t
    b.output(b.op.ReduceMean(error * error), "loss")
    data = examples(16, "float64")
    run: dict[str, Any] = {"optimizer": og.optim.SGD(0.1), "batch_size": 16, "validation": data}
    wanted = np.mean((data["x"].sum(1, keepdims=True) - data["t"]) ** 2)
    for fitted in together(size, lambda group: og.fit(b.build(), data, **run, parallel=group)):
        np.testing.assert_allclose(losses(fitted), [wanted])
        w, (seen,) = fitted.state["w"], losses(fitted, "validation")
        np.testing.assert_allclose(seen, np.mean((data["x"] @ w - data["t"]) ** 2))


def of_two_dtypes() -> og.Graph:
    """A layer in float32 and one in float64, whose gradients no buffer holds together."""
    rng = np.random.default_rng(3)
    b = og.Builder("mixed")
    x, t = b.input("x", "float64", ("N", 3)), b.input("t", "float64", ("N", 1))
    w1 = b.parameter("w1", rng.normal(size=(3, 8)).astype(np.float32))
    w2 = b.parameter("w2", rng.normal(size=(8, 1)) / 3)
    error = b.op.Cast(b.op.Tanh(b.op.Cast(x, to="float32") @ w1), to="float64") @ w2 - t
    b.output(b.op.ReduceMean(error * error, keepdims=0), "loss")
    return b.build()


class Recorder:
    """The first of two processes, the other of which has nothing to add."""

    rank, size, neighbors = 0, 2, 2

    def __init__(self) -> None:
        self.calls: list[str] = []

    def all_reduce(self, array: np.ndarray) -> None:
        self.calls.append(f"all_reduce {array.dtype}{array.shape}")

    def broadcast(self, array: np.ndarray) -> None:
        self.calls.append(f"broadcast {array.dtype}{array.shape}")

    def fail(self, error: Exception) -> NoReturn:
        raise error


def print_calls() -> None:
    """Print what a process asks of the others, in its order."""
    recorder = Recorder()
    data = examples(16, "float64")
    og.fit(of_two_dtypes(), data, optimizer=ADAM, batch_size=16, parallel=recorder)
    print(recorder.calls)


def test_processes_ask_each_other_in_the_same_order() -> None:
    """Python's hashes differ from process to process, and with them the order of a set."""
    code = "import test_parallel; test_parallel.print_calls()"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    found = {
        subprocess.run(
            [sys.executable, "-P", "-c", code],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout
        for seed in range(4)
    }
    (calls,) = found
    assert "all_reduce float32(24,)" in calls and "all_reduce float64(9,)" in calls


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_a_loss_in_half_precision_is_summed_in_float32(dtype: Any) -> None:
    """In float16 a sum of 1024 losses of 100 is infinite."""
    b = og.Builder("half")
    product = b.input("x", dtype, ("N", 1)) @ b.parameter("w", np.ones((1, 1), dtype))
    b.output(b.op.ReduceMean(product, keepdims=0), "loss")
    g, data = b.build(), {"x": np.full((2048, 1), 100, dtype)}
    run: dict[str, Any] = {"optimizer": og.optim.SGD(0.001), "batch_size": 2048}
    asked = set()

    class Asking(Threads):
        def all_reduce(self, array: np.ndarray) -> None:
            asked.add(array.dtype.name)
            super().all_reduce(array)

    for fitted in together(2, lambda group: og.fit(g, data, **run, parallel=group), Asking):
        assert losses(fitted) == [100.0]
        np.testing.assert_allclose(fitted.state["w.master"], [[0.9]], rtol=1e-6)
    assert asked == {"float32", "int64"}


def test_another_number_of_processes_goes_on(tmp_path: Path) -> None:
    data = examples(64, "float64")
    run: dict[str, Any] = {"optimizer": ADAM, "batch_size": 16}
    alone = og.fit(regression("float64"), data, **run, epochs=3)
    folder: dict[str, Any] = {"checkpoints": tmp_path, "resume": True}
    for epochs, size in ((1, 2), (2, 4), (3, 1)):

        def fit(group: Group, epochs: int = epochs) -> og.Fitted:
            return og.fit(
                regression("float64"), data, **run, epochs=epochs, **folder, parallel=group
            )

        fitted = together(size, fit)[0]
    np.testing.assert_allclose(fitted.state["w1"], alone.state["w1"], rtol=1e-9)
    assert read_checkpoint(tmp_path / "last.safetensors").progress.step == 12


def test_all_processes_know_the_best_weights_of_a_run_that_goes_on(tmp_path: Path) -> None:
    """They lie in the folder of the first one; validation on other targets gets worse each time."""
    data = examples(64, "float64")
    run: dict[str, Any] = {"optimizer": og.optim.Adam(0.05), "batch_size": 16, "resume": True}
    run |= {"checkpoints": tmp_path, "validation": {"x": data["x"][:8], "t": -data["t"][:8]}}
    for epochs, event in ((3, "started"), (4, "resumed")):

        def fit(group: Group, epochs: int = epochs) -> og.Fitted:
            return og.fit(regression("float64"), data, **run, epochs=epochs, parallel=group)

        fitted = together(2, fit)
        assert [f.history[0]["event"] for f in fitted] == [event, event]
        first, second = (weight(f.graph, "w1") for f in fitted)
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, fitted[0].state["w1"])


def test_running_statistics_are_shared() -> None:
    """Each part normalizes by itself; what is kept of it is the same everywhere."""
    b = og.Builder("normalized")
    x, t = b.input("x", "float64", ("N", 3)), b.input("t", "float64", ("N", 1))
    ones, zeros = np.ones(3), np.zeros(3)
    held = [b.parameter(n, a) for n, a in zip("sbmv", (ones, zeros, zeros, ones), strict=True)]
    y, _, _ = b.op.BatchNormalization(x, *held, training_mode=1, outputs=3)
    error = y @ b.parameter("w", np.ones((3, 1))) - t
    b.output(b.op.ReduceMean(error * error, keepdims=0), "loss")
    g, data = b.build(), examples(16, "float64")
    first, second = together(
        2,
        lambda group: og.fit(
            g, data, optimizer=og.optim.SGD(0.1), batch_size=16, shuffle=False, parallel=group
        ),
    )
    share = 1 - float(np.float32(0.9))  # the attribute momentum is a float32
    means = [data["x"][k : k + 8].mean(0) for k in (0, 8)]
    np.testing.assert_allclose(weight(first.graph, "m"), share * np.mean(means, 0), rtol=1e-9)
    assert np.array_equal(weight(first.graph, "v"), weight(second.graph, "v"))


def test_what_cannot_be_shared_is_refused() -> None:
    b = og.Builder("fixed")
    x = b.input("x", "float32", (4, 3))
    b.output(b.op.ReduceMean(x @ b.parameter("w", np.ones((3, 1), "f4")), keepdims=0), "loss")
    g, data = b.build(), {"x": np.ones((8, 3), np.float32)}
    with pytest.raises(og.GraphError, match="cannot be parted"):
        together(2, lambda group: og.fit(g, data, optimizer=ADAM, parallel=group))
    with pytest.raises(og.GraphError, match="no 'mpy'.*mpi"):
        og.fit(g, data, optimizer=ADAM, parallel="mpy")
    with pytest.raises(og.GraphError, match="a name or a Group"):
        find_group(3)  # type: ignore[arg-type]
    halfway: Any = SimpleNamespace(rank=0, size=2, neighbors=2, all_reduce=1, broadcast=1)
    with pytest.raises(og.GraphError, match="a name or a Group"):
        find_group(halfway)


def mpiexec(size: int, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    launcher = Path(sysconfig.get_path("scripts"), "mpiexec")
    if not launcher.exists():
        pytest.skip("mpiexec is not installed: pip install 'onnxgrad[mpi]'")
    command = [str(launcher), "-n", str(size), sys.executable, "-m", "onnxgrad", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_mpi_trains_as_one_process_does(tmp_path: Path) -> None:
    og.save(regression("float64"), tmp_path / "model.onnx")
    save_arrays(tmp_path / "data.npz", examples(50, "float64"))
    command = ["train", "model.onnx", "--data", "data.npz", "--loss", "loss", "--epochs", "2"]
    command += ["--backend", "numpy"]
    curves = {}
    for size in (1, 2):
        log = f"{size}.jsonl"
        end = ["-o", f"{size}.onnx", "--log", log, "--parallel", "mpi"]
        done = mpiexec(size, *command, *end, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("weights trained") == 1
        curves[size] = [
            json.loads(line)["loss"] for line in (tmp_path / log).read_text().splitlines()
        ]
    np.testing.assert_allclose(curves[2], curves[1], rtol=1e-9)
    one, two = (og.load(tmp_path / f"{size}.onnx") for size in (1, 2))
    np.testing.assert_allclose(weight(two, "w1"), weight(one, "w1"), rtol=1e-9)


def test_an_error_in_one_process_ends_all(tmp_path: Path) -> None:
    """NaN among the examples of a rank: all end, with what is wrong, and the checkpoint is good."""
    og.save(regression("float64"), tmp_path / "model.onnx")
    data = examples(64, "float64")
    data["x"][60] = np.nan
    save_arrays(tmp_path / "data.npz", data)
    done = mpiexec(
        2, "train", "model.onnx", "--data", "data.npz", "--loss", "loss", "-o", "tuned.onnx",
        "--parallel", "mpi", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode != 0 and "of 2: the loss is nan in step" in done.stderr
    assert read_checkpoint(tmp_path / "tuned.checkpoints" / "last.safetensors").progress.step == 0
    assert not (tmp_path / "tuned.onnx").exists()


def test_torchrun_trains_as_one_process_does(tmp_path: Path) -> None:
    """By gloo; where torch is not installed `make bridges` runs it."""
    pytest.importorskip("torch")
    og.save(regression("float64"), tmp_path / "model.onnx")
    save_arrays(tmp_path / "data.npz", examples(50, "float64"))
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--no-python",
        "--",
    ]
    command = [
        sys.executable,
        "-m",
        "onnxgrad",
        "train",
        "model.onnx",
        "--data",
        "data.npz",
        "--loss",
        "loss",
    ]
    command += ["--epochs", "2", "-o", "tuned.onnx", "--log", "log.jsonl", "--parallel", "torch"]
    done = subprocess.run(
        [*launcher, *command], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    alone = og.fit(
        regression("float64"), examples(50, "float64"), optimizer=og.optim.AdamW(1e-3), epochs=2
    )
    np.testing.assert_allclose(
        [json.loads(line)["loss"] for line in lines], losses(alone), rtol=1e-9
    )
