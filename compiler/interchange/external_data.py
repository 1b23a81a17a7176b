"""Read and write tensors in files beside the model; it never leaves the model's folder."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from onnx import TensorProto

from ..errors import ModelFileError
from ..reading.tensor_reader import TensorReader
from ..standard.protos import tensor_proto

PROTOBUF_LIMIT = 2**31 - 2**26
"""Weights of more bytes than this go to a file of their own: a protobuf message ends at 2 GB."""

SMALLEST = 1024
"""Smaller tensors stay in the model, in bytes."""

_ALIGNMENT = 4096
"""Tensors start at multiples of this, so that runtimes can map the file into memory."""


class ExternalTensorReader(TensorReader):
    """Reads tensors in the model or in files in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def __call__(self, proto: TensorProto) -> np.ndarray:
        """Read one tensor.

        Raises:
            ModelFileError: the file is missing, too short or outside the folder.
        """
        if proto.data_location != TensorProto.EXTERNAL:
            return super().__call__(proto)
        entries = {e.key: e.value for e in proto.external_data}
        path = self._path(proto.name, entries.get("location", ""))
        inside = TensorProto(name=proto.name, data_type=proto.data_type, dims=proto.dims)
        inside.raw_data = self._bytes(proto, path, entries)
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

    def _bytes(self, proto: TensorProto, path: Path, entries: dict[str, str]) -> bytes:
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
        except ValueError:
            raise ModelFileError(
                f"the place of the tensor '{proto.name}' in '{path.name}' is no number"
            ) from None
        available = path.stat().st_size - offset
        length = available if "length" not in entries else length
        if offset < 0 or not 0 <= length <= available:
            raise ModelFileError(
                f"'{path.name}' ends before the tensor '{proto.name}' does: the file is truncated"
            )
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)


class ExternalTensorWriter:
    """Writes tensors into one file as the exporter comes by them."""

    def __init__(self, file: BinaryIO, location: str) -> None:
        self._file = file
        self._location = location

    def __call__(self, array: np.ndarray, name: str) -> TensorProto:
        """Write one tensor; small ones and strings stay in the message."""
        if array.nbytes < SMALLEST or array.dtype.kind in "OUS":
            return tensor_proto(array, name)
        proto = tensor_proto(array, name)
        raw = proto.raw_data
        self._file.write(b"\0" * (-self._file.tell() % _ALIGNMENT))
        entries = {"location": self._location, "offset": self._file.tell(), "length": len(raw)}
        self._file.write(raw)
        proto.ClearField("raw_data")
        proto.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            proto.external_data.add(key=key, value=str(value))
        return proto
