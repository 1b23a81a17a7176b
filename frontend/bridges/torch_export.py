"""Torch's modules as graphs, through torch's own exporter."""

# torch is not installed where this is checked
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from collections import Counter
from collections.abc import Iterator, Mapping
from inspect import signature
from io import BytesIO
from pathlib import Path
from typing import Any

import onnx
import torch

from onnxgrad.compiler.errors import ModelFileError
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.subgraphs import all_nodes
from onnxgrad.compiler.interchange.importer import import_model
from onnxgrad.compiler.standard.schemas import attribute

from ..advice import warn

_OLDER_ONLY = (
    "training",
    "do_constant_folding",
    "operator_export_type",
    "custom_opsets",
    "export_modules_as_functions",
)
"""What torch's default exporter passes over without a word."""

_TO_TRAIN = "training=torch.onnx.TrainingMode.PRESERVE and do_constant_folding=False"


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
    given = {"dynamo": True, "verbose": False} | dict(options)
    if given["dynamo"]:
        known = signature(torch.onnx.export).parameters
        for name in _OLDER_ONLY:
            if name in options and options[name] != known[name].default:
                raise ModelFileError(
                    f"torch's default exporter passes {name} over; give dynamo=False with it"
                )
    else:
        given.setdefault("f", BytesIO())
    try:
        program = torch.onnx.export(module, arguments, **given)
    except Exception as error:  # torch.export's errors have no base of their own
        reason = _first_line(error)
        raise ModelFileError(f"torch cannot export {type(module).__name__}: {reason}") from error
    if program is None:
        graph = _read(given["f"])
        frozen = _at_rest(module, given)
    else:
        graph = import_model(program.model_proto, {}, None)
        frozen = _frozen(program, graph)
    for message in frozen:
        warn(f"{message}; else call .eval() on the module first")
    return graph


def _read(written: Any) -> Graph:
    if isinstance(written, BytesIO):
        return import_model(onnx.load_from_string(written.getvalue()), {}, None)
    return import_model(onnx.load(written, load_external_data=False), {}, Path(written).parent)


def _frozen(program: Any, graph: Graph) -> Iterator[str]:
    """Tell what torch's default exporter wrote otherwise than the module trains."""
    calls = [
        node
        for part in program.exported_program.graph_module.modules()
        for node in getattr(part, "graph", torch.fx.Graph()).nodes
        if node.op == "call_function"
    ]
    called = Counter(_trains(node) for node in calls)
    written = sum(
        node.operator == "BatchNormalization" and bool(attribute(node, "training_mode"))
        for node in all_nodes(graph)
    )
    if called["batch_norm"] > written:
        yield (
            "torch's default exporter fixes the statistics of BatchNormalization, as in inference; "
            f"to train it as torch does, export with dynamo=False, {_TO_TRAIN}"
        )
    if called["attention"] > 0:
        yield (
            "torch's default exporter leaves out the dropout of scaled_dot_product_attention; to "
            "keep it, write the attention with torch.nn.functional.dropout"
        )


def _trains(node: Any) -> str:
    """Name what torch calls in training mode and its default exporter knows in inference only."""
    name = str(node.target)
    if "batch_norm" in name and "no_training" not in name and "no_stats" not in name:
        return "batch_norm"
    if "scaled_dot_product" in name and _dropout(node):
        return "attention"
    return ""


def _dropout(attention: Any) -> Any:
    return attention.kwargs.get("dropout_p", (*attention.args[4:5], 0.0)[0])


def _at_rest(module: Any, given: Mapping[str, Any]) -> Iterator[str]:
    """Tell what torch's older exporter wrote as in inference though the module trains."""
    inference = torch.onnx.TrainingMode.EVAL
    if given.get("training", inference) != inference or not isinstance(module, torch.nn.Module):
        return
    kinds = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
    found = [type(m).__name__ for m in module.modules() if m.training and isinstance(m, kinds)]
    if found:
        listed = " and ".join(dict.fromkeys(found))
        yield f"torch exports {listed} as in inference; to train as torch does, give {_TO_TRAIN}"


def _first_line(error: BaseException) -> str:
    """Give the cause of an error: what it wraps tells more than the advice around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
