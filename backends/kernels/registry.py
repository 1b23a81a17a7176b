"""The table of kernels: what a backend looks up for each operator; it never chooses a device."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...compiler.opset import COMPOSITE_DOMAIN

Array = Any  # an array of NumPy or CuPy: kernels are written once for both
Kernel = Callable[..., Any]


class KernelDoesNotApply(Exception):
    """Raised by a kernel, before any work, for a case that it leaves to the reference."""


@dataclass(frozen=True, slots=True)
class KernelEntry:
    """A kernel `fn(xp, *inputs, **attributes)` and whether it asks which outputs are wanted.

    `same_as` names the function of xp that the kernel is, where it is one; what a kernel of a user
    gives is held against the types of its node, as it is no `ours`. `overwrites` says which input's
    memory an output may take, {output: input}: those that a backend allows come as `overwrite`.
    """

    function: Kernel
    takes_outputs: bool
    same_as: str = ""
    ours: bool = True
    overwrites: Mapping[int, int] = field(default_factory=dict)


KERNELS: dict[tuple[str, str], KernelEntry] = {}


def kernel(
    *op_types: str,
    domain: str = "",
    same_as: str = "",
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
        entry = KernelEntry(function, takes_outputs, same_as, overwrites=overwrites or {})
        for op_type in op_types:
            assert (domain, op_type) not in KERNELS, op_type
            KERNELS[domain, op_type] = entry
        return function

    return register


def composite_kernel(
    *op_types: str, overwrites: Mapping[int, int] | None = None
) -> Callable[[Kernel], Kernel]:
    """Register a kernel for composites, see `kernel`."""
    return kernel(*op_types, domain=COMPOSITE_DOMAIN, overwrites=overwrites)
