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


def _pointer(context: Any, builder: Any, array: Any, value: Any, place: Any) -> Any:
    """Point at the element that lies `place` elements behind the first one in memory."""
    data = context.make_array(array)(context, builder, value).data
    return builder.gep(data, [place])


def _vector_pointer(context: Any, builder: Any, array: Any, value: Any, place: Any) -> Any:
    vector = context.get_value_type(Vector(array.dtype))
    return builder.bitcast(_pointer(context, builder, array, value, place), vector.as_pointer())


def _reader(point: Function, result: Function) -> Function:
    """Make what reads `result(dtype)` at a place of an array: read(array, place)."""

    @intrinsic
    def read(typing: Any, array: Any, place: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            found = builder.load(point(context, builder, array, *arguments))
            found.align = array.dtype.bitwidth // 8
            return found

        return result(array.dtype)(array, types.intp), generate

    return read


def _writer(point: Function) -> Function:
    """Make what writes to a place of an array: write(array, place, value)."""

    @intrinsic
    def write(typing: Any, array: Any, place: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            held, at, found = arguments
            written = builder.store(found, point(context, builder, array, held, at))
            written.align = array.dtype.bitwidth // 8
            return context.get_dummy_value()

        return types.void(array, types.intp, value), generate

    return write


load, store = _reader(_vector_pointer, Vector), _writer(_vector_pointer)
"""A vector: the numbers from a place on."""

load_one, store_one = _reader(_pointer, lambda dtype: dtype), _writer(_pointer)
"""One number, in the same words; nothing asks whether the place is within the array."""


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
