"""One random call of an operator, the row that draws it, and the model that holds it alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper

import onnxgrad as og

Array = np.ndarray
Draw = np.random.Generator


@dataclass(frozen=True)
class Call:
    """Arrays (None: omitted; floats in float32) and attributes; constants are initializers."""

    inputs: Sequence[Array | None]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    constants: Sequence[int] = ()


@dataclass(frozen=True)
class Row:
    """An operator and what draws calls of it.

    Attributes:
        op: the operator.
        draw: draws one call.
        outputs: which outputs are asked for ("" omits one); None: the first.
        domain: where the operator stands.
        opset: that of the model around it.
        half: the call makes sense in float16 too.
        tolerance: relative to the largest number, in float32.
        steps: how many steps of quantization a result may differ by where both round.
        smooth: gradients are compared with differences.
        runs: onnxruntime's CPU provider has a kernel; False needs a formula in its place.
        compared: how many outputs are compared, where others hold what nobody reads.
    """

    op: str
    draw: Callable[[Draw], Call]
    outputs: Sequence[str] = ("y",)
    domain: str = "com.microsoft"
    opset: int = 17
    half: bool = True
    tolerance: float = 2e-5
    steps: int = 0
    smooth: bool = True
    runs: bool = True
    compared: int | None = None
    label: str = ""

    def __str__(self) -> str:
        return "-".join(filter(None, [self.op, self.label]))

    def call(self, seed: int, dtype: Any = np.float32) -> Call:
        """Draw a call whose floats have a dtype."""
        call = self.draw(np.random.default_rng([seed, *map(ord, str(self))]))
        arrays = [
            a.astype(dtype) if a is not None and a.dtype == np.float32 else a for a in call.inputs
        ]
        return Call(arrays, call.attributes, call.constants)


def feeds_of(call: Call) -> dict[str, Array]:
    return {
        f"x{k}": a for k, a in enumerate(call.inputs) if a is not None and k not in call.constants
    }


def model_of(row: Row, call: Call, dynamic: bool = False) -> onnx.ModelProto:
    """Write a model of this one call; with `dynamic` its sizes are symbols."""
    names = ["" if a is None else f"x{k}" for k, a in enumerate(call.inputs)]
    node = helper.make_node(
        row.op, names, list(row.outputs), "node", domain=row.domain, **dict(call.attributes)
    )
    held, inputs = [], []
    for name, (k, array) in zip(names, enumerate(call.inputs), strict=True):
        if array is None:
            continue
        if k in call.constants:
            held.append(onnx.numpy_helper.from_array(array, name))
            continue
        shape = [f"{name}_{i}" for i in range(array.ndim)] if dynamic else array.shape
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        inputs.append(helper.make_tensor_value_info(name, kind, shape))
    outputs = [onnx.ValueInfoProto(name=name) for name in row.outputs if name]
    graph = helper.make_graph([node], "call", inputs, outputs, held)
    opsets = [helper.make_opsetid("", row.opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def graph_of(row: Row, call: Call) -> og.Graph:
    """Read the model of this one call."""
    return og.load(model_of(row, call))


def floats(draw: Draw, *shape: int, scale: float = 1.0) -> Array:
    """Draw normal numbers, in float32."""
    return (scale * draw.standard_normal(shape)).astype(np.float32)


def below(draw: Draw, bound: int, *shape: int, dtype: Any = np.int32) -> Array:
    """Draw integers from 0 up to a bound."""
    return np.asarray(draw.integers(0, bound, shape), dtype)


def of_bytes(draw: Draw, kind: Any, *shape: int) -> Array:
    """Draw 8-bit integers of all sizes."""
    limits = np.iinfo(kind)
    return np.asarray(draw.integers(limits.min, limits.max + 1, shape), kind)


def one_of(draw: Draw, *options: Any) -> Any:
    return options[int(draw.integers(len(options)))]


def maybe(draw: Draw, array: Array) -> Array | None:
    return array if draw.random() < 0.6 else None


def size(draw: Draw, low: int = 1, high: int = 5) -> int:
    return int(draw.integers(low, high + 1))


def broadcast_batches(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw the batch axes of two operands that broadcast against each other."""
    whole = tuple(size(draw, 1, 3) for _ in range(size(draw, 0, 2)))
    return one_of(draw, (whole, whole), (whole, ()), ((), whole), (whole, (1,) * len(whole)))
