"""Graphs made into models of OpenVINO's, or refused with node and reason; it runs nothing."""

import re
from collections.abc import Set
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ..compiler.errors import UnsupportedOpError
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.subgraphs import all_nodes
from ..compiler.graph.types import TensorType
from ..compiler.interchange.exporter import to_onnx
from ..compiler.passes.choose_forms import choose_light_forms
from ..compiler.passes.exact_division import divided, shifted
from ..compiler.passes.keep_weights_apart import keep_weights_apart
from ..compiler.passes.pipeline import run_passes
from ..compiler.passes.prepare import prepare_for
from ..compiler.passes.respell import dropout_of_nothing, max_pool_by_taps, respell
from ..compiler.standard.contrib import is_contrib
from .openvino_hazards import is_distrusted, is_refused, keep_infinity, let_bytes_wrap
from .openvino_indices import look_at_indices

_SETTINGS: dict[str, Any] = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}
"""One request at a time; what is multiplied is not rounded to bfloat16 where the processor could,
nor to 8 bits where the weights are quantized."""

_CUT = {np.dtype(name) for name in ("uint32", "uint64", "complex64", "complex128")}
"""What OpenVINO's CPU plugin cuts without a word. Of float64 it drops digits: a graph that takes or
gives it is refused, too, not one that has some in the middle, such as Adam's powers."""


def open_model(graph: Graph, threads: int | None = None) -> Any:
    """Compile a graph for the CPU; what OpenVINO lacks is written in ONNX's bodies, if it has any.

    Raises:
        UnsupportedOpError: OpenVINO refuses the graph; what it lacks is named.
    """
    settings = _SETTINGS if threads is None else {**_SETTINGS, "INFERENCE_NUM_THREADS": threads}
    lacking: set[str] = set()
    while True:
        prepared = _prepared(graph, lacking)
        _check_types(prepared)
        try:
            model = core().read_model(to_onnx(prepared).SerializeToString())
            _check_gathered(model)
            _check_names(model, prepared)
            return core().compile_model(model, "CPU", settings)
        except UnsupportedOpError:
            raise
        except Exception as error:  # OpenVINO's errors have no base of their own
            missing = set(re.findall(r"\b(\w+)-\d+", _after(str(error), "for operations:")))
            nodes = [n for n in all_nodes(prepared) if n.op_type in missing]
            if not nodes or missing <= lacking:
                raise _refusal(prepared, nodes, str(error)) from error
            lacking |= missing


@cache
def core() -> Any:
    """Give OpenVINO's entrance."""
    return import_module("openvino").Core()  # loads only when it is used


def _prepared(graph: Graph, lacking: Set[str]) -> Graph:
    def is_there(node: Node) -> bool:
        # onnxruntime's own are written by their bodies, which are looked through as all else
        return node.op_type not in lacking and not is_distrusted(node) and not is_contrib(node)

    prepared = prepare_for(graph, frozenset(), is_there, [choose_light_forms])
    wrong = [n for n in all_nodes(prepared) if is_distrusted(n) or is_refused(n)]
    if wrong:
        listed = ", ".join(n.label for n in wrong[:3])
        raise UnsupportedOpError(
            f"OpenVINO gives another result than ONNX's standard for {listed}; take the backend "
            "numpy or onnxruntime",
            sorted({n.operator for n in wrong}),
        )
    keep_infinity(prepared)
    let_bytes_wrap(prepared)
    look_at_indices(prepared)
    exact = {"BitShift": shifted, "Div": divided}
    run_passes(prepared, respell(MaxPool=max_pool_by_taps, Dropout=dropout_of_nothing, **exact))
    keep_weights_apart(prepared)
    return prepared


def _check_types(graph: Graph) -> None:
    """Refuse what would not be said, but computed in fewer bits, and what is no plain tensor."""
    for node in all_nodes(graph):
        for value in node.writes():
            kept = value.constant is None and isinstance(value.type, TensorType)
            if kept and value.dtype in _CUT:
                _refuse_bits(value, f" of {node.label}")
    for value in [*graph.inputs, *graph.outputs]:
        type_ = value.type
        if not isinstance(type_, TensorType) or not _is_plain(type_.dtype):
            raise UnsupportedOpError(
                f"OpenVINO cannot hand over '{value.name}', which is {type_}; a smaller "
                "float can be cast to float32"
            )
        if type_.dtype in _CUT or type_.dtype == np.float64:
            _refuse_bits(value, "")


def _check_gathered(model: Any) -> None:
    """Refuse what is known to gather nothing: the process would end, or the shape be another."""
    for op in model.get_ops():
        if op.get_type_name() == "Gather" and op.get_output_element_type(0).is_real():
            shape = op.get_output_partial_shape(0)
            if shape.is_static and 0 in shape.to_shape():
                raise UnsupportedOpError(
                    f"OpenVINO cannot gather nothing, as for '{op.get_friendly_name()}'; take the "
                    "backend numpy or onnxruntime"
                )


def _check_names(model: Any, graph: Graph) -> None:
    """Refuse a model of which an input has another name than before: nothing would be fed there."""
    names = {v.name for v in graph.inputs}
    for end in model.inputs:
        if not names & end.get_names():
            raise UnsupportedOpError(
                f"OpenVINO calls an input '{end.get_any_name()}', which is none of the graph's; "
                "take the backend numpy or onnxruntime"
            )


def _is_plain(dtype: np.dtype) -> bool:
    return dtype.isbuiltin == 1 and dtype.kind not in "OUS"


def _refuse_bits(value: Value, where: str) -> None:
    raise UnsupportedOpError(
        f"OpenVINO computes {value.dtype} in 32 bits, such as '{value.name}'{where}; take the "
        "backend numpy or onnxruntime"
    )


def _refusal(graph: Graph, nodes: list[Node], text: str) -> UnsupportedOpError:
    """Name the nodes that OpenVINO's text is about, and say its reason in a line."""
    named = re.findall(r"[Nn]ame: (\S+)|<Node\(\w+\): ([^>]+)>", text)
    names = {name for pair in named for name in pair if name}
    nodes = nodes or [
        n for n in all_nodes(graph) if any(v.name in names for v in n.writes()) or n.name in names
    ]
    listed = ", ".join(n.label for n in nodes[:3]) or f"the graph '{graph.name}'"
    more = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
    hint = ""
    if "dynamic weights shape" in text:
        hint = (
            "; load the model with shapes={…}, numbers for the kernel's sizes; a gradient in the "
            'form "derived" runs in the default form'
        )
    return UnsupportedOpError(
        f"OpenVINO cannot run {listed}{more}: {_reason(text)}{hint}",
        sorted({n.operator for n in nodes}),
    )


def _reason(text: str) -> str:
    lines = [line.strip().removeprefix("-- ") for line in text.splitlines()]
    noise: tuple[str, ...] = ("Exception from", "Check ", "FrontEnd API", "Model wasn't", "Summary")
    noise += ("To facilitate", "While validating")
    mark = "with a message:"  # what follows says more
    said = [line for line in lines if line and not (line.startswith(noise) or line.endswith(mark))]
    told = [line for k, line in enumerate(said) if k and said[k - 1] == "Not Implemented:"]
    return (told or said or [text])[0]


def _after(text: str, mark: str) -> str:
    return text.partition(mark)[2].partition("\n")[0]
