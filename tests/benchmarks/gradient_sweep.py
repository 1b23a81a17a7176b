"""Gradients of every single-operator case of ONNX's own suite, against finite differences.

For each case, float input and float output: the gradient of <cotangent, output> by the input, in
the form given (all inputs at run time) and with the other inputs as constants, against central
differences of onnx.reference in float64 along random directions.

Run: python tests/benchmarks/gradient_sweep.py [--operators Conv,Pad] [--json sweep.json]
"""

import argparse
import json
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

import onnxgrad as og
from onnxgrad.compiler.precision import with_dtype

Arrays = dict[str, Any]
FLOATS = ("float16", "bfloat16", "float32", "float64")
DIRECTIONS = 3

REFERENCE_IS_WRONG = {
    "test_l1normalization_axis_last": "onnx.reference divides by Σx, not by Σ|x|, where p is 1"
}
"""Cases whose differences say nothing, with the reason."""
_TENSOR = np.ndarray | np.generic


@dataclass(frozen=True)
class Outcome:
    """What became of one (case, input, output) in one form."""

    case: str
    operator: str
    input: str
    output: str
    form: str
    verdict: str  # right, wrong, refused, failed, unusable
    detail: str = ""


def single_operator_cases(operators: set[str] | None) -> Iterator[tuple[str, Any, Arrays]]:
    """Yield name, model and inputs of each case whose model is one node."""
    for case in load_model_tests(kind="node"):
        if case.model is None:
            continue
        model = case.model
        if len(model.graph.node) != 1 or not case.data_sets:
            continue
        if model.graph.node[0].domain == "ai.onnx.ml":  # classical models, not the standard's 201
            continue
        if operators and model.graph.node[0].op_type not in operators:
            continue
        arrays, _ = case.data_sets[0]
        names = [i.name for i in model.graph.input]
        yield case.name, model, dict(zip(names, arrays, strict=False))


def is_float(array: Any) -> bool:
    """Tell whether a fed value is a float tensor."""
    return isinstance(array, np.ndarray) and array.dtype.name in FLOATS


def widened(feeds: Arrays) -> Arrays:
    """Give the feeds with float tensors in float64."""
    return {k: a.astype(np.float64) if is_float(a) else a for k, a in feeds.items()}


def sweep_case(name: str, model: Any, feeds: Arrays) -> Iterator[Outcome]:
    """Yield the outcome of every float input and output of one case, in both forms."""
    node = model.graph.node[0]
    outputs = [o.name for o in model.graph.output if _is_float_output(o)]
    inputs = [k for k, a in feeds.items() if is_float(a) and a.size]
    if not inputs or not outputs:
        return
    try:
        evaluator = ReferenceEvaluator(model)
    except RuntimeError as error:  # the reference lacks the deprecated Scatter
        reason = str(error).splitlines()[0][:150]
        yield Outcome(name, node.op_type, "-", "-", "reference", "unusable", reason)
        return
    order = [o.name for o in model.graph.output]

    def forward(moved: Arrays) -> Arrays:
        return dict(zip(order, evaluator.run(None, moved), strict=True))

    for source in inputs:
        for target in outputs:
            slot = (name, node.op_type, _slot(node.input, source), _slot(node.output, target))
            if name in REFERENCE_IS_WRONG:
                yield Outcome(*slot, "reference", "unusable", REFERENCE_IS_WRONG[name])
                continue
            try:
                expected = differences(forward, widened(feeds), source, target)
            except Exception as error:
                yield Outcome(
                    *slot, "reference", "unusable", f"{type(error).__name__}: {error}"[:150]
                )
                continue
            if isinstance(expected, str):
                yield Outcome(*slot, "reference", "unusable", expected)
                continue
            for form in ("given", "constants"):
                verdict, detail = judge(model, feeds, source, target, form, expected)
                yield Outcome(*slot, form, verdict, detail)


@dataclass(frozen=True)
class Expected:
    """Central differences of <cotangent, output> along directions."""

    cotangent: np.ndarray
    directions: list[np.ndarray]
    slopes: list[float]
    noise: float


def differences(
    forward: Callable[[Arrays], Arrays], feeds: Arrays, source: str, target: str
) -> Expected | str:
    """Difference the reference; a reason where two step sizes disagree."""
    rng = np.random.default_rng(3)
    shape = np.asarray(forward(feeds)[target]).shape
    cotangent = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)

    def along(direction: np.ndarray, step: float, ends: tuple[int, int] = (-1, 1)) -> float:
        values = []
        for end in ends:
            moved = feeds | {source: feeds[source] + end * step * direction}
            values.append(np.asarray(forward(moved)[target], np.float64) * cotangent)
        return float((values[1] - values[0]).sum() / ((ends[1] - ends[0]) * step))

    directions = [rng.uniform(-1, 1, feeds[source].shape) for _ in range(DIRECTIONS)]
    candidates = []
    for step in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
        candidates.append([along(d, step) for d in directions])
    best: tuple[float, list[float]] | None = None
    for fine, coarse in zip(candidates, candidates[1:], strict=False):
        if not np.all(np.isfinite([fine, coarse])):
            continue
        if not np.any(fine) and np.any(candidates[-1]):
            continue  # so small a step is lost where the reference rounds to half precision
        scale = max(1e-3, float(np.abs(coarse).max()))
        gap = float(np.abs(np.subtract(fine, coarse)).max()) / scale
        if best is None or gap < best[0]:
            best = (gap, fine)
    if best is None:
        return "the differences are not finite"
    if best[0] > 3e-2:
        return f"differences of two step sizes disagree by {best[0]:.1%}"
    bends = [
        max(abs(along(d, step, (0, 1)) - along(d, step, (-1, 0))) for d in directions)
        for step in (1e-3, 1e-5)
    ]
    if min(bends) > 3e-2 * max(1e-3, float(np.abs(best[1]).max())):
        return "a kink: the slopes to its two sides differ, and either may be given"
    return Expected(cotangent, directions, best[1], best[0])


def judge(
    model: Any, feeds: Arrays, source: str, target: str, form: str, expected: Expected
) -> tuple[str, str]:
    """Differentiate the model and compare with the differences."""
    given = dict(feeds)
    if form == "constants":
        model = with_constants(model, {k: a for k, a in feeds.items() if k != source})
        given = {source: feeds[source]}
    try:
        graph = og.vjp(og.load(model), [target], [source], allow_unused=True)
    except (og.UnsupportedOpError, og.GradientError) as error:
        return "refused", str(error)[:200]
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:200]
    if any(is_float(a) and a.dtype.itemsize == 2 for a in feeds.values()):
        graph = with_dtype(graph, np.dtype(np.float32))  # half precision's rounding is not judged
        given = {k: a.astype(np.float32) if is_float(a) else a for k, a in given.items()}
    (seed,) = [v for v in graph.inputs if v.name == f"{target}.grad"]
    try:
        results = og.compile(graph).run(given | {seed.name: expected.cotangent.astype(seed.dtype)})
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:200]
    gradient = results[f"{source}.grad"].astype(np.float64)
    if gradient.shape != feeds[source].shape:
        return "wrong", f"shape {gradient.shape} for {feeds[source].shape}"
    slopes = [float((gradient * d).sum()) for d in expected.directions]
    scale = max(1e-2, float(np.abs(expected.slopes).max()), float(np.abs(gradient).max()))
    gap = float(np.abs(np.subtract(slopes, expected.slopes)).max()) / scale
    tolerance = max(2e-3, 3 * expected.noise)
    if not gap <= tolerance:
        return "wrong", f"{gap:.2%} off: {slopes} instead of {expected.slopes}"
    return "right", ""


def with_constants(model: Any, arrays: Arrays) -> Any:
    """Give the model with some inputs as initializers (those that are tensors)."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    fixed = {k: np.asarray(a) for k, a in arrays.items() if isinstance(a, _TENSOR)}
    kept = [i for i in changed.graph.input if i.name not in fixed]
    del changed.graph.input[:]
    changed.graph.input.extend(kept)
    changed.graph.initializer.extend(onnx.numpy_helper.from_array(a, k) for k, a in fixed.items())
    return changed


def _is_float_output(info: Any) -> bool:
    return info.type.tensor_type.elem_type in {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
    }


def _slot(names: Any, name: str) -> str:
    return str(list(names).index(name))


def main() -> int:
    """Run the sweep and print the scoreboard; exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", help="comma-separated operators; all without it")
    parser.add_argument("--json", help="write every outcome to this file")
    parser.add_argument("--verbose", action="store_true", help="print what is not right")
    options = parser.parse_args()
    chosen = set(options.operators.split(",")) if options.operators else None
    outcomes = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in single_operator_cases(chosen):
            for outcome in sweep_case(*case):
                outcomes.append(outcome)
                if options.verbose and outcome.verdict != "right":
                    print(*asdict(outcome).values(), flush=True)
    report(outcomes)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(o) for o in outcomes], file, indent=1)
    return int(any(o.verdict == "wrong" for o in outcomes))


def report(outcomes: list[Outcome]) -> None:
    """Print how many triples and slots are right, refused, wrong."""
    triples = Counter(o.verdict for o in outcomes)
    print("outcomes:", dict(triples))
    slots: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for o in outcomes:
        slots[o.operator, o.input, o.output].add(o.verdict)
    clean = [s for s, verdicts in slots.items() if verdicts <= {"right", "unusable"}]
    print(f"slots clean: {len(clean)} of {len(slots)}")
    for slot, verdicts in sorted(slots.items()):
        if not verdicts <= {"right", "unusable"}:
            print("  ", *slot, sorted(verdicts))


if __name__ == "__main__":
    sys.exit(main())
