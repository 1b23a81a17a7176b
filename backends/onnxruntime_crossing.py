"""How values cross between NumPy and onnxruntime; it runs nothing."""

import ctypes
from typing import Any

import numpy as np
import onnx

from ..compiler.graph.types import TensorType, Type
from ..compiler.standard.protos import tensor_proto


def crossing(type_: Type) -> str:
    """Tell how a value crosses: as an array, as bytes that NumPy has no dtype for, as an object."""
    if not isinstance(type_, TensorType) or type_.dtype.kind in "OUS":
        return "object"
    return "array" if type_.dtype.isbuiltin == 1 else "bytes"


def to_ort(array: np.ndarray) -> Any:
    """Hand an array over as packed bytes, the way ONNX files hold it."""
    import onnxruntime as ort

    proto = tensor_proto(array)
    value = ort.OrtValue.ortvalue_from_shape_and_type(list(array.shape), proto.data_type)
    ctypes.memmove(value.data_ptr(), proto.raw_data, len(proto.raw_data))
    return value


def from_ort(value: Any) -> np.ndarray:
    """Read an array back from the bytes that onnxruntime holds."""
    data = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    proto = onnx.TensorProto(data_type=value.element_type(), dims=value.shape(), raw_data=data)
    return onnx.numpy_helper.to_array(proto)
