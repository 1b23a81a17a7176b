"""The embedded backend: kernels on NumPy arrays."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from ..compiler.graph.ir import Graph, Node
from ..compiler.passes.prepare import prepare_for
from .interpreter import Interpreter, native_composites, runs_as_it_is
from .kernels.registry import KERNELS, KernelEntry
from .reference import reference_kernel

_LARGEST_KEPT = (1 << 25) - (1 << 14)
"""Bytes; more than 32 MiB with what malloc adds would teach glibc nothing."""


class Host:
    """The processor that Python runs on: arrays stay where they are."""

    xp: Any = np
    binds = True

    def load(self, value: Any) -> Any:
        """Give the value as it is."""
        return value

    def place(self, constant: np.ndarray, consumers: Sequence[tuple[Node, int]]) -> np.ndarray:
        """Give the constant as it is."""
        return constant

    def entry(self, node: Node) -> KernelEntry | None:
        """Look the kernel up in the table."""
        return KERNELS.get((node.domain, node.op_type))

    def kernel(
        self, node: Node, entry: KernelEntry, attributes: Mapping[str, Any]
    ) -> Callable[..., Any]:
        """Give the kernel with its attributes bound."""
        return partial(entry.function, np, **attributes)

    def reference(self, node: Node) -> Callable[..., Any]:
        """Give ONNX's reference of the node."""
        return reference_kernel(node)


class NumpyBackend:
    """Runs every operator: by a kernel of ours, a body of ours, else by onnx.reference."""

    name = "numpy"
    native = native_composites()

    def why_unavailable(self) -> str | None:
        """NumPy is always there."""
        return None

    def supports(self, node: Node) -> bool:
        """Every operator runs."""
        return True

    def prepare(self, graph: Graph) -> Interpreter:
        """Expand what has no kernel and lay out the steps."""
        let_malloc_keep_memory()
        return Interpreter(prepare_for(graph, self.native, runs_as_it_is), Host(), graph)


@cache
def let_malloc_keep_memory() -> None:
    """Let glibc keep what is freed for the next array: it never takes this memory in use.

    Once a block of this size is freed it serves smaller ones from its heap, and gives up to twice
    as much not back to the system, from which every page would come anew and be cleared.
    """
    np.empty(_LARGEST_KEPT, np.uint8)


BACKEND = NumpyBackend()
