"""Calls of RNN, GRU and LSTM that onnxruntime's kernels refuse, or compute otherwise.

Each rule gives the outputs of what it emits, None where it does not apply; of onnxruntime 1.32.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...composites.recurrent import activation_parameters
from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from .kernel_dtypes import Results


def recurrence(op: Ops, node: Node) -> Results | None:
    """Say what the kernels lack, one rule at a time: what it emits is said again."""
    for rule in (_no_steps, _batch_second, _parameters_given, _some_steps):
        if (results := rule(op, node)) is not None:
            return results
    return None


def _no_steps(op: Ops, node: Node) -> Results | None:
    """After no steps the last states are the first ones: GRU ends the process, others give zeros"""
    x, _, r = node.required(3)
    if attribute(node, "layout") or x.shape is None or x.shape[0] != 0 or r.rank is None:
        return None
    sizes = op.Concat(op.Shape(r, end=1), op.Shape(x, start=1, end=2), op.Shape(r, start=2), axis=0)
    zeros = op.Expand(op.like(0, x), sizes)
    first, cell = node.input(5) or zeros, node.input(6) or zeros
    steps = op.Slice(op.Unsqueeze(first, [0]), [0], [0], [0])
    return [v and y for v, y in zip(node.outputs, (steps, first, cell), strict=False)]


def _batch_second(op: Ops, node: Node) -> Results | None:
    """Layout 1 = layout 0 between transpositions"""
    if not attribute(node, "layout"):
        return None
    inputs = [
        op.Transpose(v, perm=[1, 0, 2]) if v is not None and k in (0, 5, 6) else v
        for k, v in enumerate(node.inputs)
    ]
    attributes = {k: a for k, a in node.attributes.items() if k != "layout"}
    results = _again(op, node, inputs, attributes)
    permutations = [2, 0, 1, 3], [1, 0, 2], [1, 0, 2]
    return [
        None if v is None else op.Transpose(v, perm=perm)
        for v, perm in zip(results, permutations, strict=False)
    ]


def _parameters_given(op: Ops, node: Node) -> Results | None:
    """Where none are given the kernels' alpha and beta are other ones than the standard's"""
    parameters = activation_parameters(node)
    lists = {
        f"activation_{name}": [settings[name] for _, settings in parameters if name in settings]
        for name in ("alpha", "beta")
    }
    if all(len(node.attributes.get(name) or []) >= len(full) for name, full in lists.items()):
        return None
    attributes = {**node.attributes, **{name: full for name, full in lists.items() if full}}
    return _again(op, node, node.inputs, attributes)


def _some_steps(op: Ops, node: Node) -> Results | None:
    """After no steps of its own an example's last state is its first one: the kernels give 0"""
    lengths = node.input(4)
    if lengths is None or _are_positive(op, lengths):
        return None
    inputs = list(node.inputs)
    inputs[4] = op.Max(lengths, op.like(1, lengths))
    y, *ends = _again(op, node, inputs, node.attributes)
    has_none = op.Unsqueeze(op.Less(lengths, op.like(1, lengths)), [1])
    first = [node.input(5), node.input(6) if node.op_type == "LSTM" else None]
    return [
        y and op.Where(has_none, op.like(0, y), y),
        *(
            end and op.Where(has_none, op.like(0, end) if start is None else start, end)
            for end, start in zip(ends, first, strict=False)
        ),
    ]


def _are_positive(op: Ops, lengths: Value) -> bool:
    if lengths.constant is not None:
        return bool((lengths.constant > 0).all())
    source = op.graph.producer(lengths)
    return source is not None and source.op_type == "Max" and _is_one(source.input(1))


def _is_one(value: Value | None) -> bool:
    return value is not None and value.constant is not None and bool((value.constant == 1).all())


def _again(
    op: Ops, node: Node, inputs: Sequence[Value | None], attributes: Mapping[str, Any]
) -> Results:
    """Emit the call with other inputs and attributes; give its outputs, as many as it has."""
    names = [
        "" if v is None else op.graph.names.fresh(f"{op.prefix}Y{k}")
        for k, v in enumerate(node.outputs)
    ]
    return list(op.emit_all(node.op_type, *inputs, outputs=names, **attributes))
