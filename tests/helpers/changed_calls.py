"""Calls with one attribute changed to what it mostly cannot be, and what became of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from old_calls.call import OldCall
from onnx import AttributeProto, ModelProto
from onnx.reference import ReferenceEvaluator

import onnxgrad as og

KINDS = AttributeProto

FIRST: dict[Any, dict[str, Any]] = {
    KINDS.STRING: {"s": b""},
    KINDS.INT: {"i": 0},
    KINDS.INTS: {"ints": [1]},
}
"""What an attribute that a call omits is given before it is changed."""

KILLS_ONNXRUNTIME = {"TfIdfVectorizer"}
"""Operators whose wrong lists end the process in onnxruntime."""


RIGHT = {
    "consumed_inputs": "it changes no number",
    "is_test": "any number but 0 means yes",
}
"""Attributes of which nobody else runs the changed call, and why what we give is right."""

RIGHT_CALLS = {
    ("AveragePool-1", "not as in onnx.reference"): "it counts the padding, which version 1 did not",
    ("Bernoulli", "not as in onnxruntime"): "it draws",
    ("GlobalLpPool", "nobody else runs it"): "seven is an exponent",
    ("MaxRoiPool", "nobody else runs it"): "seven is a size",
    ("Multinomial", "nobody else runs it"): "it draws",
    ("SequenceEmpty", "does not name it"): "the sequence's type then does not fit what enters",
    ("Split-1", "nobody else runs it"): "an axis and sizes that fit",
    ("Split-1", "refused as it ran"): "the sizes are fed",
    ("TensorScatter-24 axis=-3", "nobody else runs it"): "an axis of the cache",
    ("TreeEnsembleRegressor", "not as in onnxruntime"): "the largest of no leaves is −∞ or 0",
    **{
        (f"{op_type}-", "nobody else runs it"): "without broadcast=1 the axis says nothing"
        for op_type in ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub")
    },
    ("Xor-", "nobody else runs it"): "without broadcast=1 the axis says nothing",
}
"""Calls, by how they begin, whose verdict is right though it is neither refused nor the same."""


@dataclass(frozen=True)
class Change:
    """One attribute of a model's call, changed."""

    call: OldCall
    version: int
    attribute: str
    value: Any
    model: ModelProto

    def __str__(self) -> str:
        return f"{self.call.op}-{self.version} {self.attribute}={self.value!r}"


def changes(call: OldCall, version: int, symbolic: bool = False) -> Iterator[Change]:
    """Yield the changes of every attribute of a call that is a string, a number or integers.

    A string becomes nonsense, a number 7 and −3, a list longer, shorter, and 7 or −3 at its start.
    """
    model = call.model(version, np.float32, symbolic=symbolic and not call.text)
    node = next((n for n in model.graph.node if n.op_type == call.op), None)
    if node is None:
        return
    spec: Any  # onnx types only half of OpSchema
    for name, spec in onnx.defs.get_schema(call.op, version, call.domain).attributes.items():
        given = next((a for a in node.attribute if a.name == name), None)
        kind = given.type if given is not None else int(spec.type.value)
        if given is None and kind in FIRST:
            given = AttributeProto(name=name, type=kind, **FIRST[kind])  # type: ignore[arg-type]
        for value in _changed(given):
            yield Change(call, version, name, value, _with(model, call.op, name, kind, value))


def _changed(given: AttributeProto | None) -> list[Any]:
    if given is None:
        return []
    match given.type:
        case KINDS.STRING:
            return ["nonsense"]
        case KINDS.STRINGS:
            return [["nonsense", *(v.decode() for v in given.strings[1:])]]
        case KINDS.INT:
            return [7, -3]
        case KINDS.INTS:
            values = list(given.ints)
            longer, rest = [*values, values[-1] if values else 1], values[1:]
            return [longer, values[:-1], [7, *rest], [-3, *rest]]
    return []


def _with(model: ModelProto, op_type: str, name: str, kind: int, value: Any) -> ModelProto:
    """Give a model whose calls of an operator have the attribute; it states no types inside."""
    made = ModelProto()
    made.CopyFrom(model)
    del made.graph.value_info[:]
    for node in made.graph.node:
        if node.op_type == op_type:
            kept = [a for a in node.attribute if a.name != name]
            changed = onnx.helper.make_attribute(name, value, attr_type=kind)
            del node.attribute[:]
            node.attribute.extend([*kept, changed])
    for info in made.graph.output:
        info.ClearField("type")
    return made


def verdict(change: Change) -> str:
    """Tell what became of a change: "refused", "same" as a stock runtime, or what is wrong."""
    feeds = change.call.feeds(np.float32)
    try:
        graph = og.load(change.model)
    except og.OnnxgradError as error:
        return "refused" if change.attribute in str(error) else f"does not name it: {error}"
    try:
        results = og.compile(graph).run(feeds)
    except og.OnnxgradError:
        return "refused as it ran"
    expected, runtime = _stock(change, feeds)
    if expected is None:
        return "nobody else runs it"
    pairs = zip((results[v.name] for v in graph.outputs), expected, strict=True)
    return "same" if all(_is_same(a, b) for a, b in pairs) else f"not as in {runtime}"


def is_right(change: Change, found: str, symbolic: bool) -> bool:
    """Tell whether a verdict is as it should be: what sizes tell, only running tells of symbols."""
    if found in ("refused", "same") or symbolic and found == "refused as it ran":
        return True
    return change.attribute in RIGHT or any(
        str(change).startswith(call) and found.startswith(told) for call, told in RIGHT_CALLS
    )


def _stock(change: Change, feeds: dict[str, Any]) -> tuple[Any, str]:
    if change.call.op not in KILLS_ONNXRUNTIME:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        content = change.model.SerializeToString()
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            return session.run(None, feeds), "onnxruntime"
        except Exception:  # whatever it raises: it does not take the call
            pass
    try:
        return ReferenceEvaluator(change.model).run(None, feeds), "onnx.reference"
    except Exception:
        return None, ""


def _is_same(actual: Any, expected: Any) -> bool:
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        return False
    if expected.dtype.kind in "OSUb":
        return bool((actual == expected).all())
    return np.allclose(actual, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
