"""What NumPy asks of a tensor: `array + tensor` and its like are ours, all else is refused."""

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Value
from onnxgrad.compiler.standard.schemas import find_schema

_REFLECTED = {
    np.add: "__radd__",
    np.subtract: "__rsub__",
    np.multiply: "__rmul__",
    np.true_divide: "__rtruediv__",
    np.floor_divide: "__rfloordiv__",
    np.remainder: "__rmod__",
    np.power: "__rpow__",
    np.matmul: "__rmatmul__",
    np.bitwise_and: "__rand__",
    np.bitwise_or: "__ror__",
    np.bitwise_xor: "__rxor__",
    np.less: "__gt__",
    np.less_equal: "__ge__",
    np.greater: "__lt__",
    np.greater_equal: "__le__",
    np.equal: "__eq__",
    np.not_equal: "__ne__",
}
"""What NumPy calls for Python's operators on an array, and what a tensor on its right answers."""


class NumpyCalls:
    """A tensor as NumPy sees it: no array."""

    __slots__ = ()

    value: Value

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **_: Any) -> Any:
        """Give `array + tensor`; other functions of NumPy's compute with numbers.

        Raises:
            GraphError: it is another function.
        """
        if ufunc in _REFLECTED and method == "__call__" and not isinstance(inputs[0], NumpyCalls):
            return getattr(self, _REFLECTED[ufunc])(inputs[0])
        raise self._has_no_value(ufunc.__name__)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self._has_no_value()

    def __float__(self) -> float:
        raise self._has_no_value()

    def __index__(self) -> int:
        raise self._has_no_value()

    def _has_no_value(self, function: str = "") -> GraphError:
        found = _operator(function)
        advice = f"use op.{found}" if found else "compute with ONNX's operators, builder.op"
        return GraphError(
            f"'{self.value.name}' has no value yet, only when the built graph is run; {advice}"
        )

    if not TYPE_CHECKING:  # to a type checker it would say that any name is there

        def __getattr__(self, name: str) -> NoReturn:
            found = None if name.startswith("_") else _operator(name)
            said = f"; use op.{found}(tensor, …)" if found else ""
            raise AttributeError(f"a Tensor has no '{name}'{said}", name=name, obj=self)


def _operator(function: str) -> str | None:
    """Give the operator that is like a function of NumPy's."""
    name = function.capitalize()
    return next((n for n in (f"Reduce{name}", name) if find_schema(n) is not None), None)
