"""Where the time goes when onnxruntime runs a graph: its own profile, operator by operator."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from ..compiler.graph.ir import Graph
from .onnxruntime import BACKEND


def profile(graph: Graph, feeds: Mapping[str, Any], runs: int = 5) -> dict[str, float]:
    """Give the seconds of one run by operator, as onnxruntime names them after its fusions.

    Of each node the median of the runs counts, the first run left out.
    """
    with TemporaryDirectory() as folder:
        options = {"enable_profiling": True, "profile_file_prefix": str(Path(folder) / "run")}
        executable = BACKEND.prepare(graph, options=options)
        for _ in range(runs + 1):
            executable.run(feeds)
        events = json.loads(Path(executable.opened.session.end_profiling()).read_text())
    spans: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spans[event["args"]["op_name"], event["name"]].append(event["dur"] / 1e6)
    seconds: dict[str, float] = defaultdict(float)
    for (operator, _), durations in spans.items():
        seconds[operator] += median(durations[1:] or durations)
    return dict(seconds)
