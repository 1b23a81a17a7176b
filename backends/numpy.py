"""The embedded backend: kernels on NumPy arrays."""

from typing import Any

import numpy as np

from ..compiler.composites import STANDARD_BODIES
from ..compiler.ir import Graph, Node
from ..compiler.opset import COMPOSITE_DOMAIN
from ..compiler.prepare import prepare_for
from .control_flow import SUBGRAPH_KERNELS
from .interpreter import Interpreter
from .kernels.registry import KERNELS


class NumpyBackend:
    """Runs every operator: by a kernel of ours, a body of ours, else by onnx.reference."""

    name = "numpy"
    native = frozenset(
        op for domain, op in (*KERNELS, *SUBGRAPH_KERNELS) if domain == COMPOSITE_DOMAIN
    )

    def why_unavailable(self) -> str | None:
        """NumPy is always there."""
        return None

    def supports(self, node: Node) -> bool:
        """Every operator runs."""
        return True

    def prepare(self, graph: Graph) -> Interpreter:
        """Expand what has no kernel and lay out the steps."""
        return Interpreter(prepare_for(graph, self.native, _runs_as_it_is), np, _identity)


def _runs_as_it_is(node: Node) -> bool:
    """Tell whether there is a kernel, or no body that is faster than onnx.reference."""
    return bool(node.domain) or ("", node.op_type) in KERNELS or node.op_type not in STANDARD_BODIES


def _identity(array: Any) -> Any:
    return array


BACKEND = NumpyBackend()
