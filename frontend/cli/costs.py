"""What `info --cost` says: arithmetic and bytes by operator, the floor of this machine, times."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from onnxgrad.backends.checking.random_feeds import draw_feeds
from onnxgrad.backends.onnxruntime_profile import profile
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.passes.choose_forms import choose_forms
from onnxgrad.compiler.passes.operator_costs import least_moved, work_by_operator
from onnxgrad.compiler.passes.prepare import prepare_for

from ..builder import Builder
from ..running import compile
from .terminal import print_table


def costs_of(graph: Graph, measured: bool) -> dict[str, Any]:
    """Count what the graph does as onnxruntime runs it; time it on random inputs if `measured`."""
    prepared = prepare_for(graph, frozenset(), passes=[choose_forms])
    work = work_by_operator(prepared)
    flops, moved = (sum(getattr(w, name) for w in work.values()) for name in ("flops", "moved"))
    products, copies = _rates()
    arithmetic, memory = flops / products, least_moved(graph) / copies
    rows: dict[str, dict[str, float]] = {
        name: {"calls": w.calls, "flops": w.flops, "bytes": w.moved} for name, w in work.items()
    }
    facts: dict[str, Any] = {
        "operators": rows,
        "flops": flops,
        "bytes": moved,
        "least_bytes": least_moved(graph),
        "flops_per_second": products,
        "bytes_per_second": copies,
        "floor_seconds": max(arithmetic, memory),
    }
    if measured:
        seconds = profile(graph, draw_feeds(graph, None))
        for name, time in sorted(seconds.items(), key=lambda item: -item[1]):
            rows.setdefault(name, {})["seconds"] = time
        facts["seconds"] = sum(seconds.values())
    return facts


def print_costs(facts: dict[str, Any]) -> None:
    """Print the table, the sums and the floor."""
    columns = ["operator", "calls", "Mflop", "MB moved"]
    keys = ["calls", "flops", "bytes"]
    if "seconds" in facts:
        columns, keys = [*columns, "ms measured"], [*keys, "seconds"]
    total = {"calls": sum(r.get("calls", 0) for r in facts["operators"].values()), **facts}
    rows = [*facts["operators"].items(), ("all", total)]
    cells = [[name, *(_written(row, key) for key in keys)] for name, row in rows]
    print_table("cost of one run, as onnxruntime runs it", columns, cells)
    print(
        f"floor: {facts['floor_seconds'] * 1e3:.3g} ms, for this machine multiplies at "
        f"{facts['flops_per_second'] / 1e9:.0f} Gflop/s and copies at "
        f"{facts['bytes_per_second'] / 1e9:.0f} GB/s, and at least "
        f"{facts['least_bytes'] / 1e6:.3g} MB are read or written"
    )


_UNITS = {"flops": 1e-6, "bytes": 1e-6, "seconds": 1e3}


def _written(row: dict[str, float], key: str) -> str:
    if key not in row:
        return "fused" if key == "calls" else ""
    return f"{row[key] * _UNITS[key]:,.3f}" if key in _UNITS else f"{row[key]:,}"


def _rates() -> tuple[float, float]:
    """Measure what onnxruntime multiplies and NumPy copies in a second, at best of five."""
    b, size = Builder("product"), 1024
    b.output(b.op.MatMul(b.input("a", "float32", (size,) * 2), b.value("a")), "y")
    product = compile(b.build(), "onnxruntime")
    a, long = np.ones((size, size), np.float32), np.ones(2**23, np.float32)
    target = np.empty_like(long)
    multiplying = min(_seconds(lambda: product(a=a)) for _ in range(5))
    copying = min(_seconds(lambda: np.copyto(target, long)) for _ in range(5))
    return 2 * size**3 / multiplying, 2 * long.nbytes / copying


def _seconds(call: Callable[[], Any]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
