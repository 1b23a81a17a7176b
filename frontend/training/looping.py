"""Many training steps as one graph, an ONNX Loop that takes its batches from the data itself."""

from collections.abc import Sequence

import numpy as np

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import as_dim, require_count, require_text, require_texts
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.names import suggestion
from onnxgrad.compiler.graph.types import Dim, TensorType
from onnxgrad.compiler.standard.verifier import verify

from .step import state_names

_INT64 = np.dtype(np.int64)


def train_loop(
    step: Graph,
    steps: int | None = None,
    data: Sequence[str] | None = None,
    rows: str = "rows",
) -> Graph:
    """Give a graph that runs a training step many times, to the same bits, in one call.

    It reads whole data sets and "rows", which examples each step takes: int64 (steps, batch). A
    scalar of the step, such as a learning rate, becomes one number a step; other inputs are the
    same in all steps. State goes in and comes out as it does in the step, and each other output
    comes once a step, along a new first axis.

    Example:
        >>> loop = og.train_loop(og.train_step(g, optimizer=og.optim.Adam(1e-3)), steps=100)
        >>> stepper = og.compile(loop).stepper()
        >>> order = np.random.default_rng(0).integers(0, len(images), (100, 32))
        >>> losses = stepper(x=images, label=labels, rows=order)["loss"]

    Args:
        step: a training step.
        steps: how many; by default as many as are fed.
        data: the inputs whose first axis counts examples; by default all that are not scalars.
        rows: the name of the input that picks examples.

    Raises:
        GraphError: the graph is not a training step, a name is unknown or taken, or nothing tells
            how many steps there are.
    """
    pairs = state_names(step)
    fed = [v for v in step.inputs if v.name not in pairs]
    count: Dim = _free("steps", fed)
    if steps is not None:
        count = as_dim("steps", require_count(steps, "steps", least=1))
    picked = _picked(fed, data)
    if require_text(rows, "rows") in step.names:
        raise GraphError(f"the step has a '{rows}' already; pick another name with rows=…")
    kept = [v for v in step.outputs if v.name not in pairs.values()]
    loop = Graph(f"{step.name}.loop")
    loop.metadata = dict(step.metadata)
    outside = _inputs(loop, fed, picked, count, rows)
    states = [loop.add_value(_as_state(step.find(name))) for name in pairs]
    loop.inputs.extend(states)
    names = [*pairs.values(), *(v.name for v in kept)]
    loop.names.claim_all(names)
    body = _body(loop, step, outside, picked, rows, kept)
    for name in names:
        loop.names.release(name)
    op = Ops(loop)
    sliced = [v for v in loop.inputs if v.shape and v.shape[0] == count and v not in states]
    trips = op.Squeeze(op.Shape(sliced[0], end=1), [0]) if sliced else steps
    if trips is None:
        raise GraphError("the step reads nothing that tells how many steps there are; give steps=…")
    results = op.emit_all("Loop", trips, True, *states, body=body, outputs=names)
    loop.outputs = [v for v in results if v is not None]
    verify(loop)
    return loop


def _picked(fed: Sequence[Value], data: Sequence[str] | None) -> list[Value]:
    """Give the inputs that batches are taken from."""
    for value in fed:
        if not isinstance(value.type, TensorType) or value.shape is None:
            raise GraphError(
                f"'{value.name}' is {value.type}; a loop needs tensors whose ranks are known"
            )
    if data is None:
        return [v for v in fed if v.rank]
    named = {v.name: v for v in fed}
    listed = require_texts(data, "data")
    for name in listed:
        if name not in named:
            raise GraphError(f"data: the step is fed no '{name}'{suggestion(name, named)}")
        if not named[name].rank:
            raise GraphError(f"data: '{name}' is a scalar, of which every step has its own")
    return [named[name] for name in dict.fromkeys(listed)]


def _inputs(
    loop: Graph, fed: Sequence[Value], picked: Sequence[Value], count: Dim, rows: str
) -> dict[Value, Value]:
    """Add what the loop is fed; give it by what the step is fed."""
    outside = {}
    examples = _free("examples", fed)
    for value in fed:
        shape = value.shape or ()
        if value in picked:
            shape = (examples, *shape[1:])
        elif not shape:
            shape = (count,)
        given = Value(value.name, TensorType(value.dtype, shape))
        outside[value] = loop.add_value(given)
        loop.inputs.append(given)
    if picked:
        batch = next(iter(picked[0].shape or ()))
        loop.inputs.append(loop.add_value(Value(rows, TensorType(_INT64, (count, batch)))))
    return outside


def _body(
    loop: Graph,
    step: Graph,
    outside: dict[Value, Value],
    picked: Sequence[Value],
    rows: str,
    kept: Sequence[Value],
) -> Graph:
    """Give the step as the body of a Loop: (k, going, state…) → (going, state…, outputs…)."""
    inside: dict[Value, Value] = {}
    body = step.copy(inside, loop.names, renamed=True)
    body.metadata = {}
    states = [inside[step.find(name)] for name in state_names(step)]
    for state in states:
        state.constant, state.parameter = None, False
    k = body.add_value(Value(loop.names.fresh("k"), TensorType(_INT64, ())))
    going = body.add_value(Value(loop.names.fresh("going"), TensorType(np.dtype(bool), ())))
    op = Ops(body)
    batch = op.Gather(loop.find(rows), k, axis=0) if picked else None
    for value, whole in outside.items():
        given = whole
        if value in picked:
            given = op.Gather(whole, batch, axis=0)
        elif not value.rank:
            given = op.Gather(whole, k, axis=0)
        body.replace_uses(inside[value], given)
    body.inputs = [k, going, *states]
    for value in outside:
        body.remove(inside[value])
    after = [inside[step.find(name)] for name in state_names(step).values()]
    results = [op.Identity(going), *after, *(inside[v] for v in kept)]
    body.outputs = [v if body.producer(v) else op.Identity(v) for v in results]
    return body


def _free(name: str, fed: Sequence[Value]) -> str:
    """Give the name of a size, other than those that the inputs have."""
    taken = {d for v in fed if isinstance(v.type, TensorType) for d in v.shape or ()}
    while name in taken:
        name += "_"
    return name


def _as_state(value: Value) -> Value:
    return Value(value.name, value.type, value.constant, value.parameter)
