"""Measure how long each operator of a graph takes on a backend, and what the machine can do."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from ..compiler.errors import GraphError
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.types import TensorType
from ..compiler.passes.operator_costs import OperatorCost, cost_of
from ..compiler.standard.contrib import DOMAIN as CONTRIB
from ..compiler.standard.schemas import find_schema
from .interpreter import Interpreter
from .registry import find_backend


@dataclass(slots=True)
class Timed:
    """One operator as a backend ran it: the seconds of each run; no cost where nothing tells it."""

    operator: str
    name: str
    cost: OperatorCost | None
    seconds: list[float] = field(default_factory=list)


def time_operators(
    graph: Graph, backend: str, feeds: Mapping[str, Any], runs: int = 5
) -> list[Timed]:
    """Run a graph some times and give its operators as the backend runs them, timed.

    Raises:
        GraphError: the backend has no way to tell.
    """
    if backend == "onnxruntime":
        return _by_profiler(graph, feeds, runs)
    executable = find_backend(backend).prepare(graph)
    if backend != "numpy" or not isinstance(executable, Interpreter):
        raise GraphError(f"'{backend}' does not tell times of operators; numpy and onnxruntime do")
    timed: dict[Node, Timed] = {}

    def watch(node: Node, function: Callable[..., Any]) -> Callable[..., Any]:
        entry = timed[node] = Timed(node.operator, node.title, _known_cost(node))

        def run(*arguments: Any) -> Any:
            start = perf_counter()
            try:
                return function(*arguments)
            finally:
                entry.seconds.append(perf_counter() - start)

        return run

    executable.watch(watch)
    for _ in range(runs + 1):
        executable.run(feeds)
    return [_without_first(entry) for entry in timed.values()]


def _without_first(entry: Timed) -> Timed:
    """Leave the first run out, which meets cold caches."""
    entry.seconds = entry.seconds[1:] or entry.seconds
    return entry


def _known_cost(node: Node) -> OperatorCost | None:
    try:
        return cost_of(node)
    except (GraphError, KeyError):
        return None


def _by_profiler(graph: Graph, feeds: Mapping[str, Any], runs: int) -> list[Timed]:
    """Read the profile that onnxruntime writes."""
    with TemporaryDirectory() as folder:
        settings = {"enable_profiling": True, "profile_file_prefix": str(Path(folder) / "profile")}
        backend: Any = find_backend("onnxruntime")
        executable = backend.prepare(graph, options=settings)
        for _ in range(runs + 1):
            executable.run(feeds)
        events = json.loads(Path(executable.opened.session.end_profiling()).read_text())
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            found[event["args"]["op_name"], name].append(event)
    return [
        _without_first(
            Timed(operator, name, _cost_by_event(operator, group[0]["args"]),
                  [event["dur"] * 1e-6 for event in group])
        )
        for (operator, name), group in found.items()
    ]  # fmt: skip


def _cost_by_event(operator: str, told: Mapping[str, Any]) -> OperatorCost | None:
    """Count by the shapes that a profile tells; it tells no attributes."""
    inputs, outputs = (
        tuple(Value(f"{key}{k}", _type(entry)) for k, entry in enumerate(told.get(key, [])))
        for key in ("input_type_shape", "output_type_shape")
    )
    domain = "" if find_schema(operator) is not None else CONTRIB
    return _known_cost(Node(operator, inputs, outputs, domain=domain)) if outputs else None


def _type(entry: Mapping[str, list[int]]) -> TensorType:
    ((dtype, shape),) = entry.items()
    names = {"float": "float32", "double": "float64"}
    return TensorType(np.dtype(names.get(dtype, dtype)), tuple(shape))


@dataclass(frozen=True, slots=True)
class Rates:
    """What this machine does in a second: arithmetic in a large float32 product, bytes copied."""

    flops: float
    moved: float


def measure_rates() -> Rates:
    """Time a product of matrices and a copy in NumPy; it takes some tenths of a second."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 1024, 1024), dtype=np.float32)
    out = np.empty_like(a)
    source = np.ones(1 << 24, np.float32)
    target = np.empty_like(source)
    product = _best(lambda: np.matmul(a, b, out=out))
    copy = _best(lambda: np.copyto(target, source))
    return Rates(2 * 1024**3 / product, 2 * source.nbytes / copy)


def _best(work: Callable[[], Any], times: int = 5) -> float:
    seconds = []
    for _ in range(times + 1):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return min(seconds[1:])


def typical(seconds: list[float]) -> float:
    """Give the median time of a run."""
    return median(seconds)
