"""What an optimizer's `update` emits through; it knows no update rule and no training step."""

from collections.abc import Collection
from typing import Any

import numpy as np

from onnxgrad.compiler.emission.naming import STEP
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType

_SINGLE = np.dtype(np.float32)


_COUNT = "step"


def is_optimizer_state(name: str, parameters: Collection[str]) -> bool:
    """Tell whether an optimizer that trains these parameters may keep state of that name."""
    if not parameters:
        return False
    counts = name == _COUNT or name.removeprefix(f"{_COUNT}_").isdecimal()
    return counts or any(name.startswith(f"{p}.") for p in parameters)


class Update:
    """What an optimizer's `update` emits through: operators, state and the learning rate."""

    def __init__(self, graph: Graph, learning_rate: float | str) -> None:
        self.op = Ops(graph, prefix=STEP)
        self.pairs: dict[Value, Value] = {}
        self._graph = graph
        self._parameters: dict[Value, Value] = {}
        self._count: Value | None = None
        self._casts: dict[tuple[Value, np.dtype], Value] = {}
        self._rates: dict[np.dtype, Value] = {}
        self._rate: Value | float
        if isinstance(learning_rate, str):
            if learning_rate in graph.names:
                raise GraphError(f"the graph has a '{learning_rate}'; rename the learning rate")
            self._rate = self._input(learning_rate, TensorType(_SINGLE, ()), None)
        else:
            self._rate = require_number(learning_rate, "a learning rate that is no name")

    def widen(self, w: Value) -> Value:
        """Give a value in the dtype updates are computed in: at least float32."""
        wide = self._convert(w, _SINGLE) if w.dtype.itemsize < 4 else w
        self._parameters[wide] = w
        return wide

    def rate(self, w: Value) -> Value:
        """Give the learning rate as a scalar of the dtype of `w`."""
        if isinstance(self._rate, Value):
            return self.cast(self._rate, w)
        if w.dtype not in self._rates:
            self._rates[w.dtype] = self.op.like(self._rate, w)
        return self._rates[w.dtype]

    def cast(self, x: Value, w: Value) -> Value:
        """Convert to the dtype of `w`; once, however often it is asked for."""
        if (x, w.dtype) not in self._casts:
            self._casts[x, w.dtype] = self._convert(x, w.dtype)
        return self._casts[x, w.dtype]

    def count(self) -> Value:
        """Give the number of this step, 1 at the first, as a float64 scalar."""
        if self._count is None:
            before = self._input(_COUNT, TensorType(np.dtype(np.int64), ()), np.array(0))
            now = self.op.Add(before, 1)
            self.keep(before, now)
            self._count = self._convert(now, np.dtype(np.float64))
        return self._count

    def state(self, name: str, w: Value) -> Value:
        """Add state of the shape of a parameter, "<parameter>.<name>", that starts at zero."""
        parameter = self._parameters[w]
        shape = [d for d in w.shape or () if isinstance(d, int)]
        if w.shape is None or len(shape) < len(w.shape):
            raise GraphError(
                f"the optimizer's state for '{parameter.name}' needs its shape in numbers, it is "
                f"{w.type}; load the model with shapes={{…}}"
            )
        return self._input(f"{parameter.name}.{name}", w.type, np.zeros(shape, w.dtype))

    def keep(self, before: Value, after: Value) -> None:
        """State that `after` is what the input `before` becomes at the next step."""
        self.pairs[before] = after

    def _convert(self, x: Value, dtype: np.dtype) -> Value:
        if x.dtype == dtype:
            return x
        return self.op.Cast(x, to=dtype)

    def _input(self, name: str, type_: Any, start: np.ndarray | None) -> Value:
        value = Value(self._graph.names.fresh(name), type_, start, parameter=start is not None)
        self._graph.inputs.append(self._graph.add_value(value))
        return value
