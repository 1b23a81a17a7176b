"""Types of values: tensor, sequence, optional, to and from ONNX's TypeProto; it infers nothing."""

from dataclasses import dataclass
from functools import cache
from typing import TypeGuard

import numpy as np
import onnx
from onnx import TensorProto, TypeProto

from ..errors import GraphError

Dim = int | str
"""A dimension: a number, or a symbol whose equal name means an equal number."""

Shape = tuple[Dim, ...]

ANONYMOUS = "unk__"
"""Marks dimension names that the compiler made up; they are not written to files."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """A dense tensor of `dtype`; `shape` is None where even the rank is unknown."""

    dtype: np.dtype
    shape: Shape | None = None

    def __str__(self) -> str:
        shown = ("?" if isinstance(d, str) and ANONYMOUS in d else str(d) for d in self.shape or ())
        dims = "*" if self.shape is None else ", ".join(shown)
        return f"{dtype_name(self.dtype)}[{dims}]"


@dataclass(frozen=True, slots=True)
class SequenceType:
    """A sequence of values of one type."""

    element: "Type"

    def __str__(self) -> str:
        return f"seq({self.element})"


@dataclass(frozen=True, slots=True)
class OptionalType:
    """A value of one type, or nothing."""

    element: "Type"

    def __str__(self) -> str:
        return f"optional({self.element})"


Type = TensorType | SequenceType | OptionalType


@cache
def onnx_dtype(dtype: np.dtype) -> int:
    """Give the TensorProto.DataType of a NumPy (or ml_dtypes) dtype."""
    if dtype.kind in "OUS":
        return TensorProto.STRING
    try:
        return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))
    except (KeyError, ValueError):
        raise GraphError(f"ONNX has no tensor type for the dtype {dtype}") from None


@cache
def numpy_dtype(data_type: int) -> np.dtype:
    """Give the NumPy (or ml_dtypes) dtype of a TensorProto.DataType."""
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(data_type))
    except (KeyError, ValueError):
        raise GraphError(f"unknown ONNX tensor data type {data_type}") from None


def dtype_name(dtype: np.dtype) -> str:
    """Give the name of a dtype as ONNX writes it: float32, bfloat16, string."""
    return "string" if dtype.kind in "OUS" else dtype.name


def as_dtype(dtype: object) -> np.dtype:
    """Read a dtype given as a NumPy dtype, a name such as "bfloat16", or a TensorProto number."""
    if dtype is None:  # NumPy would say float64
        raise GraphError("a dtype is missing; use a name such as 'float32'")
    if isinstance(dtype, int) and not isinstance(dtype, bool):
        return numpy_dtype(dtype)
    if isinstance(dtype, str) and dtype.upper() in TensorProto.DataType.keys():
        return numpy_dtype(_number(dtype))
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]  # whatever NumPy accepts
    except (TypeError, ValueError):
        raise GraphError(f"{dtype!r} is not a dtype; use a name such as 'float32'") from None
    onnx_dtype(found)
    return np.dtype(found)


def _number(name: str) -> int:
    return int(TensorProto.DataType.Value(name.upper()))


def type_string(type_: Type) -> str:
    """Write a type as operators' type constraints do: "tensor(float)", "seq(tensor(int64))"."""
    if isinstance(type_, TensorType):
        return _tensor_string(type_.dtype)
    kind = "seq" if isinstance(type_, SequenceType) else "optional"
    return f"{kind}({type_string(type_.element)})"


@cache
def _tensor_string(dtype: np.dtype) -> str:
    return f"tensor({TensorProto.DataType.Name(onnx_dtype(dtype)).lower()})"


def is_packed(dtype: np.dtype) -> bool:
    """Tell whether files hold several numbers of this dtype in a byte; arrays never do."""
    return dtype.kind not in "OUS" and onnx_dtype(dtype) in _PACKED


_PACKED = {
    number
    for name, number in TensorProto.DataType.items()
    if name.startswith(("INT2", "UINT2", "INT4", "UINT4", "FLOAT4", "FLOAT6"))
}


@cache
def is_float(dtype: np.dtype) -> bool:
    """Tell whether gradients can flow through this dtype: real floats of at least 16 bits."""
    return dtype.name in ("float32", "float64", "float16", "bfloat16")


def is_differentiable(type_: Type) -> bool:
    """Tell whether a value of this type can carry a gradient."""
    while not isinstance(type_, TensorType):
        type_ = type_.element
    return is_float(type_.dtype)


def is_static(shape: Shape | None) -> TypeGuard[tuple[int, ...]]:
    """Tell whether every dimension of the shape is a number."""
    return shape is not None and all(isinstance(d, int) for d in shape)


def element_type(sequence: SequenceType) -> Type:
    """Give the type of one element; a size without a name may differ from element to element."""
    element = sequence.element
    if not isinstance(element, TensorType) or element.shape is None:
        return element
    dims = (fresh_dim() if isinstance(d, str) and ANONYMOUS in d else d for d in element.shape)
    return TensorType(element.dtype, tuple(dims))


def to_proto(type_: Type, anonymous: bool = True) -> TypeProto:
    """Write a type as TypeProto; dimension names of our own only where `anonymous`."""
    proto = TypeProto()
    if isinstance(type_, TensorType):
        proto.tensor_type.elem_type = onnx_dtype(type_.dtype)
        if type_.shape is not None:
            shape = proto.tensor_type.shape
            shape.SetInParent()
            for dim in type_.shape:
                entry = shape.dim.add()
                if isinstance(dim, int):
                    entry.dim_value = dim
                elif anonymous or ANONYMOUS not in dim:
                    entry.dim_param = dim
    elif isinstance(type_, SequenceType):
        proto.sequence_type.elem_type.CopyFrom(to_proto(type_.element, anonymous))
    else:
        proto.optional_type.elem_type.CopyFrom(to_proto(type_.element, anonymous))
    return proto


def from_proto(proto: TypeProto, fresh: "FreshDim") -> Type:
    """Read a TypeProto; each unnamed dimension gets a fresh name."""
    kind = proto.WhichOneof("value")
    if kind == "tensor_type":
        tensor = proto.tensor_type
        shape: Shape | None = None
        if tensor.HasField("shape"):
            shape = tuple(_dim(d, fresh) for d in tensor.shape.dim)
        return TensorType(numpy_dtype(tensor.elem_type), shape)
    if kind == "sequence_type":
        return SequenceType(from_proto(proto.sequence_type.elem_type, fresh))
    if kind == "optional_type":
        return OptionalType(from_proto(proto.optional_type.elem_type, fresh))
    raise GraphError(f"values of type {kind or 'unknown'} are not supported")


def _dim(dim: onnx.TensorShapeProto.Dimension, fresh: "FreshDim") -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return dim.dim_param or fresh()


class FreshDim:
    """Hand out dimension names that no file and no other call has used."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        return f"{ANONYMOUS}{self._count}"


fresh_dim = FreshDim()
