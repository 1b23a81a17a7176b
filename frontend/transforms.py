"""Transform graphs: each function takes a graph and gives a new one, the argument untouched."""

from collections.abc import Mapping, Sequence

import numpy as np

from onnxgrad.compiler.autodiff import backpropagate
from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.ir import Graph, Value
from onnxgrad.compiler.ops import Ops
from onnxgrad.compiler.passes.pipeline import clean_up
from onnxgrad.compiler.types import TensorType, is_float

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
        wrt: inputs, initializers or any other float tensors of the graph.
        names: output names to use in place of "<name>.grad", by value name.
        allow_unused: give zeros for a `wrt` that `of` does not depend on, instead of an error.

    Raises:
        GradientError: `of` is no scalar, `wrt` is no float tensor or does not influence `of`.
        UnsupportedOpError: an operator between them has no gradient; all such are listed.
    """
    copy, mapping = _copied(graph)
    (target,) = _select(graph, mapping, of)
    _require_scalar(target)
    seed = _seed_of_one(copy, target)
    return _reverse(copy, {target: seed}, _select(graph, mapping, wrt), names or {}, allow_unused)


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
    names = names or {}
    copy, mapping = _copied(graph)
    targets = _select(graph, mapping, of)
    cotangents = {}
    for value in targets:
        _require_float(value, "of")
        name = _free_name(copy, names.get(value.name, f"{value.name}.grad"), value)
        cotangents[value] = copy.add_value(Value(name, value.type))
        copy.inputs.append(cotangents[value])
    return _reverse(copy, cotangents, _select(graph, mapping, wrt), names, allow_unused)


def _reverse(
    graph: Graph,
    cotangents: dict[Value, Value],
    wrt: list[Value],
    names: NewNames,
    allow_unused: bool,
) -> Graph:
    for value in wrt:
        _require_float(value, "wrt")
        if value in cotangents and value.name not in names:
            raise GradientError(
                f"'{value.name}' is in both of and wrt: '{value.name}.grad' would be both; pass "
                f"names={{'{value.name}': …}}"
            )
    targets = list(cotangents)
    gradients = backpropagate(graph, cotangents, wrt)
    for value in wrt:
        gradient = gradients.get(value)
        if gradient is None:
            gradient = _unused(graph, value, targets, allow_unused)
        name = names.get(value.name, f"{value.name}.grad")
        add_output(graph, gradient, _free_name(graph, name, value))
    clean_up(graph)
    return graph


def _unused(graph: Graph, value: Value, of: list[Value], allowed: bool) -> Value:
    listed = ", ".join(f"'{v.name}'" for v in of)
    if not allowed:
        raise GradientError(
            f"{listed} does not depend on '{value.name}' in a differentiable way; "
            "pass allow_unused=True to get zeros"
        )
    op = Ops(graph, prefix="grad/")
    return op.ConstantOfShape(op.Shape(value), value=np.zeros(1, value.dtype))


def add_output(graph: Graph, value: Value, name: str) -> None:
    """Make a value an output of that name; one that already has a role gets a copy."""
    named = graph.producer(value) is None or any(value is v for v in graph.outputs)
    if named or not value.name.startswith(("grad/", "tangent/")):
        value = Ops(graph).Identity(value)
    graph.rename(value, name)
    graph.outputs.append(value)


def _copied(graph: Graph) -> tuple[Graph, dict[Value, Value]]:
    mapping: dict[Value, Value] = {}
    return graph.copy(mapping), mapping


def _select(graph: Graph, mapping: dict[Value, Value], chosen: Selection) -> list[Value]:
    listed = [chosen] if isinstance(chosen, str | Value) else list(chosen)
    if not listed:
        raise GraphError("an empty list of values; name at least one")
    found = [graph.find(c) if isinstance(c, str) else c for c in listed]
    for value in found:
        if value not in mapping:
            raise GraphError(f"'{value.name}' is a value of another graph; give its name instead")
    if len(set(found)) < len(found):
        raise GraphError("a value is named twice")
    return [mapping[v] for v in found]


def _seed_of_one(graph: Graph, target: Value) -> Value:
    shape = [d for d in target.shape or () if isinstance(d, int)]
    return Ops(graph, prefix="grad/").constant(np.ones(shape, target.dtype), name="grad/one")


def _require_scalar(value: Value) -> None:
    _require_float(value, "of")
    if value.shape is None or any(d != 1 for d in value.shape):
        raise GradientError(
            f"of='{value.name}' is {value.type}, not a scalar; reduce it (ReduceSum, ReduceMean), "
            "or use vjp with a cotangent of its shape"
        )


def _require_float(value: Value, role: str) -> None:
    if not isinstance(value.type, TensorType) or not is_float(value.dtype):
        raise GradientError(
            f"{role}='{value.name}' is {value.type}; derivatives exist by and of float tensors only"
        )


def _free_name(graph: Graph, name: str, value: Value) -> str:
    if name in graph.names:
        raise GradientError(
            f"the name '{name}' is taken; choose another with names={{'{value.name}': …}}"
        )
    return name
