"""What other runtimes lack, said in what they have, before a graph is written for one of them.

`make portability` measures it: what a runtime refuses there, and has a body, is in its row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..composites.form_choice import choose_form, choose_light_form
from ..errors import GraphError
from ..graph.ir import Graph, Node
from ..opset import EXPORT_OPSET
from ..standard.contrib import is_contrib, is_registered
from .choose_forms import expand_chosen
from .exact_division import divided, shifted
from .keep_weights_apart import keep_weights_apart
from .pipeline import Pass, run_passes
from .prepare import prepare_for
from .respell import (
    conv_transpose,
    dropout_of_nothing,
    in_groups,
    max_pool_by_plane,
    max_pool_by_taps,
    max_pool_dilated,
    max_pool_of_one_image,
    of_single_channels,
    respell,
    softplus,
)

Choose = Callable[[Node, int], str | None]
"""Names the form that suits a node at an opset; None: the default."""


def _cheapest(node: Node, opset: int) -> str | None:
    return choose_form(node, opset=opset)


def _light(node: Node, opset: int) -> str | None:
    return choose_light_form(node)


def _default(node: Node, opset: int) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Runtime:
    """What is known of a runtime.

    Attributes:
        lacks: operators that it has not, or computes wrongly.
        contrib: it has onnxruntime's own operators.
        choose: which forms suit it.
        last: what it needs of the graph as it will be written.
    """

    lacks: frozenset[str] = frozenset()
    contrib: bool = False
    choose: Choose = _default
    last: Sequence[Pass] = ()

    def supports(self, node: Node) -> bool:
        """Tell whether a node may be written as it is."""
        foreign = is_registered(node) if self.contrib else is_contrib(node)
        return node.operator not in self.lacks and not foreign


_grouped = partial(conv_transpose, when=in_groups)
_single = partial(conv_transpose, when=of_single_channels)

_LOSSES = frozenset({"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"})

RUNTIMES = {
    "onnxruntime": Runtime(contrib=True, choose=_cheapest),
    "onnxruntime-node": Runtime(contrib=True, choose=_cheapest),
    "onnxruntime-web": Runtime(choose=_cheapest),
    "openvino": Runtime(
        frozenset({"LpNormalization"}),
        choose=_light,
        last=(
            respell(
                MaxPool=max_pool_by_taps, Dropout=dropout_of_nothing, BitShift=shifted, Div=divided
            ),
            keep_weights_apart,
        ),
    ),
    "tract": Runtime(_LOSSES, last=(respell(Softplus=softplus, ConvTranspose=_single),)),
    "tvm": Runtime(_LOSSES | {"LayerNormalization"}),
    "opencv": Runtime(
        last=(respell(ConvTranspose=_grouped, Softplus=softplus, MaxPool=max_pool_of_one_image),)
    ),
    "iree": Runtime(last=(respell(ConvTranspose=conv_transpose, MaxPool=max_pool_by_plane),)),
    "mnn": Runtime(_LOSSES),
    "tinygrad": Runtime(_LOSSES, last=(respell(MaxPool=max_pool_by_plane),)),
    "reference": Runtime(last=(respell(ConvTranspose=_grouped, MaxPool=max_pool_dilated),)),
    "tensorrt": Runtime(_LOSSES),
}
"""The runtimes that files can be written for; nobody ran TensorRT here."""


def written_for(graph: Graph, runtime: str, opset: int = EXPORT_OPSET) -> tuple[Graph, Runtime]:
    """Give a copy of a graph in the operators that a runtime has, and the runtime.

    Raises:
        GraphError: the runtime is not known; those that are, are listed.
    """
    found = RUNTIMES.get(runtime) if isinstance(runtime, str) else None
    if found is None:
        raise GraphError(
            f"there is no runtime {runtime!r}; files are written for {', '.join(RUNTIMES)}"
        )
    choose = found.choose

    def choose_forms(part: Graph) -> bool:
        return expand_chosen(part, lambda node: choose(node, opset))

    prepared = prepare_for(graph, frozenset(), found.supports, [choose_forms])
    run_passes(prepared, *found.last)
    return prepared, found
