"""Vectors of neighbouring numbers as a type of numba's: 64 bytes, a register of AVX-512.

LLVM turns a loop into instructions on vectors only where it can tell that what is written is not
what is still to be read. Code on vectors says so itself: it reads, adds, and writes. On processors
with shorter registers LLVM takes several.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, overload, register_model

Function = Callable[..., Any]


def intrinsic(function: Function) -> Function:
    """Let numba take what a function generates for a call: as its decorator, with types."""
    taken: Function = extending.intrinsic(function)
    return taken


_BYTES = 64

LANES = {"float32": 16, "float64": 8}
"""How many numbers a vector holds, by dtype."""


class Vector(types.Type):
    """The type of a vector of floats, as many as fit into 64 bytes."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")

    @property
    def lanes(self) -> int:
        """How many numbers it holds."""
        return _BYTES * 8 // self.dtype.bitwidth


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        element = manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


def _pointer(context: Any, builder: Any, array: Any, value: Any, indices: Any) -> Any:
    """Point at an element, as at the first one of a vector."""
    held = context.make_array(array)(context, builder, value)
    element = cgutils.get_item_pointer(
        context, builder, array, held, cgutils.unpack_tuple(builder, indices), wraparound=False
    )
    vector = context.get_value_type(Vector(array.dtype))
    return builder.bitcast(element, vector.as_pointer())


@intrinsic
def load(typing: Any, array: Any, indices: Any) -> Any:
    """Read the numbers from an element on, which lie side by side: load(array, (i, j, …))."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(_pointer(context, builder, array, *arguments))
        found.align = array.dtype.bitwidth // 8
        return found

    return Vector(array.dtype)(array, indices), generate


@intrinsic
def store(typing: Any, array: Any, indices: Any, vector: Any) -> Any:
    """Write a vector to an element and the ones after it: store(array, (i, j, …), vector)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, at, numbers = arguments
        written = builder.store(numbers, _pointer(context, builder, array, value, at))
        written.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, indices, vector), generate


def _binary(function: Function, instruction: str) -> None:
    """Let numba take an operator of vectors for an instruction."""

    @intrinsic
    def both(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
            return getattr(builder, instruction)(*arguments)

        return x(x, y), generate

    def of_vectors(x: Any, y: Any) -> Any:
        if isinstance(x, Vector) and x == y:
            return lambda x, y: both(x, y)
        return None

    overload(function, strict=False)(of_vectors)  # the lambda lacks its annotations


_binary(operator.add, "fadd")
_binary(operator.sub, "fsub")
