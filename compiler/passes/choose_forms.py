"""Give each gradient of a convolution the form that is fastest in onnxruntime for its shape.

The thresholds were read off the table that tests/benchmarks/convolution_forms.py prints. Where
sizes are symbolic, channels grouped or numbers not float32 the default forms run.
"""

from math import prod

from ..composites.expand import expand_node
from ..graph.ir import Graph, Node
from ..graph.subgraphs import run_on_subgraphs
from ..inference.shapes import elements_of
from ..opset import COMPOSITE_DOMAIN

_COLUMNS = 2**25
"""Most elements of a matrix of columns; a larger one costs more memory than its speed is worth."""


def choose_forms(graph: Graph) -> bool:
    """Expand the gradients of convolutions whose form is chosen, in subgraphs too.

    ConvInputGrad:   dX = transposed(…) → columns(…)
    ConvWeightGrad:  dW = unfold(…) → taps(…), columns(…) or rows(…)
    """
    changed = run_on_subgraphs(choose_forms, graph)
    for node in graph.nodes():
        if (form := choose_form(node)) is not None:
            expand_node(graph, node, form)
            changed = True
    return changed


def choose_form(node: Node) -> str | None:
    """Name the form that is fastest for a node; None where the default is, or nothing is known."""
    if node.domain != COMPOSITE_DOMAIN or node.attributes.get("group") != 1:
        return None
    if next(node.reads()).dtype != "float32":
        return None
    if node.op_type == "ConvInputGrad":
        return _by_input(node)
    return _by_weight(node) if node.op_type == "ConvWeightGrad" else None


def _by_input(node: Node) -> str | None:
    dy, w, _ = node.required(3)
    outputs, kernel = _numbers(dy.shape), _numbers(w.shape)
    if outputs is None or kernel is None or len(outputs) != 4:
        return None
    size = outputs[0] * prod(outputs[2:]) * prod(kernel[1:])
    return "columns" if prod(kernel[2:]) > 1 and size <= _COLUMNS else None


def _by_weight(node: Node) -> str | None:
    """Weigh what each form moves besides the product itself.

    Unfolding multiplies image by image and adds up one weight per image: good for one image, or
    while each has many more positions than the weight has maps. Else one product over all images
    is best, with channels last where a stride would break up the innermost axis.
    """
    dy, _, w_shape = node.required(3)
    outputs, kernel = _numbers(dy.shape), _numbers(elements_of(w_shape))
    if outputs is None or kernel is None:
        return None
    batch, maps, *sizes = outputs
    positions, strided = prod(sizes), max(node.attributes["strides"]) > 1
    large = batch * positions * prod(kernel[1:]) > _COLUMNS
    if large or batch == 1 or positions >= (maps if strided else 3 * maps):
        return None
    return "columns" if strided else "rows"


def _numbers(shape: tuple[int | str, ...] | None) -> list[int] | None:
    known = [d for d in shape or () if isinstance(d, int)]
    return known if shape and len(known) == len(shape) else None
