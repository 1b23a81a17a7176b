"""Read and write model files."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import onnx

from onnxgrad.compiler.errors import ModelFileError
from onnxgrad.compiler.exporter import to_onnx
from onnxgrad.compiler.importer import import_model
from onnxgrad.compiler.ir import Graph
from onnxgrad.compiler.opset import EXPORT_OPSET


def load(source: Any, shapes: Mapping[str, int] | None = None) -> Graph:
    """Read a model: a path, bytes, a ModelProto or an onnx_ir.Model.

    Args:
        source: the model; external data are looked for beside a path.
        shapes: numbers for symbolic dimensions, such as {"N": 8}.

    Raises:
        ModelFileError: the file is missing, truncated or no ONNX model.
    """
    if isinstance(source, str | PathLike):
        model = onnx.load(Path(source))
    elif isinstance(source, bytes):
        model = onnx.load_from_string(source)
    elif isinstance(source, onnx.ModelProto):
        model = source
    else:
        raise ModelFileError(f"cannot load a model from {type(source).__name__}")
    return import_model(model, shapes)


def save(
    graph: Graph,
    path: str | PathLike[str],
    opset: int = EXPORT_OPSET,
    forms: Mapping[str, str] | None = None,
) -> None:
    """Write a graph as an ONNX file, whole or not at all; `forms` as in `to_onnx`."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.part")
    temporary.write_bytes(to_onnx(graph, opset, forms).SerializeToString())
    temporary.replace(target)
