"""Bodies of RNN, GRU and LSTM: one product for the inputs of all steps, then a Scan of the cell.

They are used where a gradient passes through; ONNX gives these operators no bodies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.types import Dim, TensorType, as_dtype, fresh_dim, is_static
from ..standard.schemas import attribute
from .registry import standard_body

Activation = Callable[[Ops, Value], Value]

Multiply = Callable[[Ops, Value], Value]
"""Emits the product of rows with weights."""

Product = Callable[[Ops, int, int, Value], Multiply]
"""`product(op, which, direction, weights)`: of the input (0) or the state (1), and one direction's
weights, (gates·hidden, input or hidden)."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """One direction's cell: what it captures, and the step.

    `recurrent` is Rᵀ, (hidden, gates·hidden); `multiply` gives h·Rᵀ; `bias` is the recurrent half
    of B, (gates·hidden).
    """

    step: Callable[..., list[Value]]
    activations: Sequence[Activation]
    recurrent: Value
    multiply: Multiply
    bias: Value | None
    peepholes: Value | None
    attributes: dict[str, Any]


@standard_body("RNN", widens=True)
def rnn(op: Ops, node: Node) -> list[Value | None]:
    """h' = f(x·Wᵀ + h·Rᵀ + biases)"""
    return _layer(op, node, ["Tanh"], _rnn_step, states=1)


@standard_body("GRU", widens=True)
def gru(op: Ops, node: Node) -> list[Value | None]:
    """h' = (1 − z)·n + z·h with n = g(x·Wₙᵀ + (r·h)·Rₙᵀ), or r·(h·Rₙᵀ) for linear_before_reset"""
    return _layer(op, node, ["Sigmoid", "Tanh"], _gru_step, states=1)


@standard_body("LSTM", widens=True)
def lstm(op: Ops, node: Node) -> list[Value | None]:
    """c' = f·c + i·g, h' = o·h(c'); peepholes let the gates see c, and o see c'"""
    return lstm_layer(op, node, _plain)


def lstm_layer(op: Ops, node: Node, product: Product) -> list[Value | None]:
    """Emit an LSTM whose products are emitted by `product`."""
    return _layer(op, node, ["Sigmoid", "Tanh", "Tanh"], _lstm_step, 2, product)


def _plain(op: Ops, which: int, direction: int, weights: Value) -> Multiply:
    columns = op.Transpose(weights, perm=[1, 0])
    return lambda inner, x: inner.MatMul(x, columns)


def _rnn_step(op: Ops, cell: _Cell, given: Value, h: Value) -> list[Value]:
    (f,) = cell.activations
    return [f(op, _plus(op, op.Add(given, op.MatMul(h, cell.recurrent)), cell.bias))]


def _gru_step(op: Ops, cell: _Cell, given: Value, h: Value) -> list[Value]:
    f, g = cell.activations
    rz, rr, rn = op.Split(cell.recurrent, axis=1, num_outputs=3)
    bz, br, bn = _split(op, cell.bias, 3)
    xz, xr, xn = op.Split(given, axis=-1, num_outputs=3)
    z = f(op, _plus(op, op.Add(xz, op.MatMul(h, rz)), bz))
    r = f(op, _plus(op, op.Add(xr, op.MatMul(h, rr)), br))
    if cell.attributes.get("linear_before_reset", 0):
        recurrent = op.Mul(r, _plus(op, op.MatMul(h, rn), bn))
    else:
        recurrent = _plus(op, op.MatMul(op.Mul(r, h), rn), bn)
    n = g(op, op.Add(xn, recurrent))
    return [op.Add(n, op.Mul(z, op.Sub(h, n)))]


def _lstm_step(op: Ops, cell: _Cell, given: Value, h: Value, c: Value) -> list[Value]:
    f, g, output = cell.activations
    total = _plus(op, op.Add(given, cell.multiply(op, h)), cell.bias)
    xi, xo, xf, xc = op.Split(total, axis=-1, num_outputs=4)
    pi, po, pf = _split(op, cell.peepholes, 3)
    i = f(op, _plus(op, xi, pi, c))
    coupled = cell.attributes.get("input_forget", 0)
    forget = op.Sub(1.0, i) if coupled else f(op, _plus(op, xf, pf, c))
    after = op.Add(op.Mul(forget, c), op.Mul(i, g(op, xc)))
    o = f(op, _plus(op, xo, po, after))
    return [op.Mul(o, output(op, after)), after]


def _plus(op: Ops, x: Value, weight: Value | None, factor: Value | None = None) -> Value:
    """x + weight·factor; x where there is no weight."""
    if weight is None:
        return x
    return op.Add(x, weight if factor is None else op.Mul(weight, factor))


def _split(op: Ops, x: Value | None, count: int) -> Sequence[Value | None]:
    parts: Sequence[Value | None]
    parts = (None,) * count if x is None else op.Split(x, axis=-1, num_outputs=count)
    return parts


def _layer(
    op: Ops,
    node: Node,
    defaults: list[str],
    step: Callable[..., list[Value]],
    states: int,
    product: Product = _plain,
) -> list[Value | None]:
    """Run the cell in each direction; give Y and the last states, as far as they are asked for."""
    x, w, r = node.required(3)
    b, lengths, *more = (node.input(k) for k in range(3, 8))
    initial, peepholes = more[:states], more[2] if states == 2 else None
    batch_first = bool(attribute(node, "layout"))
    if batch_first:
        x = op.Transpose(x, perm=[1, 0, 2])
        initial = [None if s is None else op.Transpose(s, perm=[1, 0, 2]) for s in initial]
    directions = {"reverse": [1], "bidirectional": [0, 1]}
    backward = directions.get(attribute(node, "direction"), [0])
    count = len(backward)
    activations = _activations(node, defaults * count)
    mask = None
    if lengths is not None:
        mask = _mask(op, x, lengths)
        x = op.Where(mask, x, op.like(0, x))  # after a sequence anything may stand, NaN too
    per_direction = zip(*(_directions(op, v, count) for v in (w, r, b, peepholes)), strict=True)
    starts = [_directions(op, s, count) for s in initial]
    results = []
    for k, (w_k, r_k, b_k, p_k) in enumerate(per_direction):
        input_bias, bias = _split(op, b_k, 2)
        given = _plus(op, product(op, 0, k, w_k)(op, x), input_bias)
        chosen = activations[k * len(defaults) :][: len(defaults)]
        recurrent = op.Transpose(r_k, perm=[1, 0])
        multiply = product(op, 1, k, r_k)
        cell = _Cell(step, chosen, recurrent, multiply, bias, p_k, node.attributes)
        zero = _zero_state(op, x, r_k)
        state = [s[k] or zero for s in starts]
        results.append(_scan(op, cell, given, mask, state, backward[k]))
    *ends, y = (list(parts) for parts in zip(*results, strict=True))
    stacked = [op.Concat(*map(partial(_one_direction, op, x), y, ends[0]), axis=1)]
    stacked += [op.Concat(*(op.Unsqueeze(v, [0]) for v in end), axis=0) for end in ends]
    if batch_first:
        perms = [[2, 0, 1, 3], *[[1, 0, 2]] * states]
        stacked = [op.Transpose(v, perm=p) for v, p in zip(stacked, perms, strict=True)]
    return list(stacked)


def _one_direction(op: Ops, x: Value, y: Value, end: Value) -> Value:
    """Give h of all steps as (steps, 1, batch, hidden); after no steps a Scan forgets the batch."""
    if end.shape is not None and is_static(end.shape):
        return op.Unsqueeze(y, [1])
    return op.Reshape(y, op.Concat(op.Shape(x, end=1), [1], op.Shape(end), axis=0), allowzero=1)


def _directions(op: Ops, x: Value | None, count: int) -> Sequence[Value | None]:
    """Cut a tensor along its first axis, the directions."""
    if x is None:
        return [None] * count
    parts = op.Split(x, axis=0, num_outputs=count) if count > 1 else [x]
    return [op.Squeeze(part, [0]) for part in parts]


def _mask(op: Ops, x: Value, lengths: Value) -> Value:
    """Tell for each step and sequence whether it has begun: (steps, batch, 1)."""
    steps = op.Range(0, op.Gather(op.Shape(x), 0), op.constant(1))
    ends = op.Cast(lengths, to="int64")
    return op.Less(op.Unsqueeze(steps, [1, 2]), op.Unsqueeze(ends, [0, 2]))


def _zero_state(op: Ops, x: Value, r: Value) -> Value:
    shape = op.Concat(op.Shape(x, start=1, end=2), op.Shape(r, start=1), axis=0)
    return op.Expand(op.like(0, x), shape)


def _scan(
    op: Ops,
    cell: _Cell,
    given: Value,
    mask: Value | None,
    states: list[Value],
    backward: int,
) -> Sequence[Value]:
    """Scan one direction; give the last states and h of all steps, (steps, batch, hidden).

    Where a sequence has ended, its state stays and its output is zero. Walked backwards, a
    sequence that has not begun keeps its initial state.
    """
    body = Graph("cell", op.graph.names)
    inner = Ops(body, prefix=op.prefix)
    batch, width = (given.shape or (fresh_dim(), fresh_dim(), fresh_dim()))[1:]
    hidden = (cell.recurrent.shape or (fresh_dim(),))[0]
    before = [_input(inner, given.dtype, (batch, hidden)) for _ in states]
    entry = _input(inner, given.dtype, (batch, width))
    after = cell.step(inner, cell, entry, *before)
    tapes, y = [given], after[0]
    if mask is not None:
        runs = _input(inner, as_dtype("bool"), (batch, 1))
        tapes.append(mask)
        y = inner.Where(runs, after[0], inner.like(0, given))
        after = [inner.Where(runs, a, s) for a, s in zip(after, before, strict=True)]
    body.outputs = [*after, y]
    results: Sequence[Value] = op.Scan(
        *states,
        *tapes,
        body=body,
        num_scan_inputs=len(tapes),
        scan_input_directions=[backward] * len(tapes),
        scan_output_directions=[backward],
    )
    return results


def _input(op: Ops, dtype: Any, shape: tuple[Dim, ...]) -> Value:
    name = op.graph.names.fresh(f"{op.prefix}cell.in")
    value = op.graph.add_value(Value(name, TensorType(dtype, shape)))
    op.graph.inputs.append(value)
    return value


def _activations(node: Node, defaults: list[str]) -> list[Activation]:
    """Give the activations of all directions; a clip bounds what every one of them gets."""
    given = activation_parameters(node) or [(name.lower(), {}) for name in defaults]
    clip = node.attributes.get("clip")
    return [partial(_apply, name, settings, clip) for name, settings in given[: len(defaults)]]


def activation_parameters(node: Node) -> list[tuple[str, dict[str, float]]]:
    """Give the activations that a node names, in small letters, with their alpha and beta.

    Those that it gives go in order to the activations that take some; the others get defaults.
    """
    alphas = iter(node.attributes.get("activation_alpha") or [])
    betas = iter(node.attributes.get("activation_beta") or [])
    found = []
    for name in (n.lower() for n in node.attributes.get("activations") or []):
        takes = _PARAMETERS.get(name, ())
        settings = {p: next(alphas if p == "alpha" else betas, default) for p, default in takes}
        found.append((name, settings))
    return found


_PARAMETERS: dict[str, tuple[tuple[str, float], ...]] = {
    "affine": (("alpha", 1.0), ("beta", 0.0)),
    "leakyrelu": (("alpha", 0.01),),
    "thresholdedrelu": (("alpha", 1.0),),
    "scaledtanh": (("alpha", 1.0), ("beta", 1.0)),
    "hardsigmoid": (("alpha", 0.2), ("beta", 0.5)),
    "elu": (("alpha", 1.0),),
}
"""Activations with parameters, and what those are where the node gives none."""


def _apply(name: str, settings: dict[str, float], clip: float | None, op: Ops, x: Value) -> Value:
    if clip:
        x = op.Clip(x, op.like(-clip, x), op.like(clip, x))
    if name == "affine":
        return op.Add(op.Mul(x, settings["alpha"]), settings["beta"])
    if name == "scaledtanh":
        return op.Mul(op.Tanh(op.Mul(x, settings["beta"])), settings["alpha"])
    return getattr(op, _OPERATORS[name])(x, **settings)


_OPERATORS = {
    "elu": "Elu",
    "hardsigmoid": "HardSigmoid",
    "leakyrelu": "LeakyRelu",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
    "thresholdedrelu": "ThresholdedRelu",
}
