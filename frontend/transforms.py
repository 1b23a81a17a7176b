"""Transform graphs: each function takes a graph and gives a new one, the argument untouched."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from onnxgrad.compiler.differentiation.forward import push_forward
from onnxgrad.compiler.differentiation.reverse import backpropagate
from onnxgrad.compiler.emission.naming import GRADIENT, is_emitted
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.emission.sequences import add, zeros_like
from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.graph.arguments import require_graph, require_mapping
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType, is_differentiable, is_float
from onnxgrad.compiler.passes.pipeline import clean_up, optimise
from onnxgrad.compiler.passes.split_sequences import split_sequences
from onnxgrad.compiler.passes.straight_through import let_through

Selection = str | Value | Sequence[str | Value]
"""One value or several, by name or as a Value of the graph."""

NewNames = Mapping[str, str]


def grad(
    graph: Graph,
    of: str | Value,
    wrt: Selection,
    *,
    names: NewNames | None = None,
    allow_unused: bool = False,
) -> Graph:
    """Add outputs "<name>.grad": the derivative of one scalar by each of `wrt`.

    Args:
        graph: any graph.
        of: a float tensor of one element.
        wrt: inputs, initializers or any other floats of the graph: tensors, or sequences and
            optionals of tensors, whose gradients are such, too (empty for an empty optional).
        names: output names to use in place of "<name>.grad", by value name.
        allow_unused: give zeros for a `wrt` that `of` does not depend on, instead of an error.

    Of a graph that has gradients already, a derivative by a value y in the middle counts all that
    reads y: some rules do (tanh′ = 1 − y²), others read x instead. Where x and y are to be moved
    one by one, name both in the call that first differentiates (`hessian`, `hvp`, `jacobian`).

    Raises:
        GradientError: `of` is no scalar, `wrt` holds no floats or does not influence `of`.
        UnsupportedOpError: an operator between them has no gradient; all such are listed.
    """
    copy, mapping = copied(graph)
    target = select_one(graph, mapping, of)
    require_scalar(target)
    seed = seed_of_one(copy, target)
    sources = select(graph, mapping, wrt)
    names = checked_names(names, [target, *sources])
    return _reverse(copy, {target: seed}, sources, names, allow_unused)


def vjp(
    graph: Graph,
    of: Selection,
    wrt: Selection,
    *,
    names: NewNames | None = None,
    allow_unused: bool = False,
) -> Graph:
    """Add inputs "<of>.grad" (the cotangents) and outputs "<wrt>.grad" = Σ cotangent·∂of/∂wrt.

    See `grad` for the arguments and the errors; `names` may rename the cotangents too.
    """
    copy, mapping = copied(graph)
    targets, sources = select(graph, mapping, of), select(graph, mapping, wrt)
    names = checked_names(names, [*targets, *sources])
    cotangents = {}
    for value in targets:
        require_differentiable(value, "of")
        name = f"{value.name}.grad"
        if value not in sources:  # there `names` is about the result
            name = names.get(value.name, name)
        cotangents[value] = copy.add_value(Value(_free_name(copy, name, value), value.type))
        copy.inputs.append(cotangents[value])
    return _reverse(copy, cotangents, sources, names, allow_unused)


def jvp(
    graph: Graph,
    wrt: Selection,
    of: Selection,
    *,
    names: NewNames | None = None,
    allow_unused: bool = False,
) -> Graph:
    """Add inputs "<wrt>.tangent" (directions) and outputs "<of>.tangent" = Σ ∂of/∂wrt·direction.

    See `grad` for the arguments and the errors; `names` may rename directions and outputs, by
    value name. A `wrt` inside the graph is moved in addition to how its own inputs move it.
    """
    copy, mapping = copied(graph)
    sources, targets = select(graph, mapping, wrt), select(graph, mapping, of)
    names = checked_names(names, [*targets, *sources])
    apart = set_apart(copy, sources)
    sources, targets = ([apart.get(v, v) for v in chosen] for chosen in (sources, targets))
    tangents = {}
    for value in sources:
        require_differentiable(value, "wrt")
        _require_one_role(value, set(targets), names, "tangent")
        name = f"{value.name}.tangent"
        if value not in targets:  # there `names` is about the result
            name = names.get(value.name, name)
        name = _free_name(copy, name, value)
        tangents[value] = copy.add_value(Value(name, value.type))
        copy.inputs.append(tangents[value])
    pushed = push_forward(copy, tangents, targets)
    for value in targets:
        require_differentiable(value, "of")
        tangent = pushed.get(value)
        if tangent is None:
            refuse_unused([value], sources, allow_unused)
            tangent = _zeros(copy, value)
        name = names.get(value.name, f"{value.name}.tangent")
        add_output(copy, tangent, _free_name(copy, name, value))
    clean_up(copy)
    return copy


def hvp(graph: Graph, of: str | Value, wrt: Selection, *, allow_unused: bool = False) -> Graph:
    """Add inputs "<wrt>.tangent" and outputs "<wrt>.hvp": the Hessian of a scalar times a vector.

    The Hessian is that of `of` by all of `wrt` together. See `grad` for the arguments and errors.
    A `wrt` by which the gradient is constant has the product zero.
    """
    copy, mapping = copied(graph)
    target = select_one(graph, mapping, of)
    require_scalar(target)
    chosen = select(graph, mapping, wrt)
    for value in chosen:
        require_differentiable(value, "wrt")
    apart = set_apart(copy, chosen)
    target, *chosen = (apart.get(v, v) for v in (target, *chosen))
    gradients = backpropagate(copy, {target: seed_of_one(copy, target)}, chosen)
    cotangents: dict[Value, Value] = {}
    for value in chosen:
        gradient = gradients.get(value)
        if gradient is None:
            refuse_unused([target], [value], allow_unused)
        name = _free_hvp_name(copy, f"{value.name}.tangent")
        direction = copy.add_value(Value(name, value.type))
        copy.inputs.append(direction)
        if gradient is None:
            continue
        if gradient in cotangents:
            direction = add(Ops(copy, prefix=GRADIENT), cotangents[gradient], direction)
        cotangents[gradient] = direction
    products = backpropagate(copy, cotangents, chosen)
    for value in chosen:
        product = products.get(value) or _zeros(copy, value)
        add_output(copy, product, _free_hvp_name(copy, f"{value.name}.hvp"))
    clean_up(copy)
    return copy


def straight_through(graph: Graph) -> Graph:
    """Let gradients pass through QuantizeLinear and DynamicQuantizeLinear, which round.

    Outputs stay bit for bit; only derivatives that are taken of the result differ. They are those
    without the rounding, where nothing saturates: from quantization to dequantization 1 by x there
    and 0 elsewhere; by the scale round(x/scale) − x/scale there, and the bound less the zero point
    elsewhere. Without this transformation they are the true ones: 0 by x, almost everywhere.

    Raises:
        UnsupportedOpError: quantized tensors are computed with by operators other than
            DequantizeLinear, Cast, MatMulInteger, ConvInteger and what only moves elements.
    """
    copy = require_graph(graph).copy()
    let_through(copy)
    return copy


def optimize(graph: Graph) -> Graph:
    """Give a smaller graph that computes the same outputs."""
    copy = require_graph(graph).copy()
    optimise(copy)
    return copy


def _reverse(
    graph: Graph,
    cotangents: dict[Value, Value],
    wrt: list[Value],
    names: NewNames,
    allow_unused: bool,
) -> Graph:
    for value in wrt:
        require_differentiable(value, "wrt")
        _require_one_role(value, set(cotangents), names, "grad")
    apart = set_apart(graph, wrt)
    wrt = [apart.get(v, v) for v in wrt]
    cotangents = {apart.get(v, v): dy for v, dy in cotangents.items()}
    targets = list(cotangents)
    gradients = backpropagate(graph, cotangents, wrt)
    for value in wrt:
        gradient = gradients.get(value)
        if gradient is None:
            refuse_unused(targets, [value], allow_unused)
            gradient = _zeros(graph, value)
        name = names.get(value.name, f"{value.name}.grad")
        add_output(graph, gradient, _free_name(graph, name, value))
    clean_up(graph)
    return graph


def _zeros(graph: Graph, value: Value) -> Value:
    return zeros_like(Ops(graph, prefix=GRADIENT), value)


def refuse_unused(targets: Sequence[Value], sources: Sequence[Value], allowed: bool) -> None:
    """Refuse to give zeros for what does not depend on something, unless that is allowed."""
    if not allowed:
        results, listed = (", ".join(f"'{v.name}'" for v in vs) for vs in (targets, sources))
        raise GradientError(
            f"{results} does not depend on {listed} in a differentiable way; "
            "pass allow_unused=True to get zeros"
        )


def add_output(graph: Graph, value: Value, name: str) -> None:
    """Make a value an output of that name; one that already has a role gets a copy."""
    named = graph.producer(value) is None or any(value is v for v in graph.outputs)
    if named or not is_emitted(value):
        value = Ops(graph).Identity(value)
    graph.rename(value, name)
    graph.outputs.append(value)


def copied(graph: Graph) -> tuple[Graph, dict[Value, Value]]:
    """Copy a graph; give also where each of its values went."""
    mapping: dict[Value, Value] = {}
    copy = require_graph(graph).copy(mapping)
    split_sequences(copy)
    return copy, mapping


def select(graph: Graph, mapping: dict[Value, Value], chosen: Selection) -> list[Value]:
    """Find values of a graph by name or Value; give them in its copy."""
    return [mapping[v] for v in find_values(graph, chosen)]


def select_one(graph: Graph, mapping: dict[Value, Value], chosen: str | Value) -> Value:
    """Find one value of a graph by name or Value; give it in its copy."""
    found = select(graph, mapping, chosen)
    if len(found) > 1:
        raise GraphError(f"{len(found)} values where one is wanted")
    return found[0]


def find_values(graph: Graph, chosen: Selection) -> list[Value]:
    """Find values of a graph by name or Value.

    Raises:
        GraphError: there are none, one is named twice, is unknown or another graph's.
    """
    several = isinstance(chosen, Iterable) and not isinstance(chosen, str | Value)
    listed: list[object] = [*chosen] if several else [chosen]  # type: ignore[misc]  # see above
    if not listed:
        raise GraphError("an empty list of values; name at least one")
    found: list[Value] = []
    for item in listed:
        if not isinstance(item, str | Value):
            raise GraphError(f"a value goes by its name or as a Value, not as {item!r}")
        value = graph.find(item) if isinstance(item, str) else item
        if not graph.owns(value):
            raise GraphError(f"'{value.name}' is a value of another graph; give its name instead")
        if value in found:
            raise GraphError(f"'{value.name}' is named twice")
        found.append(value)
    return found


def checked_names(names: NewNames | None, values: Iterable[Value]) -> NewNames:
    """Refuse output names for what is not asked for: it would go by another name unnoticed."""
    names = require_mapping(names or {}, "names")
    asked = [v.name for v in values]
    for name in names:
        if name not in asked:
            raise GraphError(f"names has '{name}', which is not among {', '.join(asked)}")
    return names


def set_apart(graph: Graph, wrt: list[Value]) -> dict[Value, Value]:
    """Let what a node computes and what others read of it be two values: y → Identity(y).

    A rule may read the node's own output: tanh′(x) = 1 − y². That is a function of x, which does
    not move when y alone is moved: a second derivative by x and y would count it. So each of `wrt`
    that another one influences becomes a copy of that name; give what stands for what now.
    """
    apart: dict[Value, Value] = {}
    for value in wrt:
        node = graph.producer(value)
        if node is None or value not in graph.downstream(v for v in wrt if v is not value):
            continue
        op = Ops(graph, node.position)
        copy: Value = op.Identity(value)
        graph.replace_uses(value, copy)
        (identity,) = op.emitted
        identity.inputs = (value,)
        graph.reconnect(identity)
        name = value.name
        graph.rename(value, graph.names.fresh(f"{GRADIENT}{name}"))
        graph.rename(copy, name)
        apart[value] = copy
    return apart


def seed_of_one(graph: Graph, target: Value) -> Value:
    """Add the cotangent of a scalar that is differentiated: the number one, in its shape."""
    shape = [d for d in target.shape or () if isinstance(d, int)]
    return Ops(graph, prefix=GRADIENT).constant(np.ones(shape, target.dtype), name=f"{GRADIENT}one")


def require_scalar(value: Value) -> None:
    """Refuse what is not one float."""
    require_float(value, "of")
    if value.shape is None or any(d != 1 for d in value.shape):
        raise GradientError(
            f"of='{value.name}' is {value.type}, not a scalar; reduce it (ReduceSum, ReduceMean), "
            "or use vjp with a cotangent of its shape"
        )


def _require_one_role(value: Value, others: set[Value], names: NewNames, suffix: str) -> None:
    """Refuse a value that is in both of and wrt, whose new input and output would share a name."""
    if value in others and value.name not in names:
        raise GradientError(
            f"'{value.name}' is in both of and wrt, so '{value.name}.{suffix}' would be both; "
            f"pass names={{'{value.name}': …}}"
        )


def require_float(value: Value, role: str) -> None:
    """Refuse what is no float tensor."""
    if not isinstance(value.type, TensorType) or not is_float(value.dtype):
        raise GradientError(
            f"{role}='{value.name}' is {value.type}; this needs a float tensor (by and of sequences"
            " and optionals of them there are vjp and jvp, by them grad and hvp)"
        )


def require_differentiable(value: Value, role: str) -> None:
    """Refuse what holds no floats; sequences and optionals have gradients of their own type."""
    if not is_differentiable(value.type):
        raise GradientError(
            f"{role}='{value.name}' is {value.type}; gradients exist by and of floats only: "
            "tensors, or sequences and optionals of them"
        )


def _free_name(graph: Graph, name: str, value: Value) -> str:
    if name in graph.names:
        raise GradientError(
            f"the name '{name}' is taken; choose another with names={{'{value.name}': …}}"
        )
    return name


def _free_hvp_name(graph: Graph, name: str) -> str:
    if name in graph.names:
        raise GradientError(
            f"the name '{name}' is taken; take jvp of grad instead, which both take names={{…}}"
        )
    return name
