"""Operators, gradients and kernels that users register; what they give is held against types."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from onnx.defs import OpSchema

from onnxgrad.backends.kernels.registry import KERNELS, KernelEntry
from onnxgrad.compiler.composites.registry import STANDARD_BODIES
from onnxgrad.compiler.differentiation.rules import Rule
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.gradients import REFUSED_GRADIENT, RULES, ZERO_GRADIENT
from onnxgrad.compiler.graph.arguments import require_text
from onnxgrad.compiler.inference.node_types import TYPES_BY_BODY
from onnxgrad.compiler.opset import COMPOSITE_DOMAIN
from onnxgrad.compiler.standard.contrib import DOMAIN as CONTRIB_DOMAIN
from onnxgrad.compiler.standard.contrib import read_row
from onnxgrad.compiler.standard.schemas import add_schema, get_schema, signature

from ..building.builder import Tensor
from .rules import as_body, as_rule, as_shapes, as_types, without_types

F = TypeVar("F", bound=Callable[..., Any])

_GRADIENTS: set[tuple[str, str]] = set()
_KERNELS: set[tuple[str, str]] = set()
"""What users registered, and what `register_operator` forgets."""


class Operator:
    """A registered operator as a function of tensors: `swish(x, beta=2.0)`."""

    def __init__(self, schema: OpSchema) -> None:
        self.schema = schema

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """Add a node of this operator to the graph that the tensors are part of."""
        builder = next((x.builder for x in inputs if isinstance(x, Tensor)), None)
        if builder is None:
            raise GraphError(f"{self.schema.name} is called on tensors of a builder")
        return builder.emit(self.schema.name, inputs, attributes | {"domain": self.schema.domain})

    def __repr__(self) -> str:
        return f"Operator({self.schema.domain}.{signature(self.schema)})"


def register_operator(
    schema: str | OpSchema,
    body: Callable[..., Any] | None = None,
    *,
    shapes: Callable[..., Any] | None = None,
) -> Operator:
    """Make an operator of a domain of your own known: to builders, files and all transformations.

    Args:
        schema: an `onnx.defs.OpSchema`, or a row such as "acme.Swish(x: T, scale?: T; beta=1.0,
            axes: ints, mode!: string) -> y: T where T: floats". "?" may be omitted, "..." stands
            for several, "!" must be given, "=" is the default; types are those of ONNX or
            `floats`, `bytes`, `any`.
        body: `body(op, *inputs, **attributes)` gives the outputs by other operators. With it the
            operator runs everywhere, is saved as these operators, and has their derivatives.
        shapes: `shapes(*shapes, **attributes)` gives the shape of the output, or a list of them,
            where there is no body.

    Without a body the operator needs a kernel to run (`register_kernel`) and a gradient
    (`register_gradient`), and is saved as it is. One that is registered anew begins without both.

    Returns:
        The operator as a function of tensors.

    Raises:
        GraphError: the schema is none, or of a domain that is not yours.

    Example:
        >>> swish = og.register_operator(
        ...     "acme.Swish(x: T; beta=1.0) -> y: T where T: floats",
        ...     lambda op, x, beta: x * op.Sigmoid(x * beta),
        ... )
        >>> b.output(swish(x, beta=2.0), "y")
    """
    if not isinstance(schema, OpSchema):
        schema = read_row(require_text(schema, "the schema of an operator"))
    key = (schema.domain, schema.name)
    taken = ("", COMPOSITE_DOMAIN, CONTRIB_DOMAIN)
    if schema.domain in taken or schema.domain.startswith("ai.onnx"):
        raise GraphError(
            f"'{schema.domain or 'ai.onnx'}' is no domain of yours: name the operator "
            f"'acme.{schema.name}'"
        )
    for function, what in ((body, "body"), (shapes, "shapes")):
        if function is not None and not callable(function):
            raise GraphError(f"{what} must be a function, not {function!r}")
    add_schema(schema)
    operator = f"{schema.domain}.{schema.name}"
    _forget(key)
    STANDARD_BODIES.pop(operator, None)
    if body is not None:
        STANDARD_BODIES[operator] = as_body(body)
        TYPES_BY_BODY[operator] = as_types(body)
    else:
        TYPES_BY_BODY[operator] = as_shapes(shapes) if shapes is not None else without_types
    return Operator(schema)


def register_gradient(operator: str, *, broadcasts: bool = False) -> Callable[[F], F]:
    """Give an operator a gradient: a decorator of `rule(op, call, *dys)`.

    `call` has the inputs, outputs and attributes; `dys` are the gradients that arrive, one for
    each output, None where none does. The rule gives one gradient for each input, of its dtype and
    shape, None where it is zero: `(None,)` where there is one input, as nothing returned at all is
    an error. Reverse and forward mode follow, to any order.

    Args:
        operator: its name, such as "acme.Swish", or that of one whose gradient is refused.
        broadcasts: sum what the rule gives to the inputs' shapes.

    Raises:
        GraphError: the operator has a gradient already; `custom_gradient` is for other ones, and
            an operator that is registered anew begins without one.
        UnsupportedOpError: there is no such operator.

    Example:
        >>> @og.register_gradient("acme.Cube")
        ... def cube(op, call, dy):
        ...     (x,) = call.inputs
        ...     return 3.0 * x * x * dy
    """
    key = _key(operator)
    if key in _GRADIENTS:
        raise _taken(operator, "gradient")
    if key in ZERO_GRADIENT or key in RULES and key not in REFUSED_GRADIENT:
        raise GraphError(f"{operator} has a gradient; og.custom_gradient gives a value another one")

    def register(rule: F) -> F:
        _require_function(rule, "register_gradient")
        RULES[key] = Rule(as_rule(rule, broadcasts), broadcasts=False, widens=False)
        _GRADIENTS.add(key)
        return rule

    return register


def register_kernel(operator: str) -> Callable[[F], F]:
    """Let NumPy and CuPy run an operator: a decorator of `kernel(xp, *inputs, **attributes)`.

    `xp` is NumPy or CuPy, and the inputs are its arrays, None where one is omitted. They are
    read-only: a kernel makes new arrays, and NumPy raises where it writes to an input. It gives an
    array, or a tuple for several outputs.

    Raises:
        GraphError: the operator has a kernel already; one that is registered anew begins without.
        UnsupportedOpError: there is no such operator.

    Example:
        >>> @og.register_kernel("acme.Cube")
        ... def cube(xp, x):
        ...     return x**3
    """
    key = _key(operator)
    if key in _KERNELS:
        raise _taken(operator, "kernel")
    if key in KERNELS:
        raise GraphError(f"{operator} has a kernel of onnxgrad")

    def register(kernel: F) -> F:
        _require_function(kernel, "register_kernel")
        try:
            asks = "outputs" in inspect.signature(kernel).parameters
        except ValueError:
            asks = False  # some of C's functions do not say
        KERNELS[key] = KernelEntry(kernel, asks, ours=False)
        _KERNELS.add(key)
        return kernel

    return register


def _forget(key: tuple[str, str]) -> None:
    """Drop the kernel and the gradient of an operator that is about to be another one."""
    for table, registered in ((KERNELS, _KERNELS), (RULES, _GRADIENTS)):
        if key in registered:
            registered.discard(key)
            table.pop(key, None)


def _taken(operator: str, what: str) -> GraphError:
    return GraphError(
        f"{operator} has a {what} already; og.register_operator makes an operator of yours anew, "
        "with neither kernel nor gradient"
    )


def _key(operator: str) -> tuple[str, str]:
    domain, _, op_type = require_text(operator, "the name of an operator").rpartition(".")
    get_schema(op_type, domain)
    return domain, op_type


def _require_function(given: Any, what: str) -> None:
    if not callable(given):
        raise GraphError(f"{what} is a decorator of functions, not of {given!r}")
