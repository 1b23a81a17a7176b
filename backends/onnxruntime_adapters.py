"""onnxruntime's files of adapters: arrays by name, which its sessions exchange as they run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.errors import ModelFileError
from .failures import words_of


def write_adapter(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name as an .onnx_adapter.

    Raises:
        ModelFileError: onnxruntime does not write such arrays.
    """
    import onnxruntime  # loads only when it is used

    target: Any = str(path)  # it says that it takes a Path, and does not
    adapter = onnxruntime.AdapterFormat()
    adapter.set_adapter_version(1)
    adapter.set_model_version(1)
    make = onnxruntime.OrtValue.ortvalue_from_numpy
    try:
        adapter.set_parameters({name: make(array) for name, array in arrays.items()})
        adapter.export_adapter(target)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"onnxruntime cannot write these adapters: {words_of(str(error))}"
        ) from error


def read_adapter(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .onnx_adapter.

    Raises:
        ModelFileError: it is none.
    """
    import onnxruntime  # loads only when it is used

    source: Any = str(path)  # it says that it takes a Path, and does not
    try:
        found = onnxruntime.AdapterFormat.read_adapter(source)
        return {name: value.numpy().copy() for name, value in found.get_parameters().items()}
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: {words_of(str(error))}") from error
