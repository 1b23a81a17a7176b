"""Which form of a composite costs least where it runs; what costs what is in form_costs.py."""

from ..emission.masking import MANY
from ..graph.dims import typical_size
from ..graph.ir import Node
from ..opset import COMPOSITE_DOMAIN, OPSET
from .convolution_weight import MANY_TAPS
from .form_costs import COSTS, ONNXRUNTIME, Convolution, Machine, convolution_of
from .registry import FORMS, RUN_ONLY

MOST_HELD = 2**28
"""Bytes that a form may hold if another holds less."""

_MANY_CHANNELS = 16
"""Fewer make a tap's matrix product too thin."""

_POSITIONS_A_CHANNEL = 4
"""Fewer positions of all images for each channel are few for OpenVINO's taps."""

_STEPS_SINCE = 10
"""The first opset whose Slice has steps, which other forms than the default may need."""

_COL2IM_SINCE = 18
"""The first opset with what the form "columns" is made of."""

_OTHER_VALUES = {("ReluGrad", "product")}
"""Forms that differ from the others somewhere: nothing chooses them by itself."""

_BRANCHING = {("ReluGrad", "guarded")}
"""Forms whose batch is a loop."""


def choose_form(node: Node, machine: Machine = ONNXRUNTIME, opset: int = OPSET) -> str | None:
    """Name the form that costs least for a node; None where nothing is known of it."""
    if node.domain == COMPOSITE_DOMAIN and node.op_type == "ReluGrad":
        dy = node.first_input
        many = dy.shape is not None and typical_size(dy.shape) >= MANY
        return "guarded" if many and dy.dtype.itemsize >= 4 else None
    return choose_straight_form(node, machine, opset)


def choose_straight_form(
    node: Node, machine: Machine = ONNXRUNTIME, opset: int = OPSET
) -> str | None:
    """Name the form without branches that costs least: a batch of a branch is a loop."""
    if node.domain != COMPOSITE_DOMAIN or node.op_type not in COSTS or opset < _STEPS_SINCE:
        return None
    sizes = convolution_of(node)
    if sizes is None or next(node.reads()).dtype != "float32":
        return None
    costs = {f: COSTS[node.op_type][f](sizes) for f in _possible(node, sizes, opset)}
    least = max(MOST_HELD, min(c.held for c in costs.values()))
    return min(
        (f for f, c in costs.items() if c.held <= least), key=lambda f: machine.seconds(costs[f])
    )


def choose_light_form(node: Node) -> str | None:
    """Name the form for OpenVINO: taps for weights, unless few positions meet many channels.

    Its Slices, and products of thin matrices, would cost more than its convolutions there.
    """
    if node.domain != COMPOSITE_DOMAIN or node.op_type != "ConvWeightGrad":
        return None
    sizes = convolution_of(node)
    if sizes is None or not 1 < sizes.taps <= MANY_TAPS or sizes.channels < _MANY_CHANNELS:
        return None
    apart = max(*node.attributes["strides"], *node.attributes["dilations"]) > 1
    many = sizes.batch * sizes.positions >= _POSITIONS_A_CHANNEL * sizes.channels
    return "taps" if apart or many else None


def equal_forms(node: Node, lasting: bool = False, opset: int = OPSET) -> list[str]:
    """List the forms of a composite that give the same values; none where it is no composite.

    Args:
        node: any node.
        lasting: only those that may be differentiated again and batched.
        opset: only those that this opset has the operators for.
    """
    if node.domain != COMPOSITE_DOMAIN or opset < _STEPS_SINCE:
        return []
    left_out = set(_OTHER_VALUES)
    if opset < _COL2IM_SINCE:
        left_out.add(("ConvInputGrad", "columns"))
    if lasting:
        left_out |= {*_BRANCHING, *RUN_ONLY.items()}
    sizes = convolution_of(node) if node.op_type in COSTS else None
    if sizes is not None and sizes.taps > MANY_TAPS:
        left_out |= {(node.op_type, "taps"), (node.op_type, "rows")}
    return [form for form in FORMS.get(node.op_type, ()) if (node.op_type, form) not in left_out]


def _possible(node: Node, sizes: Convolution, opset: int) -> list[str]:
    """List the forms that do what their costs count."""
    axes = len(node.attributes["strides"])
    if node.op_type == "ConvWeightGrad":
        return ["unfold", "taps", "rows"] if sizes.taps <= MANY_TAPS else ["unfold"]
    forms = ["transposed"]
    if axes == 2 and sizes.group == 1 and sizes.taps > 1 and opset >= _COL2IM_SINCE:
        forms.append("columns")
    if max(*node.attributes["strides"], *node.attributes["dilations"], 1) == 1:
        forms.append("stuffed")  # onnxruntime is slow at dilated ones
    return forms
