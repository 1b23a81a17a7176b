"""Batch axes and whole derivative matrices: vmap, jacobian and hessian."""

from collections.abc import Callable, Sequence
from itertools import chain, count

import numpy as np

from onnxgrad.compiler.batching.vectorize import vectorize
from onnxgrad.compiler.emission.naming import BATCH
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.emission.sequences import zeros_like
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.gradients import backpropagate, push_forward
from onnxgrad.compiler.graph.arguments import as_dim, require_graph, require_texts
from onnxgrad.compiler.graph.dims import symbols
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import Dim, TensorType, is_static
from onnxgrad.compiler.passes.pipeline import clean_up

from .selection import (
    OF,
    WRT,
    Selection,
    add_output,
    copied,
    related,
    require_float,
    require_scalar,
    seed_of_one,
    select,
    select_one,
    set_apart,
)


def vmap(graph: Graph, inputs: str | Sequence[str] | None = None, size: Dim | None = None) -> Graph:
    """Give the graph for a whole batch: chosen inputs and what depends on them get an axis 0.

    Examples may take branches of their own, run loops for as many steps as each needs, and have
    sequences, optionals and tensors of shapes of their own on the way: what has to do with these
    runs for one example after the other. An output has one shape, so the stacked outputs of a loop
    are an error at run time where examples take different numbers of steps.

    A batch without examples has the sizes that an example of ones gives; those that hang on
    integers in an example, or on a loop that only its condition ends, are 0.

    Args:
        graph: a graph for one example.
        inputs: names of the inputs that get the axis; all of them without this. The others, and
            the parameters, are shared by all examples.
        size: the new axis' size, a number or a name; without this the name "batch", or another one
            where inputs have a dimension of that name.

    Returns:
        A graph of the same input and output names; every output has the axis, and repeats along
        it what depends on no batched input.

    Raises:
        GraphError: no input, a name that is not an input, or that of a sequence or an optional.
        UnsupportedOpError: an output that gets the axis is a sequence or an optional.
    """
    copy = require_graph(graph).copy()
    inputs = [v.name for v in copy.inputs] if inputs is None else inputs
    chosen = require_texts(inputs, "inputs")
    known = {v.name: v for v in copy.inputs}
    if missing := [name for name in chosen if name not in known]:
        raise GraphError(f"no input {', '.join(map(str, missing))}; there are {', '.join(known)}")
    if not chosen or len(set(chosen)) < len(chosen):
        raise GraphError(
            f"inputs={chosen}: name each input that gets the axis once, and one at least"
        )
    size = _new_size(copy) if size is None else as_dim("size", size)
    batched: dict[Value, Value] = {}
    for name in chosen:
        old = known[name]
        if not isinstance(old.type, TensorType):
            raise GraphError(
                f"'{name}' is {old.type}: ONNX has no batch of these; name the inputs that get the "
                "axis, all examples share the others"
            )
        shape = None if old.shape is None else (size, *old.shape)
        new = copy.add_value(Value(copy.names.fresh(BATCH + name), TensorType(old.dtype, shape)))
        batched[old] = new
        copy.inputs = [new if v is old else v for v in copy.inputs]
    before = list(copy.outputs)
    found = vectorize(copy, batched, before, BATCH)
    copy.outputs = []
    for old, new in zip(before, found, strict=True):
        if old in batched:  # it takes over the name of the input below
            copy.outputs.append(batched[old])
            continue
        name = old.name
        copy.rename(old, copy.names.fresh(BATCH + name))
        add_output(copy, new, name)
    clean_up(copy)
    for name, new in zip(chosen, batched.values(), strict=True):
        if name in copy.names:
            raise GraphError(f"'{name}' is still needed without its batch axis")
        copy.rename(new, name)
    return copy


def _new_size(graph: Graph) -> str:
    """Name the batch axis: "batch", or "batch1", … where examples have such a dimension."""
    shapes = [v.shape or () for v in graph.inputs if isinstance(v.type, TensorType)]
    taken = {name for shape in shapes for dim in shape for name in symbols(dim)}
    names = chain(["batch"], (f"batch{k}" for k in count(1)))
    return next(name for name in names if name not in taken)


def jacobian(
    graph: Graph,
    of: str | Value,
    wrt: Selection,
    mode: str | None = None,
    *,
    allow_unused: bool = False,
) -> Graph:
    """Add outputs "<of>.jacobian.<wrt>" of shape of.shape + wrt.shape: all partial derivatives.

    Args:
        graph: any graph; `of` (reverse) or each `wrt` (forward) must have a static shape.
        of: a float tensor.
        wrt: float tensors.
        mode: "reverse" (a batch of vjp, one for each element of `of`) or "forward" (a batch of
            jvp, one for each element of `wrt`); by default whichever has fewer.
        allow_unused: give zeros for a `wrt` that `of` does not depend on, instead of an error.

    Raises:
        GraphError: the shape that the mode needs is not static, or there is no such mode.
        GradientError, UnsupportedOpError: as `grad` does.
    """
    if not isinstance(mode, str | None) or mode not in (None, "reverse", "forward"):
        raise GraphError(f"mode={mode!r} must be 'reverse', 'forward' or None")
    copy, mapping = copied(graph)
    target = select_one(graph, mapping, of)
    sources = select(graph, mapping, wrt, WRT)
    for value, role in [(target, OF), *((v, WRT) for v in sources.values)]:
        require_float(copy, value, role)
    blocks: dict[Value, Value] = {}
    for source in sources.values:
        chosen = mode or _cheaper(target, source)
        _require_static(target, source, chosen)
        rows = _reverse_rows if chosen == "reverse" else _forward_columns
        if (found := rows(copy, target, source)) is not None:
            blocks[source] = found
    for source in related(copy, sources, blocks, [target], WRT, allow_unused):
        block = blocks.get(source) or _zeros(copy, target, source)
        add_output(copy, block, f"{target.name}.jacobian.{source.name}")
    clean_up(copy)
    return copy


def hessian(graph: Graph, of: str | Value, wrt: Selection, *, allow_unused: bool = False) -> Graph:
    """Add outputs "<of>.hessian.<a>.<b>" for each pair of `wrt`: second derivatives of a scalar.

    Each has the shape a.shape + b.shape; every `wrt` must have a static shape. A `wrt` that `of`
    does not depend on is refused unless `allow_unused`; see `grad` for the other errors.
    """
    copy, mapping = copied(graph)
    target = select_one(graph, mapping, of)
    require_scalar(copy, target)
    sources = select(graph, mapping, wrt, WRT)
    for value in sources.values:
        require_float(copy, value, WRT)
        _count(value)
    apart = set_apart(copy, sources.values)
    target, sources = apart.get(target, target), sources.mapped(apart)
    gradients = backpropagate(copy, {target: seed_of_one(copy, target)}, sources.values)
    chosen = related(copy, sources, gradients, [target], WRT, allow_unused)
    for a in chosen:
        for b in chosen:
            gradient = gradients.get(a)
            block = None if gradient is None else _reverse_rows(copy, gradient, b)
            block = block or _zeros(copy, a, b)
            add_output(copy, block, f"{target.name}.hessian.{a.name}.{b.name}")
    clean_up(copy)
    return copy


def _cheaper(target: Value, source: Value) -> str:
    if not is_static(source.shape):
        return "reverse"
    if not is_static(target.shape):
        return "forward"
    return "reverse" if _count(target) <= _count(source) else "forward"


def _require_static(target: Value, source: Value, mode: str) -> None:
    """Refuse a mode that needs sizes which are not known, and say if the other would do."""
    needed, other, instead = (target, source, "forward")
    if mode == "forward":
        needed, other, instead = (source, target, "reverse")
    _count(needed, f", or take mode='{instead}'" if is_static(other.shape) else "")


def _count(value: Value, instead: str = "") -> int:
    if not is_static(value.shape):
        raise GraphError(
            f"'{value.name}' is {value.type}: this needs its shape in numbers; load the model with "
            f"shapes={{…}}{instead}"
        )
    return int(np.prod([int(d) for d in value.shape or ()]))


def _reverse_rows(graph: Graph, target: Value, source: Value) -> Value | None:
    """A batch of vjp over the unit cotangents; None where nothing depends on the source."""

    def derivative(cotangent: Value) -> Value | None:
        return backpropagate(graph, {target: cotangent}, [source]).get(source)

    rows = _along_all(graph, target, derivative)
    return None if rows is None else _shaped(graph, rows, target, source)


def _forward_columns(graph: Graph, target: Value, source: Value) -> Value | None:
    """A batch of jvp over the unit tangents, transposed; None where nothing moves the target."""

    def derivative(tangent: Value) -> Value | None:
        return push_forward(graph, {source: tangent}, [target]).get(target)

    columns = _along_all(graph, source, derivative)
    if columns is None:
        return None
    op = Ops(graph, prefix=BATCH)
    rank = len(target.shape or ())
    return _shaped(graph, op.Transpose(columns, perm=[*range(1, rank + 1), 0]), target, source)


def _along_all(
    graph: Graph, value: Value, derivative: Callable[[Value], Value | None]
) -> Value | None:
    """Emit a derivative in one direction of a value, then the batch for all unit vectors.

    The one direction must not be a constant: what is computed of it would be folded, and so would
    not depend on it. A loop that gives values and their tangents may read it still: it reads zeros.
    """
    direction = graph.add_value(Value(graph.names.fresh(f"{BATCH}direction"), value.type))
    single = derivative(direction)
    batch = None
    if single is not None:
        result = Ops(graph, prefix=BATCH).Identity(single)
        (batch,) = vectorize(graph, {direction: _units(graph, value)}, [result], BATCH)
    graph.replace_uses(direction, zeros_like(Ops(graph, prefix=BATCH), value))
    graph.remove(direction)
    return batch


def _units(graph: Graph, value: Value) -> Value:
    """Give all unit vectors of a value's shape, stacked."""
    count = _count(value)
    shape = [count, *(int(d) for d in value.shape or ())]
    return Ops(graph, prefix=BATCH).constant(np.eye(count, dtype=value.dtype).reshape(shape))


def _shaped(graph: Graph, matrix: Value, target: Value, source: Value) -> Value:
    op = Ops(graph, prefix=BATCH)
    shape = op.Concat(op.Shape(target), op.Shape(source), axis=0)
    return op.Reshape(matrix, shape, allowzero=1)


def _zeros(graph: Graph, target: Value, source: Value) -> Value:
    op = Ops(graph, prefix=BATCH)
    shape = op.Concat(op.Shape(target), op.Shape(source), axis=0)
    return op.ConstantOfShape(shape, value=np.zeros(1, target.dtype))
