"""What other runtimes lack, said in what they have, before a graph is written for one of them.

`make portability` measures it: what a runtime refuses there, and has a body, is in its row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import GraphError
from ..graph.ir import Graph, Node
from ..standard.contrib import is_contrib
from .choose_forms import choose_forms
from .pipeline import Pass
from .prepare import prepare_for


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime: which operators it has not, whether it has onnxruntime's own, what suits it."""

    lacks: frozenset[str] = frozenset()
    contrib: bool = False
    passes: Sequence[Pass] = ()

    def supports(self, node: Node) -> bool:
        """Tell whether a node may be written as it is."""
        return node.operator not in self.lacks and (self.contrib or not is_contrib(node))


_LOSSES = frozenset({"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"})

RUNTIMES = {
    "onnxruntime": Runtime(contrib=True, passes=(choose_forms,)),
    "onnxruntime-node": Runtime(contrib=True, passes=(choose_forms,)),
    "onnxruntime-web": Runtime(passes=(choose_forms,)),
    "openvino": Runtime(),
    "tract": Runtime(_LOSSES),
    "iree": Runtime(),
    "mnn": Runtime(_LOSSES),
    "tinygrad": Runtime(_LOSSES),
    "tensorrt": Runtime(_LOSSES),
}
"""The runtimes that files can be written for; nobody ran TensorRT here."""


def written_for(graph: Graph, runtime: str) -> tuple[Graph, Runtime]:
    """Give a copy of a graph in the operators that a runtime has, and the runtime.

    Raises:
        GraphError: the runtime is not known; those that are, are listed.
    """
    found = RUNTIMES.get(runtime) if isinstance(runtime, str) else None
    if found is None:
        raise GraphError(
            f"there is no runtime {runtime!r}; files are written for {', '.join(RUNTIMES)}"
        )
    return prepare_for(graph, frozenset(), found.supports, found.passes), found
