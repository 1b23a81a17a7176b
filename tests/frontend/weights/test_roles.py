"""Weights are told from constants that exporters lifted into initializers, by their use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.weights.roles import Kind, Roles, held_floats

MODELS = Path(__file__).parents[2] / "fixtures" / "torch_models"


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def causal(size: int, forbidden: float) -> np.ndarray:
    return np.triu(np.full((size, size), forbidden, np.float32), 1)


def angles(rows: int = 12, size: int = 8) -> np.ndarray:
    return np.outer(np.arange(rows), 10000.0 ** -(np.arange(size) / size)).astype(np.float32)


def sinusoids(rows: int, size: int) -> np.ndarray:
    """The table of Vaswani et al. (2017): sines and cosines in turns."""
    a = angles(rows, size // 2)
    return np.stack([np.sin(a), np.cos(a)], axis=-1).reshape(rows, size)


X = ("float32", (2, 12, 8))

CONSTANTS: dict[str, tuple[Any, Callable[[Any, Any, Any], Any], str]] = {
    "mask": (causal(12, -1e9), lambda op, x, c: (x @ op.Transpose(x, perm=[0, 2, 1])) + c, "mask"),
    "mask of ∞": (causal(8, -np.inf)[None], lambda op, x, c: x[:, :8] + c, "mask"),
    "selection": (np.tri(12, 8, dtype=np.float32), lambda op, x, c: x * c, "zeros and ones"),
    "positions": (sinusoids(12, 8), lambda op, x, c: x + c, "sines"),
    "long positions": (sinusoids(3000, 8), lambda op, x, c: x + c[:12], "sines"),
    "cosines": (np.cos(angles()), lambda op, x, c: x * c, "sines"),
    "table of positions": (sinusoids(12, 8), lambda op, x, c: x + op.Gather(c, [0] * 12), "sines"),
    "exponent": (np.float32(3), lambda op, x, c: op.Pow(x, c), "exponent of Pow"),
    "epsilon": (np.array([1e-5], np.float32), lambda op, x, c: op.Sqrt(op.Abs(x) + c), "ε"),
    "limit": (np.float32(1), lambda op, x, c: op.Clip(x, None, c), "max of Clip"),
    "fill": (np.float32(-1e4), lambda op, x, c: op.Where(x > 0, x, c), "choice of Where"),
    "threshold": (np.float32(0.5), lambda op, x, c: op.Where(x > c, x, 0.0), "compared by"),
    "frequencies": (
        angles()[1:2],
        lambda op, x, c: op.Concat(op.Sin(p := x[:, :, :1] * c), op.Cos(p), axis=-1),
        "frequencies",
    ),
    "scales": (
        np.array([1, 2, 2], np.float32),
        lambda op, x, c: op.Resize(x, None, c),
        "scales of Resize",
    ),
    "start": (np.zeros((1, 2, 8), np.float32), lambda op, x, c: gru(op, x, c), "initial_h of GRU"),
}
CONSTANTS["half positions"] = (
    sinusoids(12, 8).astype(np.float16),
    lambda op, x, c: op.Cast(x, to="float16") + c,
    "sines",
)
CONSTANTS["step"] = (
    np.float32(0.1),
    lambda op, x, c: op.DequantizeLinear(op.QuantizeLinear(x, c), c),
    "scale of QuantizeLinear",
)

WEIGHTS: dict[str, tuple[Any, Callable[[Any, Any, Any], Any], str]] = {
    "product": (draw(8, 3), lambda op, x, c: x @ c, "weight of MatMul"),
    "moved": (draw(3, 8), lambda op, x, c: x @ op.Transpose(c), "weight of MatMul"),
    "kernel": (draw(4, 12, 3), lambda op, x, c: op.Conv(x, c), "weight of Conv"),
    "bias": (np.zeros(8, np.float32), lambda op, x, c: x + c, "addend of Add"),
    "bias of one": (np.zeros(1, np.float32), lambda op, x, c: x + c, "addend of Add"),
    "scale": (np.ones(8, np.float32), lambda op, x, c: op.LayerNormalization(x, c), "scale of"),
    "learned positions": (draw(12, 8), lambda op, x, c: x + c, "addend of Add"),
    "small positions": (0.02 * draw(1, 12, 8), lambda op, x, c: x + c, "addend of Add"),
    "embedding": (
        draw(20, 8),
        lambda op, x, c: op.Gather(c, op.ArgMax(x, axis=-1)),
        "table of Gather",
    ),
    "tied": (
        draw(12, 8),
        lambda op, x, c: op.Gather(c, op.ArgMax(x, axis=-1)) @ op.Transpose(c),
        "table of Gather",
    ),
    "token": (
        draw(1, 1, 8),
        lambda op, x, c: op.Concat(op.Expand(c, [2, 1, 8]), x, axis=1),
        "read by Concat",
    ),
    "direction": (
        draw(8, 3),
        lambda op, x, c: x @ op.Div(c, op.ReduceL2(c, keepdims=1)),
        "weight of MatMul",
    ),
    "sine layer": (draw(8, 3), lambda op, x, c: op.Sin(x @ c + 0.5), "weight of MatMul"),
    "recurrent": (draw(1, 24, 8), lambda op, x, c: gru(op, x, None, c), "recurrent weight of GRU"),
    "pruned": (np.eye(8, dtype=np.float32), lambda op, x, c: x @ c, "weight of MatMul"),
}


def gru(op: Any, x: Any, start: Any, recurrence: Any = None) -> Any:
    weight = draw(1, 24, 8)
    recurrence = weight if recurrence is None else recurrence
    return op.GRU(op.Transpose(x, perm=[1, 0, 2]), weight, recurrence, None, None, start,
                  hidden_size=8, outputs=1)  # fmt: skip


def role(array: Any, use: Callable[[Any, Any, Any], Any]) -> Any:
    b = og.Builder()
    y = use(b.op, b.input("x", *X), b.parameter("c", array))
    b.output(y, "y")
    g = b.build()
    return Roles(g).of(g.find("c"))


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name: str) -> None:
    array, use, reason = CONSTANTS[name]
    found = role(array, use)
    assert found.kind is Kind.CONSTANT and reason in str(found), found


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name: str) -> None:
    array, use, reason = WEIGHTS[name]
    found = role(array, use)
    assert found.kind is Kind.WEIGHT and reason in str(found), found


UNSURE: dict[str, tuple[Any, Callable[[Any, Any, Any], Any], str]] = {
    "factor": (np.float32(0.5), lambda op, x, c: x * c, "factor of Mul"),
    "ramp": (
        np.outer(np.arange(12), 0.5 ** np.arange(8)).astype(np.float32),
        lambda op, x, c: x + c,
        "ramp, addend of Add",
    ),
    "learned start": (draw(1, 2, 8), lambda op, x, c: gru(op, x, c), "start of GRU"),
    "random features": (
        draw(8, 8),
        lambda op, x, c: op.Sin(p := x @ c) + op.Cos(p),
        "frequencies",
    ),
}


@pytest.mark.parametrize("name", UNSURE)
def test_what_may_be_either(name: str) -> None:
    array, use, reason = UNSURE[name]
    found = role(array, use)
    assert found.kind is Kind.UNSURE and str(found).startswith("perhaps a constant: "), found
    assert reason in str(found)


def test_what_is_empty() -> None:
    found = role(np.zeros((0, 8), np.float32), lambda op, x, c: op.Concat(x[0], c, axis=0))
    assert found.kind is Kind.CONSTANT and "empty" in str(found)


def test_scales_of_quantization_train_when_gradients_pass() -> None:
    b = og.Builder()
    c = b.parameter("c", np.float32(0.1))
    b.output(b.op.DequantizeLinear(b.op.QuantizeLinear(b.input("x", *X), c), c), "y")
    g = og.straight_through(b.build())
    assert Roles(g).of(g.find("c")).kind is Kind.WEIGHT


def test_what_a_loop_reads_is_seen_inside() -> None:
    """A weight that a body captures, another that is a state, and a mask that it captures."""
    b = og.Builder()
    x, w = b.input("x", "float32", (2, 4)), b.parameter("w", draw(4, 4))
    start, mask = b.parameter("s", draw(4, 4)), b.parameter("m", causal(4, -1e9)[:2])
    body = b.subgraph(
        lambda i, go, s: (go, s @ w + b.op.ReduceSum(x + mask, keepdims=0)),
        ("int64", ()), ("bool", ()), start,
    )  # fmt: skip
    b.output(b.op.Loop(3, None, start, body=body), "y")
    g = b.build()
    found = {v.name: str(Roles(g).of(v)) for v in held_floats(g)}
    assert found["w"].startswith("weight of MatMul") and found["s"].startswith("weight of MatMul")
    assert found["m"].startswith("constant: added as mask")


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda p: p.stem)
def test_exported_models(path: Path) -> None:
    """Both of torch's exporters name what its modules hold; what they lift has other names."""
    g = og.load(path)
    roles = Roles(g)
    for value in held_floats(g):
        kind = roles.of(value).kind
        last = value.name.rpartition(".")[2]
        if last in ("weight", "bias"):
            assert kind is Kind.WEIGHT, value
        if last in ("running_mean", "running_var", "weights", "sin", "cos", "frequencies"):
            assert kind is Kind.CONSTANT, value
        if last.startswith("val_") and value.rank != 2:
            assert kind is not Kind.WEIGHT, value
