"""Values whose gradient is chosen where they are built: none at all, or another one."""

from collections.abc import Callable, Iterable
from functools import wraps
from itertools import count
from typing import Any

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.subgraphs import nodes_within
from onnxgrad.compiler.opset import COMPOSITE_DOMAIN

from ..building.builder import Tensor
from .registration import register_gradient, register_operator
from .rules import Call, emit_into, name_of

_DOMAIN = "onnxgrad.custom"

_CHOSEN = {
    (COMPOSITE_DOMAIN, "StopGradient"): "a stop_gradient",
    (COMPOSITE_DOMAIN, "StraightThrough"): "a straight-through gradient",
}

_numbers = count(1)


def stop_gradient(x: Tensor) -> Tensor:
    """Give a tensor through which no gradient flows: the derivative by what it is made of is 0.

    A file that is saved holds an Identity, whose metadata tells `load` to stop there again.

    Raises:
        GraphError: it is no tensor of a builder.
    """
    if not isinstance(x, Tensor):
        raise GraphError(f"stop_gradient takes a tensor of a builder, not {type(x).__name__}")
    value = x.builder.emitter().composite("StopGradient", x.value, types=[x.value.type])
    return Tensor(x.builder, value)


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function of tensors a gradient that you choose: a decorator of `function(op, *xs)`.

    The function gives two things: its value, or a tuple of them, and a function of the gradients
    that arrive, which gives one gradient for each of `xs`, None where it is zero: `(None,)` for a
    single one, as nothing returned at all is an error. The second is called where the value is
    differentiated, and may read what the first computed.

    Files hold the value alone, and refuse a gradient that passes it: differentiate, then save.

    Example:
        >>> @og.custom_gradient
        ... def rounded(op, x):
        ...     return op.Round(x), lambda dy: dy
        >>> y = rounded(x)
    """
    if not callable(function):
        raise GraphError(f"custom_gradient is a decorator of functions, not of {function!r}")
    op_type = f"f{next(_numbers)}"

    def parts(op: Any, *xs: Any) -> tuple[Any, Callable[..., Any]]:
        found = function(op, *xs)
        if not (isinstance(found, tuple) and len(found) == 2 and callable(found[1])):
            raise GraphError(
                f"{name_of(function)} must give (value, gradient), the second a function"
            )
        return found

    @wraps(function)
    def value(op: Any, *xs: Any) -> Any:
        return parts(op, *xs)[0]

    @wraps(function)
    def rule(op: Any, call: Call, *dys: Any) -> Any:
        return parts(op, *call.inputs)[1](*dys)

    row = f"{_DOMAIN}.{op_type}(xs...: T) -> ys...: T where T: any"
    operator = register_operator(row, value)
    register_gradient(f"{_DOMAIN}.{op_type}")(rule)

    @wraps(function)
    def call(*xs: Any) -> Any:
        scratch = Graph("outputs")
        tensors = [x for x in xs if isinstance(x, Tensor)]
        if len(tensors) < len(xs) or not xs:
            raise GraphError(f"{name_of(function)} takes tensors of a builder")
        inputs = [scratch.add_value(Value(f"x{k}", x.value.type)) for k, x in enumerate(tensors)]
        return operator(*xs, outputs=len(emit_into(scratch, value, inputs)))

    return call


def chosen_between(graph: Graph, wrt: Iterable[str], of: Iterable[str]) -> list[str]:
    """Say what lies between values that has another derivative than its value has, by choice."""
    ahead = graph.downstream(map(graph.find, wrt))
    path = ahead & graph.upstream(map(graph.find, of))
    inside = [n for node in graph.nodes() if node in path for n in nodes_within(node)]
    return list(dict.fromkeys(kind for n in inside if (kind := _kind(n))))


def _kind(node: Node) -> str | None:
    if node.domain == _DOMAIN:
        return "a custom_gradient"
    return _CHOSEN.get((node.domain, node.op_type))
