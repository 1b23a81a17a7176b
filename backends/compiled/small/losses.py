"""Losses of labels; a label that is no class is left to the kernels, which refuse it."""

from typing import NamedTuple

from ....compiler.graph.ir import Node, Value
from ....compiler.standard.schemas import attribute
from .program import NotWritten, Program
from .registry import composite_writer, writer
from .softmax import write_softmax

At = tuple[str, ...]


@writer("NegativeLogLikelihoodLoss")
def negative_log_likelihood_loss(program: Program, node: Node) -> None:
    """-weight·x at the labels; x: (batch, classes, …), labels: (batch, …)"""
    x, labels = node.required(2)
    program.compute(x)
    _write_loss(program, node, x, labels)


@writer("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy_loss(program: Program, node: Node) -> None:
    """The loss and the logarithm of the softmax over axis 1"""
    x, labels = node.required(2)
    log_prob = (*node.outputs, None)[1] or Value("log_prob", x.type)
    write_softmax(program, x, log_prob, 1, is_log=True)
    _write_loss(program, node, log_prob, labels)


def _write_loss(program: Program, node: Node, log_prob: Value, labels: Value) -> None:
    loss, reduction = node.output(), attribute(node, "reduction")
    program.define(loss)
    total, weights = program.total(), program.total()
    with program.loops(program.shape(labels)) as at:
        label = _label(program, node, log_prob, at, node.input(2))
        picked = program.element(log_prob, (at[0], label.number, *at[1:]))
        lost = f"-{label.weight} * {picked}"
        if label.ignored:
            lost = f"number(0) if {label.ignored} else {lost}"
        if reduction == "none":
            program.store(loss, at, lost)
        else:
            lost = program.name(lost)
            program.line(f"{total} += {lost}")
            program.line(f"{weights} += {label.weight}")
    if reduction != "none":
        text = total if reduction == "sum" else f"{total} / {weights}"
        program.store(loss, (), f"number({text})")


@composite_writer("SoftmaxCrossEntropyLossGrad")
def softmax_cross_entropy_loss_grad(program: Program, node: Node) -> None:
    """dy·weight·(softmax - onehot(label)), over Σ weight for the mean"""
    dy, log_prob, labels = node.required(3)
    weights, dx = node.input(3), node.output()
    for value in (dy, log_prob):
        program.compute(value)
    program.define(dx)
    shape = program.shape(labels)
    total = program.total()
    if attribute(node, "reduction") == "mean":
        with program.loops(shape) as at:
            label = _label(program, node, log_prob, at, weights)
            program.line(f"{total} += {label.weight}")
        total = program.name(f"number({total})")
    with program.loops(shape) as at:
        label = _label(program, node, log_prob, at, weights)
        dy_ = program.named(dy, at if attribute(node, "reduction") == "none" else ())
        over = f" / {total}" if attribute(node, "reduction") == "mean" else ""
        scale = program.name(f"{label.weight} * {dy_}{over}")
        with program.loops([program.shape(log_prob)[1]]) as (k,):
            here = (at[0], k, *at[1:])
            slope = program.name(f"exp({program.named(log_prob, here)}) * {scale}")
            text = f"{slope} - {scale} if {label.number} == {k} else {slope}"
            text = f"number(0) if {label.ignored} else {text}" if label.ignored else text
            program.store(dx, here, text)


class _Label(NamedTuple):
    """A class, its weight, and whether it is ignored; each the name of a variable."""

    number: str
    weight: str
    ignored: str


def _label(program: Program, node: Node, scores: Value, at: At, weights: Value | None) -> _Label:
    """Write what reads a label."""
    classes, ignore = program.shape(scores)[1], node.attributes.get("ignore_index")
    if not classes:
        raise NotWritten(node.label)
    labels = node.required(3)[2] if node.domain else node.required(2)[1]
    number, ignored = program.name(program.element(labels, at)), ""
    if ignore is not None:
        ignored = program.name(f"{number} == {ignore}")
        number = program.name(f"0 if {ignored} else {number}")
    program.line(f"if {number} < 0 or {number} >= {classes}: return 1")
    weight = "number(1)"
    if weights is not None:
        program.compute(weights)
        weight = program.name(program.element(weights, (number,)))
    if ignored:
        weight = program.name(f"number(0) if {ignored} else {weight}")
    return _Label(number, weight, ignored)
