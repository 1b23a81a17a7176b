"""What is made of a file that another tool converted, beside what stock onnxruntime gives."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from converted_files import (
    WRITERS,
    Arrays,
    Levels,
    contrib_calls,
    is_broken,
    is_float,
    quiet,
    session,
)

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype

EXACT = 1e-4
"""Allowed difference in float32, relative to the largest number."""

HALF = 2.0**-9
"""Allowed difference in float16 of what one operator gives: two units of the largest number."""

MANY_HALVES = 1e-2
"""Allowed difference in float16 of what many operators give, a loop or gradients: ten units."""

FLIPPED = 1e-3
"""Share of the numbers of 8 bits that may be a step off: ties that float32 breaks otherwise."""

BY_TABLE = {"QLinearSoftmax"}
"""Operators that onnxruntime computes in integers from a table: any number may be a step off."""


def distance(actual: Any, expected: Any) -> float:
    """Give the largest difference relative to the largest number expected; NaN equals itself."""
    a, b = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if a.shape != b.shape:
        return np.inf
    differing = ~((a == b) | np.isnan(a) & np.isnan(b))
    gap = np.abs(a[differing] - b[differing]).max(initial=0)
    return float(gap / max(np.abs(b[np.isfinite(b)]).max(initial=0), 1e-30))


def copies_of(graph: og.Graph, name: str, array: np.ndarray) -> dict[str, bool]:
    """Name the weights that hold an array, and whether they hold it transposed.

    The optimizer transposes weights, and gives a tied one to each of its users.
    """
    found = {}
    for value in graph.values():
        held = value.constant
        if held is None or held.dtype.kind != "f" or graph.producer(value) is not None:
            continue
        if value.name == name and held.shape == array.shape:
            found[value.name] = False
        elif array.size > 1 and array.min() != array.max():
            if held.shape == array.shape and np.array_equal(held, array):
                found[value.name] = False
            elif held.shape == array.T.shape and np.array_equal(held, array.T):
                found[value.name] = True
    return found


def reads(graph: og.Graph, names: Iterable[str]) -> int:
    """Count how often values are read."""
    return sum(len(graph.consumers(graph.find(name))) for name in names)


def gradients_by(
    graph: og.Graph, feeds: Arrays, cotangents: Arrays, wrt: Mapping[str, Any], backend: str
) -> dict[str, np.ndarray]:
    """Give the gradients by inputs and weights of the original file (None: an input), by name."""
    inputs = {v.name for v in graph.inputs}
    copies = {
        name: {name: False} if name in inputs else copies_of(graph, name, array)
        for name, array in wrt.items()
        if name in inputs or array is not None
    }
    upstream = {v for v in graph.upstream([graph.find(y) for y in cotangents])}
    names = dict.fromkeys(c for listed in copies.values() for c in listed)
    reached = [c for c in names if graph.find(c) in upstream]
    if not reached:
        return {}
    fed = {f"{y}.grad": a.astype(graph.find(y).dtype) for y, a in cotangents.items()}
    found = og.compile(og.vjp(graph, list(cotangents), reached), backend).run({**feeds, **fed})
    total = {}
    for name, listed in copies.items():
        parts = [found[f"{c}.grad"] for c in listed if c in reached]
        turned = [p.T if t else p for p, t in zip(parts, listed.values(), strict=False)]
        if parts and len(parts) == len(listed):
            total[name] = np.sum([p.astype(np.float64) for p in turned], axis=0)
    return total


@dataclass
class Verdict:
    """What became of a file that a tool wrote of a model.

    `made` and `runs` say what the tool and stock onnxruntime made of it ("" where it went well),
    `refused` why it does not load; `outputs` and `gradients` hold differences by backend; `flipped`
    of `elements` rounded ones are a step off.
    """

    made: str = ""
    runs: str = ""
    refused: str = ""
    calls: list[str] = field(default_factory=list)
    flipped: int = 0
    elements: int = 0
    outputs: dict[str, float] = field(default_factory=dict)
    gradients: dict[str, float] = field(default_factory=dict)
    compared: int = 0
    wrong: list[str] = field(default_factory=list)


BACKENDS = ("numpy", "onnxruntime")


def judge(
    source: Path, target: Path, tool: str, feeds: Arrays, cotangents: Arrays, expected: Arrays
) -> Verdict:
    """Let a tool make a file of a model, and compare what it gives with stock onnxruntime.

    `expected` holds the gradients of the original by some of its inputs and weights.
    """
    verdict = Verdict()
    try:
        with quiet():
            WRITERS[tool](source, target, feeds)
    except Exception as error:
        verdict.made = first_line(error)
        return verdict
    verdict.calls = contrib_calls(target)
    levels = [Levels.ORT_DISABLE_ALL, Levels.ORT_ENABLE_EXTENDED]
    if "float16" not in tool:  # its default ends the process on some of these
        levels.append(Levels.ORT_ENABLE_ALL)
    try:
        stock = [session(target, level).run(None, dict(feeds)) for level in levels]
    except Exception as error:
        verdict.runs = first_line(error)
        return verdict
    try:
        graph = og.load(target)
    except og.OnnxgradError as error:
        verdict.refused = first_line(error)
        verdict.wrong.append("it does not load")
        return verdict
    if is_broken(target):
        verdict.runs = "a scale is no number"
        return verdict
    for backend in BACKENDS:
        found = og.compile(graph, backend).run(feeds).values()
        pairs = zip(found, zip(*stock, strict=True), strict=True)
        apart = max(min(distance(a, b) for b in several) for a, several in pairs)
        verdict.outputs[backend] = apart
        if is_float(tool) and not apart <= EXACT:
            verdict.wrong.append(f"outputs on {backend} differ by {apart:.1e}")
        _judge_each_operator(verdict, graph, target, feeds, backend)
    _judge_gradients(verdict, graph, source, tool, feeds, cotangents, expected)
    return verdict


def _judge_each_operator(
    verdict: Verdict, graph: og.Graph, path: Path, feeds: Arrays, backend: str
) -> None:
    """Compare what each operator gives for the numbers that stock onnxruntime had before it.

    What one rounds to another step does not go on to the next, so nothing but ties may differ.
    """
    values = values_in_stock(path, feeds)
    apart = fed_apart(graph, values)
    taken = {v.name for v in apart.inputs}
    fed = {**feeds, **{f"{n}.fed": a for n, a in values.items() if f"{n}.fed" in taken}}
    found = og.compile(apart, backend).run(fed)
    for name, wanted in values.items():
        actual = found.get(name)
        if actual is None:
            continue
        if actual.shape != wanted.shape or actual.dtype != wanted.dtype:
            verdict.wrong.append(f"'{name}' on {backend} is {actual.dtype}{actual.shape}")
        elif wanted.dtype.itemsize == 1 and wanted.dtype.kind in "iu":
            steps = np.abs(actual.astype(np.int64) - wanted.astype(np.int64))
            if not (node := apart.producer(apart.find(name))) or node.op_type not in BY_TABLE:
                verdict.flipped += int((steps > 0).sum())
                verdict.elements += steps.size
            if steps.max(initial=0) > 1:
                verdict.wrong.append(f"'{name}' on {backend} is {steps.max()} steps off")
        elif not (gap := distance(actual, wanted)) <= _allowed(apart, name, wanted):
            verdict.wrong.append(f"'{name}' on {backend} differs by {gap:.1e}")
    if verdict.flipped > FLIPPED * max(verdict.elements, 1 / FLIPPED):
        verdict.wrong.append(f"{verdict.flipped} of {verdict.elements} are a step off")


def _allowed(graph: og.Graph, name: str, array: np.ndarray) -> float:
    if array.itemsize > 2:
        return EXACT
    node = graph.producer(graph.find(name))
    return MANY_HALVES if node is not None and node.subgraphs else HALF


def values_in_stock(path: Path, feeds: Arrays) -> dict[str, np.ndarray]:
    """Give every tensor between inputs and outputs of a file, as stock onnxruntime computes it.

    Dropout fills its mask from opset 12 on.
    """
    model = onnx.load(path)
    given = {v.name for v in model.graph.output}
    opset = next(o.version for o in model.opset_import if not o.domain)
    for node in model.graph.node:
        if node.op_type == "Dropout" and opset < 12:
            given.update(node.output[1:])
    names = [n for node in model.graph.node for n in node.output if n and n not in given]
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder, "shown.onnx")
        onnx.save(model, shown)
        opened = session(shown)
        everything = [v.name for v in opened.get_outputs()]
        results = opened.run(everything, dict(feeds))
    pairs = zip(everything, results, strict=True)
    return {n: a for n, a in pairs if isinstance(a, np.ndarray) and a.dtype.kind != "O"}


def fed_apart(graph: og.Graph, values: Arrays) -> og.Graph:
    """Let whatever reads one of some values read an input "<value>.fed"; give out the values."""
    apart = graph.copy()
    shown = []
    for value in [v for n in apart.nodes() for v in n.writes() if v.name in values]:
        if value.constant is None:
            fed = apart.add_value(og.Value(f"{value.name}.fed", value.type))
            apart.inputs.append(fed)
            apart.replace_uses(value, fed)
            shown.append(value)
    apart.outputs = shown
    return apart


def _judge_gradients(
    verdict: Verdict,
    graph: og.Graph,
    source: Path,
    tool: str,
    feeds: Arrays,
    cotangents: Arrays,
    expected: Arrays,
) -> None:
    """Compare gradients of a float file; through a quantized one they must pass."""
    original = og.load(source)
    wrt = {
        name: None if name in feeds else original.find(name).constant
        for name in expected
        if name in feeds or original.find(name).constant is not None
    }
    floating = tool.startswith(("optimized", "float16"))
    through = graph if floating else og.straight_through(graph)
    for name, array in list(wrt.items()):
        copies = {} if array is None else copies_of(through, name, array)
        if array is not None and reads(through, copies) < reads(original, [name]):
            del wrt[name]  # what the optimizer made of some of its uses is another constant
    if "float16" in tool:
        exact = (with_dtype(g, np.dtype(np.float64)) for g in (through, original))
        wide, whole = exact
        take_constants(whole, wide)
        one, other = (
            gradients_by(g, widened(feeds), cotangents, wrt, "numpy") for g in (wide, whole)
        )
        verdict.gradients["float64"] = error = farthest(one, other)
        verdict.compared = len(one)
        # the optimizer folds weights into others, rounded to float16, in dozens of layers
        if not error <= (EXACT if tool == "float16" else MANY_HALVES):
            verdict.wrong.append(f"gradients in float64 differ by {error:.1e}")
        scale = _scale(one)
        cotangents = {y: a * scale for y, a in cotangents.items()}
        expected = {name: a * scale for name, a in one.items()}
    for backend in BACKENDS if floating else ("numpy",):
        found = gradients_by(through, feeds, cotangents, wrt, backend)
        verdict.compared = len(found)
        if not floating:
            continue
        error = farthest(found, expected)
        verdict.gradients[backend] = error
        if not error <= (MANY_HALVES if "float16" in tool else EXACT):
            verdict.wrong.append(f"gradients on {backend} differ by {error:.1e}")


def _scale(gradients: Arrays) -> float:
    """Give the power of two by which float16 needs cotangents larger, as a loss is scaled there.

    Below 2⁻¹⁴ it has ever fewer digits; drawn cotangents stay below its largest number.
    """
    size = max((np.abs(a).max(initial=0) for a in gradients.values()), default=0)
    return 2.0 ** np.clip(np.floor(-np.log2(size or 1)), 0, 12)


def farthest(found: Arrays, expected: Arrays) -> float:
    """Give the largest difference of gradients, relative to the largest of each, or of all."""
    scale = max((np.abs(a).max(initial=0) for a in expected.values()), default=0)
    error = 0.0
    for name, dx in found.items():
        size = np.abs(expected[name]).max(initial=0)
        gap = np.abs(dx - expected[name]).max(initial=0)
        error = max(error, float(gap / ((size if size > 1e-5 * scale else scale) or 1)))
    return error


def widened(arrays: Arrays) -> dict[str, np.ndarray]:
    """Give floats in float64."""
    return {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in arrays.items()}


def take_constants(graph: og.Graph, other: og.Graph) -> None:
    """Let floats that a graph holds be those of the same name in another."""
    given = {v.name: v.constant for v in other.values() if v.constant is not None}
    for value in graph.values():
        held, new = value.constant, given.get(value.name)
        if held is not None and new is not None and held.dtype.kind == "f":
            if new.shape == held.shape:
                value.constant = new


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
