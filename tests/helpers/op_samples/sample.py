"""One row of the table that drives every operator test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Sample:
    """One call of an operator on float64 inputs at which it is differentiable.

    Attributes:
        op: the operator.
        inputs: arrays; None where an optional input is omitted.
        attributes: the call's attributes.
        outputs: how many outputs are asked for (None: the operator's default).
        wrt: indices of the inputs to differentiate by (None: all float inputs).
        second_order: check the gradient's gradient too.
        third_order: check its gradient as well, where zeros among the inputs are special.
        onnxruntime: compare with onnxruntime in float32 too; False needs a reason beside it.
        reference: compare with onnx.reference; False needs a reason beside it.
        tolerance: relative tolerance against finite differences.
        forward_tolerance: relative tolerance against onnx.reference; more needs a reason beside it.
    """

    op: str
    inputs: Sequence[Array | None]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int | None = None
    wrt: Sequence[int] | None = None
    second_order: bool = True
    third_order: bool = False
    onnxruntime: bool = True
    reference: bool = True
    tolerance: float = 1e-6
    forward_tolerance: float = 1e-12
    label: str = ""

    def __str__(self) -> str:
        shapes = "_".join("x".join(map(str, a.shape)) for a in self.inputs if a is not None)
        settings = ",".join(f"{k}={v}" for k, v in self.attributes.items())
        return "-".join(filter(None, [self.op, self.label or settings, shapes]))


def random(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> Array:
    """Draw float64 values between `low` and `high`, no two equal."""
    generator = np.random.default_rng([seed, *shape])
    count = int(np.prod(shape))
    spread = np.linspace(low, high, count + 2)[1:-1]
    return generator.permutation(spread).reshape(shape)


def ints(*values: Any) -> Array:
    """Give an int64 tensor: ints(1, 2) has rank 1, ints([[1]]) the rank of its nesting."""
    return np.array(values[0] if len(values) == 1 and isinstance(values[0], list) else values)
