"""The table of compiled kernels: what the backend looks up before that of the NumPy kernels."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...compiler.graph.ir import Node
from ..kernels.registry import KERNELS, Array, Binder, Kernel, KernelEntry

COMPILED: dict[tuple[str, str], KernelEntry] = {}


def compiled(op_type: str, domain: str = "") -> Callable[[Binder], Binder]:
    """Register what binds a compiled kernel to a node: see `Binder`.

    Where it gives None the NumPy kernel runs.
    """

    def register(bind: Binder) -> Binder:
        entry = KERNELS[domain, op_type]

        def first(
            xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]
        ) -> Kernel | None:
            bound = bind(xp, node, attributes, fixed)
            if bound is None and entry.bind is not None:
                return entry.bind(xp, node, attributes, fixed)
            return bound

        assert (domain, op_type) not in COMPILED, op_type
        COMPILED[domain, op_type] = replace(entry, bind=first)
        return bind

    return register
