"""The table of kernels: what a backend looks up for each operator; it never chooses a device."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...compiler.graph.ir import Node
from ...compiler.opset import COMPOSITE_DOMAIN

Array = Any  # an array of NumPy or CuPy: kernels are written once for both
Kernel = Callable[..., Any]
Binder = Callable[[Any, Node, Mapping[str, Any], Mapping[int, Array]], Kernel | None]
"""`bind(xp, node, attributes, fixed)` gives a function of a node's inputs alone, or None.

It does what the kernel does, less what the types of the node, its attributes and the inputs that
never change (`fixed`, by position) decide beforehand; it applies to whatever the node may be fed,
and gives exactly the node's outputs.
"""


class KernelDoesNotApply(Exception):
    """Raised by a kernel, before any work, for a case that it leaves to the reference."""


@dataclass(frozen=True, slots=True)
class KernelEntry:
    """A kernel `fn(xp, *inputs, **attributes)` and whether it asks which outputs are wanted.

    `bind` may know a leaner way for a node. What a kernel of a user gives is held against the types
    of its node, as it is no `ours`. `overwrites` says which input's memory an output may take,
    {output: input}: those that a backend allows come as `overwrite`.
    """

    function: Kernel
    takes_outputs: bool
    bind: Binder | None = None
    ours: bool = True
    overwrites: Mapping[int, int] = field(default_factory=dict)


KERNELS: dict[tuple[str, str], KernelEntry] = {}


def kernel(
    *op_types: str,
    domain: str = "",
    bind: Binder | None = None,
    overwrites: Mapping[int, int] | None = None,
) -> Callable[[Kernel], Kernel]:
    """Register a kernel `fn(xp, *inputs, **attributes)` for the named operators.

    Inputs are arrays of `xp` (None where an optional input is omitted); attributes carry the
    schema's names and only those that the node has or the schema defaults. A kernel returns one
    array, or a tuple when the operator has several outputs. A kernel with a keyword `outputs`
    is told how many leading outputs are wanted.
    """

    def register(function: Kernel) -> Kernel:
        takes_outputs = "outputs" in inspect.signature(function).parameters
        entry = KernelEntry(function, takes_outputs, bind, overwrites=overwrites or {})
        for op_type in op_types:
            assert (domain, op_type) not in KERNELS, op_type
            KERNELS[domain, op_type] = entry
        return function

    return register


def composite_kernel(
    *op_types: str, bind: Binder | None = None, overwrites: Mapping[int, int] | None = None
) -> Callable[[Kernel], Kernel]:
    """Register a kernel for composites, see `kernel`."""
    return kernel(*op_types, domain=COMPOSITE_DOMAIN, bind=bind, overwrites=overwrites)
