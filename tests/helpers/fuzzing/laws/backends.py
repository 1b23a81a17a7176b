"""(A) Backends agree: NumPy, onnxruntime, and stock onnxruntime on the exported file."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

import onnxgrad as og

from ..case import Case, Feeds
from ..closeness import expected, largest, plain, require_close, unit_of
from ..file_road import write
from ..program import Array, Call, Leaf, Program, every_block, every_call
from ..shaken import shaken
from ..verdict import Wrong
from .derivatives import draw_derivative
from .law import Law, any_precision

NOISES = 2

LACKS = (
    "NOT_IMPLEMENTED",
    "ot supported",
    "not support",
    "only supports",
    "X_shape.NumDimensions() == 4 was false",  # LRN of images only
    "size_ % 2 == 1 was false",  # LRN over an odd number of channels only
    "Conv_nchwc",
    "dim0_offset < dim0_size",  # a Scan of no steps
    "is_concrete_shape_ was false",  # a Scan that stacks what a branch of unknown sizes gives
    "must have the shape set for all outputs",  # a Scan that stacks values of unknown rank
)
"""What onnxruntime says where it has no kernel, or one that takes less than the standard."""

NOT_OURS = "stock onnxruntime on a file not ours"

ROUNDS = {
    "Gelu": "holds its constants in float32",
    "Shrink": "computes in float32",
}
"""What onnxruntime 1.32 does to float64; the files that we write say it otherwise."""


def is_left_to_us(call: Call, leaves: Mapping[int, Leaf]) -> bool:
    """Tell whether onnxruntime 1.32 is known to give other results than the standard has.

    Resize rounds lengths before it aligns corners, where scales give them.  Expand keeps an axis
    of one element where it is asked for none.  MatMul by a vector may lose a Transpose before it.
    """
    given = leaves.get(call.inputs[1] or 0) if len(call.inputs) > 1 else None
    if call.op == "Expand" and given is not None:
        return any(0 in plain(array) for array in given.arrays)
    if call.op == "MatMul" and given is not None:
        return given.arrays[0].ndim == 1
    mode = call.attributes.get("coordinate_transformation_mode")
    return call.op == "Resize" and mode == "align_corners" and len(call.inputs) == 3


def is_rounded(call: Call, program: Program) -> bool:
    """Tell whether a call in float64 is none of float64 in onnxruntime."""
    return call.op in ROUNDS and program.dtypes[call.outputs[0]] == "float64"


Run = Callable[[Feeds], dict[str, Any]]


def check(case: Case) -> None:
    """Compare a program's outputs with its formulas, then its derivatives between backends."""
    program = case.program
    calls = list(every_call(program.block))
    leaves = {f.number: f for block in every_block(program.block) for f in block.leaves}
    if any(is_left_to_us(call, leaves) for call in calls):
        case.stock = False
    rounds = any(is_rounded(call, program) for call in calls)
    stock = {} if rounds else _stock_alone(case)
    runs = {**stock, **_runs(case, case.graph)}
    names = program.outputs()
    for world in range(program.worlds):
        values, tolerances = expected(program, world)
        found = {b: _run(case, b, run, case.feeds(world)) for b, run in runs.items()}
        _require_whoever_runs(case, found, stock)
        for backend, results in found.items():
            for name, value, tolerance in zip(names, values, tolerances, strict=True):
                what = f"{name} by {backend} and by formula, world {world}"
                if results is not None:
                    require_close(what, results[name], value, tolerance)
    if case.targets and case.sources:
        _check_derivative(case)
    if case.refusal is not None:
        raise case.refusal


def _stock_alone(case: Case) -> dict[str, Run]:
    """Open and run the file that another tool would write; onnxruntime is left out if it fails."""
    try:
        stock = _stock(case, write(case.program), NOT_OURS)
        for world in range(case.program.worlds):
            for name, run in stock.items():
                _run(case, name, run, case.feeds(world))
    except Wrong:
        case.stock = False
        return {}
    return stock


def _require_whoever_runs(
    case: Case, found: Mapping[str, dict[str, Any] | None], stock: Mapping[str, Run]
) -> None:
    """Refuse a refusal of ours where onnxruntime runs the file that another tool would write."""
    if any(found[name] is not None for name in stock) and case.refusal is not None:
        raise Wrong(f"stock onnxruntime runs it, our backend refuses: {case.refusal}")


def _run(case: Case, backend: str, run: Run, feeds: Feeds) -> dict[str, Any] | None:
    """Run; give nothing where our backend refuses."""
    case.stage(f"{backend} runs")
    try:
        return run(feeds)
    except og.OnnxgradError as error:
        case.refusal = error
    except Exception as error:
        if not any(text in str(error) for text in LACKS):
            raise Wrong(f"{backend}: {error}") from error
    return None


def _check_derivative(case: Case) -> None:
    """Compare NumPy with the others; noise is how far the last bits of what is fed move it.

    Where that is not enough, it is how far the last bits of every value inside do.
    """
    derivative = draw_derivative(case, case.rng(5))
    runs = _runs(case, derivative.graph)
    numpy = runs.pop("NumPy")
    rng, unit = case.rng(6), unit_of(case.program)
    for world in range(case.program.worlds):
        feeds = derivative.feeds(world)
        first = numpy(feeds)
        spreads = dict.fromkeys(first, 0.0)
        for _ in range(NOISES):
            noisy = numpy({n: _shaken(rng, a, unit) for n, a in feeds.items()})
            spreads = {n: max(s, _apart(first[n], noisy[n])) for n, s in spreads.items()}
        for backend, run in runs.items():
            results = _run(case, backend, run, feeds)
            if results is None:
                continue
            for name, value in first.items():
                what = f"{derivative.kind}: {name} by {backend} and NumPy, world {world}"
                size = max(largest(plain(value)), 0.1)
                tolerance = 100 * spreads[name] + 300 * unit * size
                try:
                    require_close(what, results[name], value, tolerance)
                except Wrong:
                    inside = _spread_inside(derivative.graph, feeds, name, value, case.rng(8))
                    require_close(what, results[name], value, tolerance + 10 * inside)


def _spread_inside(
    graph: og.Graph, feeds: Feeds, name: str, value: Any, rng: np.random.Generator
) -> float:
    runs = [og.compile(shaken(graph, rng)).run for _ in range(NOISES)]
    return max(_apart(value, run(feeds)[name]) for run in runs)


def _shaken(rng: np.random.Generator, array: Array, unit: float) -> Array:
    wide = plain(array)
    if wide.dtype.kind != "f":
        return array
    return (wide * (1 + 4 * unit * rng.choice([-1.0, 1.0], wide.shape))).astype(array.dtype)


def _apart(a: Any, b: Any) -> float:
    a, b = plain(a), plain(b)
    if a.dtype.kind != "f" or a.shape != b.shape or not a.size:
        return 0.0
    return float(np.abs(a - b).max())


def _runs(case: Case, graph: og.Graph) -> dict[str, Run]:
    runs = {"NumPy": og.compile(graph).run, **_stock(case, og.to_onnx(graph), "stock onnxruntime")}
    case.stage("our onnxruntime backend compiles")
    try:
        runs["our onnxruntime backend"] = og.compile(graph, backend="onnxruntime").run
    except og.OnnxgradError as error:
        case.refusal = error
    return runs


def _stock(case: Case, model: onnx.ModelProto, what: str) -> dict[str, Run]:
    """Open a plain session; give nothing where onnxruntime lacks a kernel or Python a dtype."""
    ends = [*model.graph.input, *model.graph.output]
    is_handed = all(v.type.tensor_type.elem_type != onnx.TensorProto.BFLOAT16 for v in ends)
    if not case.stock or not is_handed:
        return {}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    case.stage(f"{what} opens")
    content = model.SerializeToString()
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        if any(text in str(error) for text in LACKS):
            return {}
        raise Wrong(f"{what}: {error}") from error
    names = [v.name for v in session.get_outputs()]
    return {what: lambda feeds: dict(zip(names, session.run(names, feeds), strict=True))}


LAW = Law("A", "backends agree with the formulas and each other", any_precision, check)
