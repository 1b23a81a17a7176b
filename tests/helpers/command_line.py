"""The command line as tests use it: a small model, a command that works, one that must not."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

import onnxgrad as og
from onnxgrad.cli import app

PYTHON = re.compile(
    r"(?<![-\w./'])(allow_unused|frozen|names|of|parameters|resume|shapes|wrt)(=|\[)"
    r"|^onnxgrad: (backends|frozen|names|of|parameters|seed|shapes|wrt)(:| must)"
)
"""Arguments of Python's functions, which no command has."""


def square(folder: Path) -> Path:
    """Write model.onnx, loss = Σ (x·w)² and y = x·w, and x.npy; give the model's path."""
    b = og.Builder("square")
    y = b.op.MatMul(b.input("x", "float32", ("N", 2)), b.parameter("w", np.eye(2, dtype="f4")))
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    b.output(y, "y")
    og.save(b.build(), folder / "model.onnx")
    np.save(folder / "x.npy", np.array([[1, 2]], np.float32))
    return folder / "model.onnx"


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
    assert len(message.splitlines()) <= 2, message
    assert not PYTHON.search(message), message
    return message
