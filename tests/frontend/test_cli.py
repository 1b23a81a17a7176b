"""The command line: what it prints and writes, and two lines at most for whatever is wrong."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from command_line import refusal, run, square
from typer.testing import CliRunner

import onnxgrad as og
from onnxgrad.cli import app


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return square(tmp_path)


def test_info(model: Path) -> None:
    facts = json.loads(run("info", model, "--json"))
    assert facts["inputs"] == [{"name": "x", "type": "float32[N, 2]"}]
    assert [v["name"] for v in facts["outputs"]] == ["loss", "y"]
    assert facts["parameters"] == {"count": 1, "elements": 4, "weights": 1}
    assert facts["operators"] == {"MatMul": 1, "Mul": 1, "ReduceSum": 1}
    assert facts["without_gradient"] == [] and facts["state"] == {}
    assert "float32[N, 2]" in run("info", model)
    assert "values" not in facts and "listed" not in facts["parameters"]


def test_info_lists_what_is_inside(model: Path) -> None:
    facts = json.loads(run("info", model, "--parameters", "--values", "--json"))
    assert facts["parameters"]["listed"] == [
        {"name": "w", "type": "float32[2, 2]", "role": "weight of MatMul 'y'"}
    ]
    inside = {v["name"]: (v["operator"], v["type"]) for v in facts["values"]}
    assert inside["y"] == ("MatMul", "float32[N, 2]") and inside["loss"][0] == "ReduceSum"
    printed = run("info", model, "--parameters", "--values")
    assert "float32[2, 2]" in printed and "ReduceSum" in printed
    assert "float32[2, 2]" not in run("info", model)


def test_grad_straight_through(tmp_path: Path) -> None:
    b = og.Builder("quantized")
    x, scale = b.input("x", "float32", (3,)), b.constant(np.float32(0.5))
    b.output(b.op.DequantizeLinear(b.op.QuantizeLinear(x, scale), scale), "y")
    og.save(b.build(), tmp_path / "model.onnx")
    given = ["--vjp", "--of", "y", "--wrt", "x", "-o", tmp_path / "gradient.onnx"]
    assert "does not depend" in refusal("grad", tmp_path / "model.onnx", *given)
    run("grad", tmp_path / "model.onnx", *given, "--straight-through")
    feeds = {"x": np.array([-1, 0.3, 0.9], "f"), "y.grad": np.array([1, 2, 3], "f")}
    results = og.compile(og.load(tmp_path / "gradient.onnx")).run(feeds)
    np.testing.assert_array_equal(results["x.grad"], [0, 2, 3])


def test_info_of_a_training_step(model: Path, tmp_path: Path) -> None:
    og.save(og.train_step(og.load(model), optimizer=og.optim.SGD(0.1)), tmp_path / "step.onnx")
    facts = json.loads(run("info", tmp_path / "step.onnx", "--json"))
    assert facts["state"] == {"w": "w.new"}


def test_grad_then_run(model: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "grad.onnx", tmp_path / "results.npz"
    assert "x.grad, w.grad" in run("grad", model, "--of", "loss", "--wrt", "*", "-o", out)
    onnx.checker.check_model(onnx.load(out), full_check=True)
    for backend in ("numpy", "onnxruntime"):
        x = f"x={tmp_path / 'x.npy'}"
        given = run("run", out, "--input", x, "--backend", backend, "-o", results, "--json")
        rows = {row["name"]: row for row in json.loads(given)}
        assert rows["loss"]["mean"] == 5 and rows["w.grad"]["type"] == "float32[2, 2]"
        with np.load(results) as arrays:
            np.testing.assert_allclose(arrays["x.grad"], [[2, 4]])
            np.testing.assert_allclose(arrays["w.grad"], [[2, 4], [4, 8]])


def test_tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    b = og.Builder("net")
    x, w = b.input("x", "float32", ("N", 3, 5, 5)), b.parameter("w", np.ones((4, 3, 3, 3), "f"))
    b.output(b.op.ReduceSum(b.op.Relu(b.op.Conv(x, w)), keepdims=0), "loss")
    og.save(b.build(), model := tmp_path / "net.onnx")
    given = ["tune", model, "--of", "loss", "--wrt", "w", "--threads", "1"]
    report = json.loads(run(*given, "--shape", "N=2", "--json"))
    assert [row["operator"] for row in report["rows"]] == ["ReluGrad", "ConvWeightGrad"]
    assert not any(row["from_cache"] for row in report["rows"])
    open_sizes = run(*given)
    (line,) = (line for line in open_sizes.splitlines() if "not timed" in line)
    assert "and 1 more: " in line and line.endswith(": give its sizes numbers, --shape NAME=…")
    assert "shapes=" not in open_sizes
    printed = run(*given, "--shape", "N=2")
    assert "0 timed" in printed and "2 from the cache" in printed
    written = tmp_path / "gradient.onnx"
    assert "operators" in run(*given, "--shape", "N=2", "-o", written)
    results = og.compile(og.load(written)).run({"x": np.ones((2, 3, 5, 5), "f")})
    np.testing.assert_array_equal(results["w.grad"], np.full((4, 3, 3, 3), 18))
    assert "nothing to choose: numpy" in run(*given[:-2], "--backend", "numpy")
    for options, message in (
        (["--backend", "numpy", "-o", written], "onnxruntime or openvino"),
        (["--backend", "numpy", "--threads", "1"], "takes no --threads"),
        (["--of", "x"], "takes one scalar"),
    ):
        assert message in refusal(*given[:-2], *options)


def test_grad_by_vjp_and_jvp(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    run("grad", model, "--vjp", "--of", "y", "--of", "loss", "--wrt", "x", "-o", out)
    assert [v.name for v in og.load(out).inputs] == ["x", "y.grad", "loss.grad"]
    run("grad", model, "--jvp", "--of", "y", "--wrt", "x", "-o", out)
    assert [v.name for v in og.load(out).outputs] == ["loss", "y", "y.tangent"]


def test_grad_writes_for_a_runtime(tmp_path: Path) -> None:
    """What the command writes is what Python's save writes; what it refuses, too."""
    b = og.Builder("net")
    x, label = b.input("x", "float32", (2, 3)), b.input("label", "int64", (2,))
    b.output(b.op.SoftmaxCrossEntropyLoss(x, label), "loss")
    og.save(g := b.build(), model := tmp_path / "model.onnx")
    given = ["grad", model, "--of", "loss", "--wrt", "x", "-o", out := tmp_path / "out.onnx"]
    run(*given, "--runtime", "tract")
    og.save(og.grad(g, "loss", "x"), tmp_path / "saved.onnx", runtime="tract")
    operators = [n.op_type for n in onnx.load(out).graph.node]
    assert operators == [n.op_type for n in onnx.load(tmp_path / "saved.onnx").graph.node]
    assert "SoftmaxCrossEntropyLoss" not in operators
    with pytest.raises(og.GraphError) as error:
        og.save(g, out, runtime="trakt")
    assert refusal(*given, "--runtime", "trakt") == f"onnxgrad: {error.value}\n"


def test_what_is_new_goes_by_a_chosen_name(model: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.onnx", tmp_path / "twice.onnx"
    run("grad", model, "--of", "loss", "--wrt", "x", "-o", once)
    again = ["grad", once, "--of", "x.grad", "--vjp", "--wrt", "x", "-o", twice]
    message = refusal(*again)
    assert "'x.grad' is taken; choose another with --name x=…" in message
    assert "new outputs x.second" in run(*again, "--name", "x=x.second", "--name", "x.grad=v")
    assert [v.name for v in og.load(twice).inputs] == ["x", "v"]
    for wrong, message in {
        "x": "--name wants VALUE=NAME, got 'x'",
        "loss=y": "--name loss: there is no 'loss' among",
    }.items():
        assert message in refusal(*again, "--name", wrong)
    assert "--name gives 'x' twice" in refusal(*again, "--name", "x=a", "--name", "x=b")


def test_what_is_written_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Composites are several operators in a file, and `info` counts as the command did."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    b = og.Builder("net")
    x, w = b.input("x", "float32", (2, 3, 5, 5)), b.parameter("w", np.ones((4, 3, 3, 3), "f"))
    b.output(b.op.ReduceSum(b.op.Gelu(b.op.Conv(x, w)), keepdims=0), "loss")
    og.save(b.build(), model := tmp_path / "net.onnx")
    for command in (["grad"], ["grad", "--runtime", "openvino"], ["tune", "--threads", "1"]):
        out = tmp_path / "out.onnx"
        said = run(command[0], model, "--of", "loss", "--wrt", "*", "-o", out, *command[1:])
        count = len(onnx.load(out).graph.node)
        assert f"{out}: {count} operators" in said
        assert sum(json.loads(run("info", out, "--json"))["operators"].values()) == count


def test_validate(model: Path, tmp_path: Path) -> None:
    report = json.loads(run("validate", model, "--json"))
    assert report["passed"] and {c["value"] for c in report["comparisons"]} == {"loss", "y"}
    assert "onnxruntime" in run("validate", model, "--input", f"x={tmp_path / 'x.npy'}")
    gradients = ["validate", model, "--of", "loss", "--wrt", "*"]
    report = json.loads(run(*gradients, "--backend", "numpy", "--json"))
    assert {c["value"] for c in report["comparisons"]} == {"x.grad", "w.grad"}
    assert "go together" in refusal("validate", model, "--of", "loss")


def test_validate_tells_of_a_difference(tmp_path: Path) -> None:
    """Backends draw random numbers of their own: status 1."""
    b = og.Builder()
    b.output(b.op.RandomUniformLike(b.input("x", "float32", (4,))), "y")
    og.save(b.build(), tmp_path / "random.onnx")
    printed = run("validate", tmp_path / "random.onnx", status=1)
    assert "y" in printed


def test_draw(model: Path, tmp_path: Path) -> None:
    run("draw", model, "-o", tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
    assert "a drawing is SVG or DOT" in refusal("draw", model, "-o", tmp_path / "graph.png")


def test_json_has_no_nan(tmp_path: Path) -> None:
    """As the standard of JSON has it; how many numbers are not finite is said."""
    b = og.Builder()
    b.output(b.op.Log(b.input("x", "float32", (3,))), "y")
    og.save(b.build(), tmp_path / "log.onnx")
    np.save(tmp_path / "x.npy", np.array([-1, 0, 1], np.float32))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    printed = run("run", tmp_path / "log.onnx", "-i", f"x={tmp_path / 'x.npy'}", "--json")
    (row,) = json.loads(printed, parse_constant=refuse)
    assert row["mean"] is None and row["not_finite"] == 2
    assert "nan" in run("run", tmp_path / "log.onnx", "-i", f"x={tmp_path / 'x.npy'}")


def test_ops_lists_the_standard() -> None:
    rows = {row["operator"]: row for row in json.loads(run("ops", "--json"))}
    classical = {name for name in rows if name.startswith("ai.onnx.ml.")}
    assert (len(rows) - len(classical), len(classical)) == (201, 19)
    assert rows["ai.onnx.ml.Scaler"]["gradient"] == "of its body"
    assert rows["ai.onnx.ml.SVMClassifier"]["gradient"].startswith("refused: ")
    assert rows["MatMul"] == {
        "operator": "MatMul",
        "kernel": "ours",
        "gradient": "rule",
        "onnx_tag": "differentiable",
        "body": None,
    }
    assert rows["Range"]["onnx_tag"] == "none"
    assert rows["DFT"]["onnx_tag"].startswith("not differentiable; wrong by input: ")
    assert rows["Floor"]["gradient"].startswith("zero: ")
    assert rows["Gelu"]["body"] == "ONNX's"
    assert "MatMul" in run("ops")


def test_every_command_helps_with_an_example() -> None:
    for name in ("info", "grad", "tune", "run", "validate", "draw", "ops"):
        assert f"Example: onnxgrad {name}" in run(name, "--help")


def test_version() -> None:
    assert run("--version") == f"onnxgrad {og.__version__}\n"


def test_as_a_program(model: Path, tmp_path: Path) -> None:
    """Status and streams as a shell sees them."""

    def call(*arguments: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "onnxgrad", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    good = call("info", model, "--json")
    assert good.returncode == 0 and good.stderr == "" and json.loads(good.stdout)
    bad = call("info", "missing.onnx")
    assert bad.returncode == 2 and bad.stdout == ""
    assert bad.stderr.startswith("onnxgrad: ") and bad.stderr.count("\n") == 1
    assert "missing.onnx" in bad.stderr and "No such file" in bad.stderr
    assert call().returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "{}", "--json"],
        ["validate", "{}", "--of", "loss", "--wrt", "x", "--backend", "numpy"],
        ["grad", "{}", "--of", "loss", "--wrt", "x", "-o", "{}.grad"],
        ["--help"],
        ["--version"],
    ],
)
def test_a_reader_may_have_read_enough(model: Path, arguments: list[str]) -> None:
    """As in `onnxgrad info MODEL | head -1`."""
    command = [sys.executable, "-m", "onnxgrad", *(a.format(model) for a in arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_a_letter_that_a_terminal_lacks(model: Path) -> None:
    command = [sys.executable, "-m", "onnxgrad", "info", str(model)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "MatMul" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_end_leaves_no_file(model: Path, tmp_path: Path, name: str) -> None:
    """It comes while the model is written: nothing stays, and the old file stays as it was."""
    code = f"""
import os, signal, sys
from pathlib import Path
from onnxgrad.cli import main

signal.signal(signal.{name}, signal.SIG_DFL)  # as in a terminal: nohup ignores one of them

def write(self, content, write=Path.write_bytes):
    write(self, content)
    os.kill(os.getpid(), signal.{name})

Path.write_bytes = write
main()
"""
    target = tmp_path / "gradient.onnx"
    target.write_bytes(b"what stood there")
    files = sorted(os.listdir(tmp_path))
    given = ["grad", model, "--of", "loss", "--wrt", "x", "-o", target]
    done = subprocess.run([sys.executable, "-c", code, *map(str, given)], capture_output=True)
    assert done.returncode == 128 + getattr(signal, name) and done.stderr == b""
    assert sorted(os.listdir(tmp_path)) == files and target.read_bytes() == b"what stood there"


@pytest.mark.filterwarnings("always")
def test_what_stock_onnxruntime_refuses_is_one_line(tmp_path: Path) -> None:
    b = og.Builder("erf")
    b.output(b.op.ReduceSum(b.op.Erf(b.input("x", "float64", (2,))), keepdims=0), "y")
    source, target = tmp_path / "erf.onnx", tmp_path / "gradient.onnx"
    source.write_bytes(og.to_onnx(b.build()).SerializeToString())
    command = ["grad", str(source), "--of", "y", "--wrt", "x", "-o", str(target)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("onnxgrad: warning: stock onnxruntime will not load gradient.onnx")


@pytest.fixture
def sized(tmp_path: Path) -> Path:
    b = og.Builder("sized")
    b.output(b.op.Relu(b.input("image", "float32", ("N", 3, "?"))), "y")
    b.output(b.op.Relu(b.input("v", "float32", ("?",))), "z")
    og.save(b.build(), tmp_path / "sized.onnx")
    return tmp_path / "sized.onnx"


@pytest.mark.parametrize(
    ("shapes", "image", "v"),
    [
        (["N=8"], "float32[8, 3, ", ""),
        (["image=2,3,5"], "float32[2, 3, 5]", ""),
        (["image=None, 3 ,5", "v=4,"], "float32[N, 3, 5]", "float32[4]"),
    ],
)
def test_sizes_are_given_numbers(sized: Path, shapes: list[str], image: str, v: str) -> None:
    options = [part for text in shapes for part in ("--shape", text)]
    first, second = json.loads(run("info", sized, "--json", *options))["inputs"]
    assert first["type"].startswith(image) and second["type"].startswith(v)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (["N"], "--shape wants N=8 or image=1,3,None,None, got 'N'"),
        (["N=x"], "--shape N=x: 'x' is no size"),
        (["N=-1"], "'-1' is no size"),
        (["image=1,,2"], "'' is no size"),
        (["N=1", "N=2"], "--shape gives 'N' twice"),
        (["Q=1"], "the model has no symbolic dimension 'Q'; it has 'N'\n"),
        (["v=1"], "for the sizes of an input give all, x=8,3 or x=8,"),
        (["image=1,2"], "--shape image gives 2 sizes; the input has 3"),
        (["image=1,4,2"], "--shape image says 4 where the model says 3"),
        (["N=1", "image=2,3,4"], "--shape gives 'N' the sizes 1 and 2"),
    ],
)
def test_sizes_that_cannot_be(sized: Path, shapes: list[str], message: str) -> None:
    options = [part for text in shapes for part in ("--shape", text)]
    assert message in refusal("info", sized, *options)


def test_every_command_that_loads_takes_shapes(sized: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.ones((2, 3, 4), np.float32))
    np.save(tmp_path / "v.npy", np.ones(4, np.float32))
    pinned = ["--shape", "image=2,3,4", "--shape", "v=4,"]
    feeds = ["--input", f"image={tmp_path / 'image.npy'}", "--input", f"v={tmp_path / 'v.npy'}"]
    run("run", sized, *feeds, *pinned)
    run("validate", sized, *pinned)
    target = tmp_path / "gradient.onnx"
    run("grad", sized, "--of", "y", "--vjp", "--wrt", "image", "-o", target, *pinned)
    assert og.load(target).find("y.grad").shape == (2, 3, 4)
