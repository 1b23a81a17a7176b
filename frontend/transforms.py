"""Transform graphs: each function takes a graph and gives a new one, the argument untouched."""

from collections.abc import Iterable, Mapping, Sequence

from onnxgrad.compiler.emission.naming import GRADIENT
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.emission.sequences import add, zeros_like
from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.gradients import backpropagate, push_forward
from onnxgrad.compiler.graph.arguments import (
    optional_texts,
    require_flag,
    require_function,
    require_graph,
    require_texts,
)
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import as_dtype
from onnxgrad.compiler.passes.mixed_precision import PRODUCTS, halve
from onnxgrad.compiler.passes.pipeline import Pass, clean_up, run_passes, shrink
from onnxgrad.compiler.passes.straight_through import let_through

from .selection import (
    OF,
    WRT,
    Selected,
    Selection,
    add_output,
    copied,
    related,
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
            optionals of tensors, whose gradients are such, too (empty for an empty optional). A
            pattern such as "*.weight" stands for the float inputs and initializers of such names
            that `of` depends on, but not for what operators take as settings (scales of Resize, an
            exponent, ε), which go by their names; as `of` it stands for outputs.
        names: output names to use in place of "<name>.grad", by value name.
        allow_unused: give zeros for a `wrt` that `of` does not depend on, instead of an error.

    Of a graph that has gradients already, a derivative by a value y in the middle counts all that
    reads y: some rules do (tanh′ = 1 − y²), others read x instead. Where x and y are to be moved
    one by one, name both in the call that first differentiates (`hessian`, `hvp`, `jacobian`).

    Raises:
        GradientError: `of` is not a scalar, `wrt` holds no floats or does not influence `of`.
        UnsupportedOpError: an operator between them has no gradient; all such are listed.
    """
    copy, mapping = copied(graph)
    target = select_one(graph, mapping, of)
    require_scalar(copy, target)
    seed = seed_of_one(copy, target)
    sources = select(graph, mapping, wrt, WRT)
    names = checked_names(names, [target, *sources.values])
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
    sources = select(graph, mapping, wrt, WRT)
    targets = select(graph, mapping, of, OF).only(copy.downstream(sources.values)).values
    names = checked_names(names, [*targets, *sources.values])
    cotangents = {}
    for value in targets:
        require_differentiable(copy, value, OF)
        name = f"{value.name}.grad"
        if value not in sources.values:  # there `names` is about the result
            name = names.get(value.name, name)
        cotangents[value] = copy.add_value(Value(_free_name(copy, name, value), value.type))
        copy.inputs.append(cotangents[value])
    return _reverse(copy, cotangents, sources, names, allow_unused)


def jvp(
    graph: Graph,
    of: Selection,
    wrt: Selection,
    *,
    names: NewNames | None = None,
    allow_unused: bool = False,
) -> Graph:
    """Add inputs "<wrt>.tangent" (directions) and outputs "<of>.tangent" = Σ ∂of/∂wrt·direction.

    See `grad` for the arguments and the errors; `names` may rename directions and outputs, by
    value name. A `wrt` inside the graph is moved in addition to how its own inputs move it.
    """
    copy, mapping = copied(graph)
    targets = select(graph, mapping, of, OF)
    chosen = select(graph, mapping, wrt, WRT).only(copy.upstream(targets.values)).values
    names = checked_names(names, [*targets.values, *chosen])
    for value, role in [*((v, WRT) for v in chosen), *((v, OF) for v in targets.values)]:
        require_differentiable(copy, value, role)
    apart = set_apart(copy, chosen)
    sources, targets = [apart.get(v, v) for v in chosen], targets.mapped(apart)
    tangents = {}
    for value in sources:
        _require_one_role(value, set(targets.values), names, "tangent")
        name = f"{value.name}.tangent"
        if value not in targets.values:  # there `names` is about the result
            name = names.get(value.name, name)
        name = _free_name(copy, name, value)
        tangents[value] = copy.add_value(Value(name, value.type))
        copy.inputs.append(tangents[value])
    pushed = push_forward(copy, tangents, targets.values)
    for value in related(copy, targets, pushed, sources, OF, allow_unused):
        tangent = pushed.get(value) or _zeros(copy, value)
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
    require_scalar(copy, target)
    sources = select(graph, mapping, wrt, WRT)
    for value in sources.values:
        require_differentiable(copy, value, WRT)
    apart = set_apart(copy, sources.values)
    target, sources = apart.get(target, target), sources.mapped(apart)
    gradients = backpropagate(copy, {target: seed_of_one(copy, target)}, sources.values)
    chosen = related(copy, sources, gradients, [target], WRT, allow_unused)
    cotangents: dict[Value, Value] = {}
    for value in chosen:
        gradient = gradients.get(value)
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


def mixed_precision(
    graph: Graph, dtype: str = "float16", operators: Sequence[str] = PRODUCTS
) -> Graph:
    """Run operators in half precision, between casts; everything else stays float32.

    Weights stay float32, too, and are what training moves. Small gradients vanish in float16 unless
    the loss is scaled: `og.train_step(og.mixed_precision(g), optimizer=og.optim.scale_loss(…))`.

    Args:
        graph: a graph in float32.
        dtype: "float16"; or "bfloat16", which has the range of float32 and needs no scaled loss,
            but for which stock onnxruntime has no products on CPUs.
        operators: their names; by default those that are sums of products, where the time goes.

    Raises:
        GraphError: the dtype is another one, or there is no such operator on float32.
    """
    half = as_dtype(dtype)
    if half.name not in ("float16", "bfloat16"):
        raise GraphError(f"dtype must be float16 or bfloat16, got {half.name}")
    copy = require_graph(graph).copy()
    listed = require_texts(operators, "operators")
    if not listed:
        raise GraphError("operators is an empty list; name at least one")
    if not halve(copy, listed, half):
        raise GraphError(
            f"no {' or '.join(listed)} of the graph '{graph.name}' reads float32; name others "
            "with operators=[…]"
        )
    clean_up(copy)
    return copy


def optimize(graph: Graph, passes: Sequence[Pass] = ()) -> Graph:
    """Give a smaller graph that computes the same outputs.

    Args:
        graph: any graph.
        passes: rewrites of your own that run first, in order: functions that change a graph in
            place and tell whether they did. The graph is checked after them.

    Raises:
        GraphError: a pass is no function, or left a graph that is not well formed.
    """
    if not isinstance(passes, list | tuple) or not all(map(callable, passes)):
        raise GraphError(f"passes is a list of functions of a graph, not {passes!r}")
    copy = require_graph(graph).copy()
    if passes:
        run_passes(copy, *map(_checked, passes))
    shrink(copy)
    return copy


def _checked(step: Pass) -> Pass:
    """Let a user's pass count as one that changed something: the graph is checked after it."""
    name = getattr(getattr(step, "func", step), "__name__", type(step).__name__)
    require_function(step, f"the pass {name}", 1)

    def run(graph: Graph) -> bool:
        require_flag(step(graph), f"what the pass {name} gives")
        return True

    run.__name__ = name
    return run


def _reverse(
    graph: Graph,
    cotangents: dict[Value, Value],
    sources: Selected,
    names: NewNames,
    allow_unused: bool,
) -> Graph:
    for value in sources.values:
        require_differentiable(graph, value, WRT)
        _require_one_role(value, set(cotangents), names, "grad")
    apart = set_apart(graph, sources.values)
    sources = sources.mapped(apart)
    cotangents = {apart.get(v, v): dy for v, dy in cotangents.items()}
    gradients = backpropagate(graph, cotangents, sources.values)
    for value in related(graph, sources, gradients, list(cotangents), WRT, allow_unused):
        gradient = gradients.get(value) or _zeros(graph, value)
        name = names.get(value.name, f"{value.name}.grad")
        add_output(graph, gradient, _free_name(graph, name, value))
    clean_up(graph)
    return graph


def _zeros(graph: Graph, value: Value) -> Value:
    return zeros_like(Ops(graph, prefix=GRADIENT), value)


def checked_names(names: NewNames | None, values: Iterable[Value]) -> NewNames:
    """Refuse output names for what is not asked for: it would go by another name unnoticed."""
    names = optional_texts(names, "names")
    asked = [v.name for v in values]
    for name in names:
        if name not in asked:
            raise GraphError(f"names['{name}']: there is no '{name}' among {', '.join(asked)}")
    return names


def _require_one_role(value: Value, others: set[Value], names: NewNames, suffix: str) -> None:
    """Refuse a value that is in both of and wrt, whose new input and output would share a name."""
    if value in others and value.name not in names:
        raise GradientError(
            f"of=… and wrt=… both name '{value.name}', so '{value.name}.{suffix}' would be both; "
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
