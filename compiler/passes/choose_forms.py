"""Give each gradient of a convolution, and of Relu, the form that costs least for its shape.

What costs what is in composites/form_costs.py. Where the kernel's size is symbolic the default
forms run; a symbolic batch or image counts as a middling one.
"""

from collections.abc import Callable
from functools import partial

from ..composites.expand import expand_node
from ..composites.form_choice import choose_form, choose_light_form
from ..graph.ir import Graph, Node
from ..graph.subgraphs import run_on_subgraphs


def choose_forms(graph: Graph) -> bool:
    """Expand gradients whose form is chosen for onnxruntime, in subgraphs too.

    ConvInputGrad:   dX = transposed(…) → columns(…) or stuffed(…)
    ConvWeightGrad:  dW = unfold(…) → taps(…) or rows(…)
    ReluGrad:        dx = default(…) → guarded(…) where there is much of it
    """
    return expand_chosen(graph, choose_form)


def choose_light_forms(graph: Graph) -> bool:
    """Expand weight gradients as taps where that suits OpenVINO."""
    return expand_chosen(graph, choose_light_form)


def expand_chosen(graph: Graph, choose: Callable[[Node], str | None]) -> bool:
    """Expand each node in the form that is chosen for it, in subgraphs too; None: it stays."""
    changed = run_on_subgraphs(partial(expand_chosen, choose=choose), graph)
    for node in graph.nodes():
        if (form := choose(node)) is not None:
            expand_node(graph, node, form)
            changed = True
    return changed
