"""Run the file that `save` would write in onnxruntime as it is, without our backend around it."""

from collections.abc import Mapping
from typing import Any

from ...compiler.errors import OnnxgradError
from ...compiler.graph.ir import Graph
from ...compiler.graph.types import TensorType
from ...compiler.interchange.exporter import to_onnx
from ...compiler.standard.randomness import is_random
from ..feeds import check_feeds
from ..onnxruntime_hazards import OpenCalls, has_hazards, has_no_elements
from ..onnxruntime_providers import Settings
from ..onnxruntime_sessions import first_line, open_session
from .comparison import compare
from .report import Report

NAME = "saved file in onnxruntime"


def check_saved_file(
    graph: Graph,
    feeds: Mapping[str, Any],
    expected: Mapping[str, Any],
    tolerances: Mapping[str, float],
    magnitude: float,
    report: Report,
) -> None:
    """Note in the report where the saved file does not run, or gives other results."""
    ends = [v.type for v in (*graph.inputs, *graph.outputs)]
    if not all(isinstance(t, TensorType) and t.dtype.isbuiltin == 1 for t in ends):
        return  # these cross in ways that only our backend knows
    arrays = check_feeds(
        graph.inputs, feeds
    )  # as a backend would: with the start of a step's state
    fed = dict(zip([v.name for v in graph.inputs], arrays, strict=True))
    is_empty = any(map(has_no_elements, arrays))
    if is_empty and has_hazards(graph) or not OpenCalls(graph).check(fed):
        return
    try:
        session = open_session(to_onnx(graph), {}, Settings())
        results = session.run(None, fed)
    except OnnxgradError as error:
        report.unavailable[NAME] = str(error)
        return
    except Exception as error:  # onnxruntime's errors have no base of their own
        report.unavailable[NAME] = first_line(error)
        return
    if any(is_random(n) for n in graph.nodes()):
        return
    for value, result in zip(graph.outputs, results, strict=True):
        apart = compare(result, expected[value.name], tolerances, magnitude)
        if not apart.passed:
            report.notes.append(f"{NAME}: '{value.name}' differs by {apart.error:.2g} {apart.note}")
