"""Bodies of the optimizers of ai.onnx.preview.training, by the formulas of the standard."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir import Node, Value
from ..ops import Ops
from ..schemas import attribute_defaults
from ..types import onnx_dtype
from .registry import standard_body

TRAINING = "ai.onnx.preview.training"

Step = Callable[[Sequence[Value]], tuple[Value, ...]]
"""From one tensor, its gradient and its state to the new tensor and the new state."""


@standard_body(f"{TRAINING}.Adagrad")
def adagrad(op: Ops, node: Node) -> list[Value]:
    """h' = h + g², x' = x − r/(1 + t·decay)·g/(√h' + ε), where g holds norm·x too."""
    get, rate, count = _setting(op, node)
    slowed = op.Div(rate, op.Add(op.Mul(count, get("decay_factor")), 1.0))

    def step(tensors: Sequence[Value]) -> tuple[Value, ...]:
        x, g, h = tensors
        g = op.Add(op.Mul(x, get("norm_coefficient")), g)
        h = op.Add(h, op.Mul(g, g))
        scale = op.Add(op.Sqrt(h), get("epsilon"))
        return op.Sub(x, op.Div(op.Mul(slowed, g), scale)), h

    return _each(node, 3, step)


@standard_body(f"{TRAINING}.Adam")
def adam(op: Ops, node: Node) -> list[Value]:
    """v' = αv + (1 − α)g, h' = βh + (1 − β)g², x' = (1 − post)·(x − r'·v'/(√h' + ε)).

    r' = r·√(1 − βᵗ)/(1 − αᵗ) for t > 0, else r; g holds norm·x too. The corrections are float64:
    1 − βᵗ cancels.
    """
    get, rate, _ = _setting(op, node)
    alpha, beta = get("alpha"), get("beta")
    count = op.Cast(node.inputs[1], to=onnx_dtype(np.dtype(np.float64)))
    started = op.Greater(count, 0.0)
    later = op.Where(started, count, 1.0)  # nothing is divided by 0 on the side not taken
    root = op.Sqrt(op.Sub(1.0, op.Pow(op.like(beta, count), later)))
    factor = op.Div(root, op.Sub(1.0, op.Pow(op.like(alpha, count), later)))
    rate = op.Mul(rate, op.Cast(op.Where(started, factor, 1.0), to=onnx_dtype(rate.dtype)))

    def step(tensors: Sequence[Value]) -> tuple[Value, ...]:
        x, g, v, h = tensors
        g = op.Add(op.Mul(x, get("norm_coefficient")), g)
        v = op.Add(op.Mul(v, alpha), op.Mul(g, 1 - alpha))
        h = op.Add(op.Mul(h, beta), op.Mul(op.Mul(g, g), 1 - beta))
        move = op.Div(op.Mul(rate, v), op.Add(op.Sqrt(h), get("epsilon")))
        return op.Mul(op.Sub(x, move), 1 - get("norm_coefficient_post")), v, h

    return _each(node, 4, step)


@standard_body(f"{TRAINING}.Momentum")
def momentum(op: Ops, node: Node) -> list[Value]:
    """v' = αv + β'g with β' = β for t > 0, else 1; x' = x − r·v', or x − r·(g + αv')."""
    get, rate, count = _setting(op, node)
    beta = op.Where(op.Greater(count, 0.0), op.like(get("beta"), rate), 1.0)
    nesterov = node.attributes["mode"] == "nesterov"

    def step(tensors: Sequence[Value]) -> tuple[Value, ...]:
        x, g, v = tensors
        g = op.Add(op.Mul(x, get("norm_coefficient")), g)
        v = op.Add(op.Mul(v, get("alpha")), op.Mul(beta, g))
        direction = op.Add(g, op.Mul(v, get("alpha"))) if nesterov else v
        return op.Sub(x, op.Mul(rate, direction)), v

    return _each(node, 3, step)


def _setting(op: Ops, node: Node) -> tuple[Callable[[str], float], Value, Value]:
    """Give the attributes, and learning rate and update count in the dtype of the tensors."""
    attributes: dict[str, Any] = attribute_defaults(node.op_type, node.domain) | node.attributes
    rate, count, x, *_ = node.inputs
    assert x is not None
    to = onnx_dtype(x.dtype)
    return attributes.__getitem__, op.Cast(rate, to=to), op.Cast(count, to=to)


def _each(node: Node, parts: int, step: Step) -> list[Value]:
    """Apply a step to each tensor; inputs and outputs list all tensors, then all of the next."""
    tensors = [v for v in node.inputs[2:] if v is not None]
    number = len(tensors) // parts
    results = [step(tensors[k::number]) for k in range(number)]
    return [value for same in zip(*results, strict=True) for value in same]
