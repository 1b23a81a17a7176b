"""Give each gradient of a convolution, and of Relu, the form that costs least for its shape.

What costs what is in form_costs.py. Where the kernel's size is symbolic the default forms run; a
symbolic batch or image counts as a middling one.
"""

from functools import partial

from ..composites.expand import expand_node
from ..emission.masking import MANY
from ..graph.dims import typical_size
from ..graph.ir import Graph, Node
from ..graph.subgraphs import run_on_subgraphs
from ..opset import COMPOSITE_DOMAIN
from .form_costs import COSTS, ONNXRUNTIME, Convolution, Machine, convolution_of
from .pipeline import Pass

_MOST_HELD = 2**28
"""Bytes that a form may hold if another holds less."""

_MANY_CHANNELS = 16
"""Fewer make a tap's matrix product too thin."""

_MOST_TAPS = 64
"""A kernel with more elements is not written out tap by tap."""


def choose_forms(graph: Graph, machine: Machine = ONNXRUNTIME) -> bool:
    """Expand gradients whose form is chosen, in subgraphs too.

    ConvInputGrad:   dX = transposed(…) → columns(…) or stuffed(…)
    ConvWeightGrad:  dW = unfold(…) → taps(…) or rows(…)
    ReluGrad:        dx = default(…) → guarded(…) where there is much of it
    """
    into: Pass = partial(choose_forms, machine=machine)
    changed = run_on_subgraphs(into, graph)
    for node in graph.nodes():
        if (form := choose_form(node, machine)) is not None:
            expand_node(graph, node, form)
            changed = True
    return changed


def choose_light_forms(graph: Graph) -> bool:
    """Expand weight gradients as taps where windows lie apart or weigh much: OpenVINO's choice.

    Elsewhere the default forms are faster there: it brings each convolution into its own layout.
    """
    changed = run_on_subgraphs(choose_light_forms, graph)
    for node in graph.nodes():
        if node.domain != COMPOSITE_DOMAIN or node.op_type != "ConvWeightGrad":
            continue
        sizes = convolution_of(node)
        if sizes is None or not 1 < sizes.taps <= _MOST_TAPS or sizes.channels < _MANY_CHANNELS:
            continue
        apart = max(*node.attributes["strides"], *node.attributes["dilations"]) > 1
        if apart or sizes.windows > _MOST_HELD:
            expand_node(graph, node, "taps")
            changed = True
    return changed


def choose_form(node: Node, machine: Machine = ONNXRUNTIME) -> str | None:
    """Name the form that costs least for a node; None where nothing is known of it."""
    if node.domain != COMPOSITE_DOMAIN:
        return None
    if node.op_type == "ReluGrad":
        dy = node.first_input
        many = dy.shape is not None and typical_size(dy.shape) >= MANY
        return "guarded" if many and dy.dtype.itemsize >= 4 else None
    if node.op_type not in COSTS:
        return None
    sizes = convolution_of(node)
    if sizes is None or next(node.reads()).dtype != "float32":
        return None
    costs = {f: COSTS[node.op_type][f](sizes) for f in _possible(node, sizes)}
    least = max(_MOST_HELD, min(c.held for c in costs.values()))
    return min(
        (f for f, c in costs.items() if c.held <= least), key=lambda f: machine.seconds(costs[f])
    )


def _possible(node: Node, sizes: Convolution) -> list[str]:
    """List the forms that do what their costs count."""
    axes = len(node.attributes["strides"])
    if node.op_type == "ConvWeightGrad":
        return ["unfold", "taps", "rows"] if sizes.taps <= _MOST_TAPS else ["unfold"]
    forms = ["transposed"]
    if axes == 2 and sizes.group == 1 and sizes.taps > 1:
        forms.append("columns")
    if max(*node.attributes["strides"], *node.attributes["dilations"], 1) == 1:
        forms.append("stuffed")  # onnxruntime is slow at dilated ones
    return forms
