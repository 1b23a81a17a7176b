"""Transform graphs: each function takes a graph and gives a new one, the argument untouched."""

from collections.abc import Iterable, Mapping

from onnxgrad.compiler.emission.naming import GRADIENT
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.emission.sequences import add, zeros_like
from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.gradients import backpropagate, push_forward
from onnxgrad.compiler.graph.arguments import require_graph, require_mapping
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.passes.pipeline import clean_up, optimise
from onnxgrad.compiler.passes.straight_through import let_through

from .selection import (
    Selection,
    add_output,
    copied,
    refuse_unused,
    require_differentiable,
    require_scalar,
    seed_of_one,
    select,
    select_one,
    set_apart,
)

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


def checked_names(names: NewNames | None, values: Iterable[Value]) -> NewNames:
    """Refuse output names for what is not asked for: it would go by another name unnoticed."""
    names = require_mapping(names or {}, "names")
    asked = [v.name for v in values]
    for name in names:
        if name not in asked:
            raise GraphError(f"names has '{name}', which is not among {', '.join(asked)}")
    return names


def _require_one_role(value: Value, others: set[Value], names: NewNames, suffix: str) -> None:
    """Refuse a value that is in both of and wrt, whose new input and output would share a name."""
    if value in others and value.name not in names:
        raise GradientError(
            f"'{value.name}' is in both of and wrt, so '{value.name}.{suffix}' would be both; "
            f"pass names={{'{value.name}': …}}"
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
