"""Torch's modules as graphs, through torch's own exporter."""

# torch is not installed where this is checked
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from collections.abc import Mapping
from typing import Any

import torch

from onnxgrad.compiler.errors import ModelFileError
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.interchange.importer import import_model


def exported(module: Any, example: Any, options: Mapping[str, Any]) -> Graph:
    """Export a module and read what was written; see `torch.export`."""
    if not callable(module):
        raise ModelFileError(f"a torch module is wanted, not {type(module).__name__}")
    if example is None:
        raise ModelFileError(
            f"{type(module).__name__} is exported by calling it: give the tensor, or a tuple of "
            "what it is called with, load(module, example)"
        )
    arguments = example if isinstance(example, tuple) else (example,)
    quiet = {"dynamo": True, "verbose": False} | dict(options)
    try:
        program = torch.onnx.export(module, arguments, **quiet)
    except Exception as error:  # torch.export's errors have no base of their own
        reason = _first_line(error)
        raise ModelFileError(f"torch cannot export {type(module).__name__}: {reason}") from error
    return import_model(program.model_proto, {}, None)


def _first_line(error: BaseException) -> str:
    """Give the cause of an error: what it wraps tells more than the advice around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
