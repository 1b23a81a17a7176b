"""The command line: what it prints and writes, and two lines at most for whatever is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import onnxgrad as og
from onnxgrad.cli import app


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """loss = Σ (x·w)², y = x·w"""
    b = og.Builder("square")
    y = b.op.MatMul(b.input("x", "float32", ("N", 2)), b.parameter("w", np.eye(2, dtype="f4")))
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    b.output(y, "y")
    og.save(b.build(), tmp_path / "model.onnx")
    np.save(tmp_path / "x.npy", np.array([[1, 2]], np.float32))
    return tmp_path / "model.onnx"


def run(*arguments: Any, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result.output


def refusal(*arguments: Any) -> str:
    """Run what must fail; give its message, two lines at most and no traceback."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 2, result.output
    message = result.stderr
    assert "Traceback" not in message and "defect" not in message and message.strip()
    assert "╭" in message or len(message.splitlines()) <= 2, message
    return message


def test_info(model: Path) -> None:
    facts = json.loads(run("info", model, "--json"))
    assert facts["inputs"] == [{"name": "x", "type": "float32[N, 2]"}]
    assert [v["name"] for v in facts["outputs"]] == ["loss", "y"]
    assert facts["parameters"] == {"count": 1, "elements": 4}
    assert facts["operators"] == {"MatMul": 1, "Mul": 1, "ReduceSum": 1}
    assert facts["without_gradient"] == [] and facts["state"] == {}
    assert "float32[N, 2]" in run("info", model)


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


def test_grad_by_vjp_and_jvp(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    run("grad", model, "--vjp", "--of", "y", "--of", "loss", "--wrt", "x", "-o", out)
    assert [v.name for v in og.load(out).inputs] == ["x", "y.grad", "loss.grad"]
    run("grad", model, "--jvp", "--of", "y", "--wrt", "x", "-o", out)
    assert [v.name for v in og.load(out).outputs] == ["loss", "y", "y.tangent"]


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
    for name in ("info", "grad", "run", "validate", "draw", "ops", "demo"):
        assert f"Example: onnxgrad {name}" in run(name, "--help")


def test_wrong_arguments(model: Path, tmp_path: Path) -> None:
    """Each gives one clear message and status 2."""
    out = tmp_path / "out.onnx"
    grad = ["grad", model, "-o", out]
    assert "No such file" in refusal("info", tmp_path / "missing.onnx")
    assert "no value 'los'; did you mean 'loss'" in refusal(*grad, "--of", "los", "--wrt", "x")
    assert "not a scalar" in refusal(*grad, "--of", "y", "--wrt", "x")
    assert "takes one scalar" in refusal(*grad, "--of", "y", "--of", "loss", "--wrt", "x")
    assert "in both of and wrt" in refusal(*grad, "--of", "loss", "--wrt", "y", "--wrt", "loss")
    assert "matches 'z*'" in refusal(*grad, "--of", "loss", "--wrt", "z*")
    both = ["--vjp", "--jvp", "--of", "y", "--wrt", "x"]
    assert "exclude each other" in refusal(*grad, *both)
    assert "No such file" in refusal("draw", model, "-o", tmp_path / "no" / "graph.svg")
    assert "--wrt" in refusal("grad", model, "--of", "loss", "-o", out)
    assert "No such command" in refusal("gradient")
    assert not out.exists()


def test_wrong_feeds(model: Path, tmp_path: Path) -> None:
    x = tmp_path / "x.npy"
    assert "missing: x" in refusal("run", model)
    assert "wants name=file.npy" in refusal("run", model, "-i", "x")
    assert "gives 'x' twice" in refusal("run", model, "-i", f"x={x}", "-i", f"x={x}")
    assert "not an input: z" in refusal("run", model, "-i", f"z={x}")
    assert "No such file" in refusal("run", model, "-i", "x=missing.npy")
    assert "no backend 'tpu'" in refusal("run", model, "-i", f"x={x}", "--backend", "tpu")
    for name, content in (("text", b"1 2 3"), ("empty", b""), ("cut", x.read_bytes()[:-3])):
        bad = tmp_path / f"{name}.npy"
        bad.write_bytes(content)
        assert f"{bad} is no .npy file" in refusal("run", model, "-i", f"x={bad}")
    np.savez(tmp_path / "many.npz", a=1)
    assert "is no .npy file" in refusal("run", model, "-i", f"x={tmp_path / 'many.npz'}")
    np.save(x, np.zeros((1, 3), np.float32))
    assert "(1, 3)" in refusal("run", model, "-i", f"x={x}")


@pytest.mark.parametrize("size", [0, 1, 10, 60])
def test_broken_models(model: Path, tmp_path: Path, size: int) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(model.read_bytes()[:size])
    for command in (["info", bad], ["draw", bad, "-o", tmp_path / "x.svg"]):
        refusal(*command)
    bad.write_bytes(b"not a model" * 20)
    refusal("info", bad)
    refusal("info", tmp_path)  # a folder


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
