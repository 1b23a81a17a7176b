"""Read tensors of a model, sparse ones filled up; those in other files are external_data.py's."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import SparseTensorProto, TensorProto

from ..errors import ModelFileError

SPARSE_LIMIT = 2**31
"""Largest size in bytes to which a sparse tensor is filled up."""


class TensorReader:
    """Reads tensors that a file holds in itself; see external_data for the others."""

    def __call__(self, proto: TensorProto) -> np.ndarray:
        """Read one tensor."""
        if proto.data_location == TensorProto.EXTERNAL:
            raise ModelFileError(
                f"the tensor '{proto.name}' lies in another file; load the model by its path"
            )
        return self._checked(proto, lambda: onnx.numpy_helper.to_array(proto))

    def _checked(self, proto: TensorProto, read: Callable[[], np.ndarray]) -> np.ndarray:
        if any(d < 0 for d in proto.dims):
            raise ModelFileError(f"the tensor '{proto.name}' has the shape {list(proto.dims)}")
        try:
            return read()
        except (ValueError, TypeError, KeyError) as error:
            raise ModelFileError(f"the tensor '{proto.name}' is damaged: {error}") from error


def densify(proto: SparseTensorProto, tensor: TensorReader) -> np.ndarray:
    """Fill a sparse tensor up with zeros."""
    values, indices = tensor(proto.values), tensor(proto.indices)
    shape = [int(d) for d in proto.dims]
    name, size = proto.values.name, values.dtype.itemsize
    if any(d < 0 for d in shape) or np.prod([float(d) for d in shape]) * size > SPARSE_LIMIT:
        raise ModelFileError(f"the sparse tensor '{name}' of shape {shape} is too large to fill up")
    dense = np.zeros(shape, values.dtype)
    try:
        if indices.ndim == 2:
            dense[tuple(indices.T)] = values
        else:
            dense.reshape(-1)[indices] = values
    except (IndexError, ValueError) as error:
        raise ModelFileError(f"the sparse tensor '{name}' is damaged: {error}") from error
    return dense
