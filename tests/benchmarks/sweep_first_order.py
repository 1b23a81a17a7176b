"""The gradient of each output by each input, against differences of the forward run."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sweep_cases import Arrays, is_float, is_float_output, is_narrow, slot_of, with_constants
from sweep_oracle import expected_slopes
from sweep_report import PENDING, Key, Outcome
from sweep_slopes import Expected
from sweep_tools import Tool

FORMS = ("given", "constants")


def sweep_case(
    name: str, model: Any, feeds: Arrays, done: frozenset[Key], tools: Sequence[Tool]
) -> Iterator[Outcome]:
    """Yield the outcome of every float input and output of one case, in both forms.

    Before each judgement comes an outcome that is pending; what is in `done` is left out.
    """
    node = model.graph.node[0]
    outputs = [o.name for o in model.graph.output if is_float_output(o)]
    inputs = [k for k, a in feeds.items() if is_float(a) and a.size]
    for source, target in ((s, t) for s in inputs for t in outputs):
        slot = (name, node.op_type, slot_of(node.input, source), slot_of(node.output, target))
        expected, reason, point = expected_slopes(model, feeds, source, target)
        for form, tool in ((f, t) for f in FORMS for t in tools):
            outcome = Outcome(*slot, form, PENDING, reason=reason, tool=tool.name)
            if outcome.key in done:
                continue
            if expected is None:
                yield outcome.judged("not judged")
                continue
            yield outcome
            verdict, detail = judge(tool, model, point, source, target, form, expected)
            yield outcome.judged(verdict, detail, expected)


def judge(
    tool: Tool, model: Any, feeds: Arrays, source: str, target: str, form: str, expected: Expected
) -> tuple[str, str]:
    """Let a tool differentiate the model: right if an attempt is, else what the first one gave."""
    given = dict(feeds)
    if form == "constants":
        model = with_constants(model, {k: a for k, a in feeds.items() if k != source})
        given = {source: feeds[source]}
    found: dict[str, str] = {}
    for attempt in tool.gradients(model, given, source, target, expected.cotangent):
        try:
            verdict, detail = _compare(tool, attempt(), feeds, source, expected)
        except tool.refusals as error:
            verdict, detail = "refused", str(error)[:200]
        except Exception as error:
            verdict, detail = "failed", f"{type(error).__name__}: {error}"[:200]
        if verdict == "right":
            return verdict, detail
        found.setdefault(verdict, detail)
    settled = [v for v in found if v != "failed"]  # an attempt fails for what its runtime lacks
    verdict = (settled or ["failed"])[0]
    return verdict, found[verdict]


def _compare(
    tool: Tool, gradient: np.ndarray, feeds: Arrays, source: str, expected: Expected
) -> tuple[str, str]:
    if gradient.shape != feeds[source].shape:
        return "wrong", f"shape {gradient.shape} for {feeds[source].shape}"
    tolerance = max(2e-3, 3 * expected.noise)
    if is_narrow(feeds):
        tolerance = max(tool.half_tolerance, tolerance)
    gap = expected.gap(gradient, rounding=1e-5)  # most run in float32
    if not gap <= tolerance:
        return "wrong", f"{gap:.2%} off, instead of {expected.slopes}"
    return "right", ""
