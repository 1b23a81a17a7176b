"""What tests register: the operator acme.Cube, with a body or without, and how it is forgotten."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import onnxgrad as og
from onnxgrad.backends.kernels.registry import KERNELS
from onnxgrad.compiler.composites.registry import STANDARD_BODIES
from onnxgrad.compiler.differentiation.rules import RULES
from onnxgrad.compiler.inference.node_types import TYPES_BY_BODY
from onnxgrad.compiler.standard.contrib import REGISTERED
from onnxgrad.compiler.standard.schemas import DOMAIN_VERSIONS, find_schema
from onnxgrad.extending import registration

CUBE = "acme.Cube(x: T; scale=1.0) -> y: T where T: floats"


@contextmanager
def forgotten() -> Iterator[None]:
    """Forget afterwards the operators, gradients and kernels that are registered inside."""
    tables: list[Any] = [KERNELS, STANDARD_BODIES, RULES, TYPES_BY_BODY, DOMAIN_VERSIONS]
    tables += [REGISTERED, registration._GRADIENTS, registration._KERNELS]
    before = [table.copy() for table in tables]
    try:
        yield
    finally:
        for table, content in zip(tables, before, strict=True):
            table.clear()
            table.update(content)
        find_schema.cache_clear()


def graph_of(operator: Callable[..., Any], dtype: str = "float64", **attributes: Any) -> og.Graph:
    b = og.Builder()
    b.output(operator(b.input("x", dtype, ("N", 3)), **attributes), "y")
    return b.build()


def cube_with_body() -> Any:
    return og.register_operator(CUBE, lambda op, x, scale: scale * x * x * x)


def cube_gradient(op: Any, call: Any, dy: Any) -> Any:
    (x,) = call.inputs
    return 3.0 * call.attributes["scale"] * x * x * dy


def cube_kernel(xp: Any, x: Any, scale: float) -> Any:
    return (scale * x**3).astype(x.dtype)


def cube_without_body(rule: Any = cube_gradient, kernel: Any = cube_kernel) -> Any:
    cube = og.register_operator(CUBE, shapes=lambda x, scale: x)
    og.register_gradient("acme.Cube")(rule)
    og.register_kernel("acme.Cube")(kernel)
    return cube
