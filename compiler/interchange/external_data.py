"""Read and write tensors in files beside the model; it never leaves the model's folder."""

import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
from onnx import TensorProto

from ..errors import ModelFileError
from ..graph.types import is_packed, numpy_dtype, onnx_dtype
from ..reading.tensor_reader import TensorReader
from ..standard.protos import tensor_proto

PROTOBUF_LIMIT = 2**31 - 2**26
"""Weights of more bytes than this go to a file of their own: a protobuf message ends at 2 GB."""

SMALLEST = 1024
"""Smaller tensors stay in the model, in bytes."""

_ALIGNMENT = 4096
"""Tensors start at multiples of this, so that runtimes can map the file into memory."""


class ExternalTensorReader(TensorReader):
    """Reads tensors in the model or in files in its folder; those files are mapped into memory.

    So weights take memory once they are used, and share it with all who map the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._mapped: dict[Path, np.ndarray] = {}

    def __call__(self, proto: TensorProto) -> np.ndarray:
        """Read one tensor.

        Raises:
            ModelFileError: the file is missing, too short or outside the folder.
        """
        if proto.data_location != TensorProto.EXTERNAL:
            return super().__call__(proto)
        entries = {e.key: e.value for e in proto.external_data}
        path = self._path(proto.name, entries.get("location", ""))
        content = self._content(proto, path, entries)
        dtype = numpy_dtype(proto.data_type)
        if _lies_as_in_files(dtype):
            return self._checked(proto, lambda: _aligned(content, dtype).reshape(proto.dims))
        inside = TensorProto(name=proto.name, data_type=proto.data_type, dims=proto.dims)
        inside.raw_data = content.tobytes()
        return super().__call__(inside)

    def _path(self, name: str, location: str) -> Path:
        if not location or "\0" in location:
            raise ModelFileError(f"the tensor '{name}' lies in another file that is not named")
        path = (self._folder / location).resolve()
        if not path.is_relative_to(self._folder):
            raise ModelFileError(
                f"the tensor '{name}' lies in '{location}', outside the model's folder; "
                "that is refused: move the file beside the model"
            )
        if not path.is_file():
            raise ModelFileError(
                f"the tensor '{name}' lies in '{location}', which is not in {self._folder}"
            )
        return path

    def _content(self, proto: TensorProto, path: Path, entries: dict[str, str]) -> np.ndarray:
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
        except ValueError:
            raise ModelFileError(
                f"the place of the tensor '{proto.name}' in '{path.name}' is not a number"
            ) from None
        mapped = self._map(path)
        available = mapped.size - offset
        length = available if "length" not in entries else length
        if offset < 0 or not 0 <= length <= available:
            raise ModelFileError(
                f"'{path.name}' ends before the tensor '{proto.name}' does: the file is truncated"
            )
        return mapped[offset : offset + length]

    def _map(self, path: Path) -> np.ndarray:
        """Map a file, once; an empty one cannot be."""
        if path not in self._mapped:
            size = path.stat().st_size
            mapped = np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)
            self._mapped[path] = np.asarray(mapped)
        return self._mapped[path]


def _lies_as_in_files(dtype: np.dtype) -> bool:
    """Tell whether an array's memory is what files hold: whole bytes, the least first."""
    return sys.byteorder == "little" and dtype.kind not in "OUS" and not is_packed(dtype)


def _aligned(content: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """See bytes as an array; they are copied where they start between two elements."""
    return np.require(content.view(dtype), requirements="A")


class ExternalTensorWriter:
    """Writes tensors into one file as the exporter comes by them, without a copy of them."""

    def __init__(self, file: BinaryIO, location: str) -> None:
        self._file = file
        self._location = location

    def __call__(self, array: np.ndarray, name: str) -> TensorProto:
        """Write one tensor; small ones and strings stay in the message."""
        if array.nbytes < SMALLEST or array.dtype.kind in "OUS":
            return tensor_proto(array, name)
        content: bytes | memoryview
        if _lies_as_in_files(array.dtype):
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        else:
            content = tensor_proto(array).raw_data
        self._file.write(b"\0" * (-self._file.tell() % _ALIGNMENT))
        entries = {"location": self._location, "offset": self._file.tell(), "length": len(content)}
        self._file.write(content)
        proto = TensorProto(name=name, data_type=onnx_dtype(array.dtype), dims=array.shape)
        proto.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            proto.external_data.add(key=key, value=str(value))
        return proto
