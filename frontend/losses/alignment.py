"""Connectionist temporal classification (Graves and others, 2006): labels without their times."""

from typing import Any

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_flag, require_text
from onnxgrad.compiler.graph.ir import Graph

from ..building.builder import Tensor
from .labels import note_labels
from .prediction import Prediction, as_given, require_index

_NEVER = -1e30
"""The logarithm of no probability, finite so that differences of two are not NaN."""


def ctc(
    graph: Graph,
    of: str | None = None,
    label: str = "label",
    name: str = "loss",
    *,
    lengths: str | None = None,
    blank: int = 0,
    ignore_index: int = -100,
    time_first: bool = False,
) -> Graph:
    """Add −log P(labels) over all ways to spread labels and blanks over the frames.

    Each example counts by its number of labels, and the loss is the mean over examples. Labels
    that cannot fit into the frames have the loss ∞; a label that is not a class, is blank, or comes
    after padding makes it NaN, as a length does that is negative or more than there are frames.

    Args:
        graph: any graph with logits. Those of a last Softmax or LogSoftmax are what it reads.
        of: the logits (batch, time, classes); by default the only float output.
        label: the input to add, int64 (batch, "<label>.length"), padded by `ignore_index`.
        name: the output to add.
        lengths: the name of an input to add, int64 (batch,): how many frames count of each
            example; by default all do.
        blank: the class of the blank.
        ignore_index: what labels are padded with.
        time_first: the logits are (time, batch, classes).

    Raises:
        GraphError: an argument does not fit the logits.
    """
    p = Prediction(graph, of, name)
    op, blank, padding = (
        p.op,
        require_index(blank, "blank"),
        require_index(ignore_index, "ignore_index"),
    )
    require_text(label, "label")
    if len(p.shape) != 3:
        raise GraphError(f"'{p.name}' is {p.raw.value.type}; ctc needs (batch, time, classes)")
    size = p.shape[2]
    if blank < 0 or isinstance(size, int) and blank >= size:
        raise GraphError(f"blank={blank} is none of the classes of '{p.name}', {p.raw.value.type}")
    logits = p.before("Softmax", "LogSoftmax", axis=2)
    log_prob = op.LogSoftmax(logits, axis=2)
    if not require_flag(time_first, "time_first"):
        log_prob = op.Transpose(log_prob, perm=[1, 0, 2])
    batch = p.shape[1 if time_first else 0]
    labels = p.target(label, np.dtype(np.int64), (batch, f"{label.replace('.', '_')}_length"))
    kept = op.Not(op.Equal(labels, padding))
    count = op.ReduceSum(op.Cast(kept, to="int64"), [1], keepdims=1)
    wrong = _wrong(op, labels, kept, count, op.Shape(log_prob, start=2), blank)
    safe = op.Where(op.Or(wrong, op.Not(kept)), blank, labels)
    spoilt = op.ReduceMax(op.Cast(wrong, to="int32"), [1], keepdims=1) > 0
    states = _between_blanks(op, safe, blank)
    active = None
    if lengths is not None:
        length = p.target(require_text(lengths, "lengths"), np.dtype(np.int64), (batch,))
        length = op.Unsqueeze(length, [1])
        time = op.Squeeze(op.Shape(log_prob, start=0, end=1), [0])
        active = op.Less(op.Unsqueeze(op.Range(0, time, 1), [1, 2]), op.Unsqueeze(length, [0]))
        spoilt = op.Or(spoilt, op.Or(op.Less(length, 0), op.Greater(length, time)))
    last = _forward(p, _emissions(op, log_prob, states), _may_skip(op, states, blank), active)
    losses = _surprise(op, last, count)
    losses = p.spoil(losses, losses > -_NEVER / 10, by=np.inf)
    shares = op.Cast(op.Max(count, np.array(1)), to=last.dtype)
    result = p.finish(p.mean(p.spoil(losses, spoilt) / shares))
    note_labels(result, label, size, padding)
    return result


def _surprise(op: Any, last: Tensor, count: Tensor) -> Tensor:
    """Give −log of the probability to end with the last label or the blank after it."""
    ends = op.Concat(2 * count, op.Max(2 * count - 1, np.array(0)), axis=1)
    paths = op.GatherElements(last, ends, axis=1)
    none = np.array(_NEVER, last.dtype)
    paths = op.Concat(paths[:, :1], op.Where(op.Equal(count, 0), none, paths[:, 1:]), axis=1)
    surprise: Tensor = -op.ReduceLogSumExp(paths, [1], keepdims=1)
    return surprise


def _wrong(
    op: Any, labels: Tensor, kept: Tensor, count: Tensor, classes: Tensor, blank: int
) -> Tensor:
    """Mark labels that are not a class, the blank, or stand after padding."""
    outside = op.Or(op.Less(labels, 0), op.GreaterOrEqual(labels, classes))
    places = op.Range(0, op.Squeeze(op.Shape(labels, start=1), [0]), 1)
    late = op.GreaterOrEqual(op.Unsqueeze(places, [0]), count)
    return op.And(kept, op.Or(op.Or(outside, op.Equal(labels, blank)), late))


def _between_blanks(op: Any, labels: Tensor, blank: int) -> Tensor:
    """Give blank, label, blank, label, …, blank for each example."""
    pairs = op.Pad(op.Unsqueeze(labels, [2]), [0, 0, 1, 0, 0, 0], np.array(blank))
    flat = op.Reshape(pairs, op.Concat(op.Shape(labels, end=1), [-1], axis=0), allowzero=0)
    return op.Pad(flat, [0, 0, 0, 1], np.array(blank))


def _may_skip(op: Any, states: Tensor, blank: int) -> Tensor:
    """Mark the labels that may follow the label before them without a blank: those that differ."""
    before = op.Pad(states, [0, 2, 0, -2], np.array(blank))
    return op.And(op.Not(op.Equal(states, blank)), op.Not(op.Equal(states, before)))


def _emissions(op: Any, log_prob: Tensor, states: Tensor) -> Tensor:
    """Give the log-probability of each state at each time: (time, batch, states)."""
    shape = op.Concat(op.Shape(log_prob, end=1), op.Shape(states), axis=0)
    found = op.GatherElements(log_prob, op.Expand(op.Unsqueeze(states, [0]), shape), axis=2)
    return op.Max(found, np.array(_NEVER, found.dtype))  # logits may say −∞


def _forward(p: Prediction, emissions: Tensor, may_skip: Tensor, active: Tensor | None) -> Tensor:
    """Give log Σ over the ways to be in each state at the end: (batch, states)."""
    op, never = p.op, np.array(_NEVER, emissions.dtype)
    shape = op.Shape(may_skip)
    first = op.Equal(op.Range(0, op.Squeeze(shape[1:], [0]), 1), 0)
    start = op.Expand(op.Where(first, np.array(0, emissions.dtype), never), shape)

    def step(ways: Tensor, emitted: Tensor, *going: Tensor) -> tuple[Tensor, Tensor]:
        moved = op.Pad(ways, [0, 1, 0, -1], never)
        skipped = op.Where(may_skip, op.Pad(ways, [0, 2, 0, -2], never), never)
        parts = op.Concat(*(op.Unsqueeze(w, [0]) for w in (ways, moved, skipped)), axis=0)
        after = op.ReduceLogSumExp(parts, [0], keepdims=0) + emitted
        after = op.Where(going[0], after, ways) if going else after
        return after, op.Identity(after)

    read = [emissions] if active is None else [emissions, active]
    shapes = [start.shape or (), *((v.shape or ())[1:] for v in read)]
    types = [(v.dtype, as_given(s)) for v, s in zip([start, *read], shapes, strict=True)]
    body = p.builder.subgraph(step, *types)
    last: Tensor
    last, _ = op.Scan(start, *read, body=body, num_scan_inputs=len(read))
    return last
