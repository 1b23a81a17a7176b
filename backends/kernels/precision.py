"""Which dtypes kernels compute in: the element types of ONNX, and float32 for the half ones."""

import functools
from typing import Any

import ml_dtypes
from onnx import TensorProto

from .registry import Array, Kernel, KernelDoesNotApply

# the element types that plain casts convert to; float8, 4-bit integers and strings saturate,
# pack or parse, which the reference does
_DTYPES: dict[int, Any] = {
    TensorProto.FLOAT: "float32",
    TensorProto.UINT8: "uint8",
    TensorProto.INT8: "int8",
    TensorProto.UINT16: "uint16",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
}


def element_dtype(element_type: int) -> Any:
    """Return what `astype` takes for an element type of TensorProto."""
    if element_type not in _DTYPES:
        raise KernelDoesNotApply
    return _DTYPES[element_type]


def is_half(x: Array) -> bool:
    """Tell whether x is float16 or bfloat16, which kernels compute in float32."""
    dtype = x.dtype
    return dtype.itemsize == 2 and dtype.kind in "fV"


def is_plain(dtype: Any) -> bool:
    """Tell whether casting to and from a dtype is a plain `astype`."""
    if dtype.kind == "f":
        return bool(dtype.itemsize > 1)  # float8_e5m2 is of this kind too
    return dtype.kind in "biu" or dtype == ml_dtypes.bfloat16


def widen(x: Array) -> Array:
    """Return a half-precision array in float32, anything else as it is."""
    return x.astype("float32") if x is not None and is_half(x) else x


def widened(function: Kernel) -> Kernel:
    """Let a kernel compute half-precision inputs in float32 and round its float32 results."""

    @functools.wraps(function)
    def run(xp: Any, x: Array, *inputs: Array, **attributes: Any) -> Any:
        if not is_half(x):
            return function(xp, x, *inputs, **attributes)
        results = function(xp, widen(x), *map(widen, inputs), **attributes)
        if isinstance(results, tuple):
            return tuple(_narrow(result, x.dtype) for result in results)
        return _narrow(results, x.dtype)

    return run


def _narrow(result: Array, dtype: Any) -> Array:
    """Round a float32 result to the half-precision dtype; masks and indices stay."""
    return result.astype(dtype) if result is not None and result.dtype == "float32" else result
