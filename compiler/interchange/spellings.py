"""Calls that some reader of models misunderstands, said so that every reader understands them.

What is said so is said at any opset and means the same; it is left as it is where no shape tells.
"""

from collections.abc import Callable

from ..emission.ops import Ops
from ..graph.ir import Node
from ..graph.types import is_static
from ..inference.window_shapes import transposed_shape
from ..standard.einsum import explicit_terms
from ..standard.schemas import attribute
from .downgrades import Downgrade, pad

SPELLINGS: dict[str, Downgrade] = {"Pad": pad}
"""For each operator its spelling. Of Pad, onnxruntime 1.32 moves a Transpose past one of some axes
as if it were one of all axes, and then fails."""


def spelling(op_type: str) -> Callable[[Downgrade], Downgrade]:
    """Register how an operator is said."""

    def register(function: Downgrade) -> Downgrade:
        SPELLINGS[op_type] = function
        return function

    return register


@spelling("STFT")
def one_sided(op: Ops, node: Node) -> bool:
    """Write its default, which ONNX's inference takes for another."""
    node.attributes.setdefault("onesided", 1)
    return True


@spelling("MeanVarianceNormalization")
def over_all_but_channels(op: Ops, node: Node) -> bool:
    """Write its default, which ONNX's checker misses in the body."""
    node.attributes.setdefault("axes", [0, 2, 3])
    return True


@spelling("Einsum")
def without_stretching(op: Ops, node: Node) -> bool:
    """Leave out axes of size 1 whose index is longer elsewhere: ONNX's inference takes the first.

    So "i,ij->ij" with one i in the first operand becomes ",ij->ij".
    """
    operands = [v for v in node.inputs if v is not None]
    if any(v.shape is None for v in operands):
        return False
    ranks = [len(v.shape or ()) for v in operands]
    terms, output, _ = explicit_terms(node.attributes["equation"], ranks)
    shapes = [v.shape or () for v in operands]
    pairs = zip("".join(terms), (d for s in shapes for d in s), strict=True)
    longer = {index for index, dim in pairs if dim != 1}
    values = []
    for k, (x, term, shape) in enumerate(zip(operands, terms, shapes, strict=True)):
        single = [a for a, index in enumerate(term) if shape[a] == 1 and index in longer]
        values.append(op.Squeeze(x, single) if single else x)
        terms[k] = "".join(index for a, index in enumerate(term) if a not in single)
    if values != operands:
        node.inputs, node.attributes["equation"] = tuple(values), f"{','.join(terms)}->{output}"
    return values != operands


@spelling("Resize")
def listed_length(op: Ops, node: Node) -> bool:
    """Tell how many sizes or scales there are: ONNX's inference takes an unknown number for 0."""
    x = node.inputs[0]
    if x is None or x.rank is None:
        return False
    count = len(node.attributes.get("axes") or range(x.rank))
    told = [
        v if v is None or v is x or is_static(v.shape) else op.Reshape(v, [k])
        for v, k in zip(node.inputs, [0, 2 * count, count, count], strict=False)
    ]
    changed = told != list(node.inputs)
    node.inputs = tuple(told)
    return changed


@spelling("ConvTranspose")
def explicit_pads(op: Ops, node: Node) -> bool:
    """Write the padding: ONNX's inference knows other sizes by output_shape, and by SAME."""
    mode = attribute(node, "auto_pad")
    if "output_shape" not in node.attributes and not mode.startswith("SAME"):
        return False
    placement = {"auto_pad", "output_shape", "pads"}
    free = {k: a for k, a in node.attributes.items() if k not in placement}
    unpadded = (transposed_shape(Node(node.op_type, node.inputs, (), free)) or ("?",) * 3)[2:]
    wanted = (transposed_shape(node) or ("?",) * 3)[2:]
    if not is_static(unpadded) or not is_static(wanted):
        return False
    totals = [a - b for a, b in zip(unpadded, wanted, strict=True)]
    if min(totals, default=0) < 0:
        return False
    begins = [t // 2 if mode == "SAME_UPPER" else t - t // 2 for t in totals]
    ends = [t - b for t, b in zip(totals, begins, strict=True)]
    node.attributes = {**free, "pads": [*begins, *ends]}
    return True
