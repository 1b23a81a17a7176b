"""Where OpenVINO 2026.4 gives another result than the standard, by all samples on both backends."""

from collections.abc import Callable

import numpy as np

from ..compiler.emission.ops import Ops
from ..compiler.emission.replacing import put_in_place
from ..compiler.graph.ir import Graph, Node
from ..compiler.graph.subgraphs import run_within
from ..compiler.graph.types import TensorType, is_static
from ..compiler.passes.widen import run_wider
from ..compiler.standard.schemas import attribute


def is_refused(node: Node) -> bool:
    """Tell whether a node gives seven axes whose sizes run time tells, or moves nothing.

    Some of these came out wrong; of an Expand to nothing the process ended. Nor may it be ScatterND
    whose indices have no known width, so that nothing can look at them.
    """
    if node.operator == "ScatterND" and not is_static((node.required(2)[1].shape or ("any",))[-1:]):
        return True
    tensors = [v for v in node.writes() if v.constant is None and isinstance(v.type, TensorType)]
    moved = tensors if node.operator in ("Expand", "Gather") else []
    if any(v.dtype.kind == "f" and 0 in (v.shape or ()) for v in moved):
        return True
    return any(v.rank is not None and v.rank >= 7 and not is_static(v.shape) for v in tensors)


def is_distrusted(node: Node) -> bool:
    """Tell whether a node must not reach OpenVINO as it is."""
    rule = _HAZARDS.get(node.op_type) if not node.domain else None
    return rule is not None and rule(node)


def keep_infinity(graph: Graph) -> None:
    """Let the largest of nothing but −∞ be −∞, in place: OpenVINO gives the least finite number."""
    for node in graph.nodes():
        run_within(keep_infinity, graph, node)
        extremes = {"ReduceMax": -np.inf, "ReduceMin": np.inf}
        if node.operator not in extremes:
            continue
        x, y = node.first_input, node.output()
        if y.constant is not None or x.dtype != np.float32:
            continue
        op = Ops(graph, node.position, f"{node.title}/")
        found = op.emit(node.op_type, *node.inputs, **node.attributes)
        beyond = op.Greater(op.Abs(found), float(np.nextafter(_LARGEST, np.float32(0))))
        put_in_place(op, node, [op.Where(beyond, op.Mul(op.Sign(found), np.inf), found)])


_LARGEST = np.finfo(np.float32).max


def let_bytes_wrap(graph: Graph) -> None:
    """Compute with bytes in int32, in place: OpenVINO's saturate, and its quotients are rounded."""
    for node in graph.nodes():
        run_within(let_bytes_wrap, graph, node)
        known = all(v.constant is not None for v in node.writes())
        if node.operator in _ON_BYTES and not known and node.first_input.dtype in _BYTES:
            run_wider(graph, node, node.first_input.dtype, np.dtype(np.int32))


_ON_BYTES = frozenset({"Abs", "Add", "Div", "Mul", "Neg", "Sub"})
_BYTES = (np.dtype(np.int8), np.dtype(np.uint8))


def _always(node: Node) -> bool:
    return True


def _has_no_axes(node: Node) -> bool:
    """Where no axes may mean none, ONNX asks for |x| and the like element by element."""
    return bool(node.attributes.get("noop_with_empty_axes", 0))


def _rounds_up(node: Node) -> bool:
    return bool(node.attributes.get("ceil_mode", 0))


def _has_other_indices(node: Node) -> bool:
    """With indices it pads at the other end, too, where only run time knows sizes."""
    x, indices = node.first_input, node.outputs[1:]
    pads = bool(indices) and node.attributes.get("auto_pad") == "SAME_LOWER"
    ordered = bool(node.attributes.get("storage_order", 0))
    return _rounds_up(node) or ordered or pads and not is_static(x.shape)


def _normalizes_otherwise(node: Node) -> bool:
    """It takes an odd number of channels, and of the bias the whole part."""
    return node.attributes["size"] % 2 == 0 or attribute(node, "bias") % 1 != 0


def _fills_with_what_is_fed(node: Node) -> bool:
    """It fills with 0 then."""
    fill = node.inputs[2] if len(node.inputs) > 2 else None
    return fill is not None and fill.constant is None


def _resizes_otherwise(node: Node) -> bool:
    """Its corners, and what it leaves out or smooths, are its own; it keeps no aspect ratio."""
    mode = node.attributes.get("coordinate_transformation_mode", "half_pixel")
    extra = ("antialias", "exclude_outside")
    other = mode == "align_corners" or any(node.attributes.get(name, 0) for name in extra)
    return other or node.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch"


def _peeps(node: Node) -> bool:
    """It leaves peepholes out, and lets the forget gate be."""
    return node.input(7) is not None or bool(node.attributes.get("input_forget", 0))


def _multiplies_a_vector(node: Node) -> bool:
    """It keeps an axis for the row."""
    return node.first_input.rank in (None, 1)


def _keeps_all_apart(node: Node) -> bool:
    """Without a threshold it keeps no box beside another."""
    return node.input(3) is None


def _scales_each_map(node: Node) -> bool:
    """It lays the maps' scales along another axis."""
    scale = node.required(5)[4]
    return scale.shape is None or any(d != 1 for d in scale.shape)


def _takes_the_largest(node: Node) -> bool:
    """It takes that of samples, not of the weighted pixels that they are the sums of."""
    return node.attributes.get("mode") == "max"


_HAZARDS: dict[str, Callable[[Node], bool]] = {
    "Unique": _always,
    "DFT": _always,  # it ends the process, too
    "STFT": _always,
    "MaxRoiPool": _always,
    "MaxPool": _has_other_indices,
    "AveragePool": _rounds_up,
    "LpPool": _rounds_up,
    "LRN": _normalizes_otherwise,
    "LSTM": _peeps,
    "LpNormalization": _always,  # it adds 1.2e-7 to what it divides by
    "MatMulInteger": _multiplies_a_vector,
    "NonMaxSuppression": _keeps_all_apart,
    "Pad": _fills_with_what_is_fed,
    "QLinearConv": _scales_each_map,
    "Resize": _resizes_otherwise,
    "RoiAlign": _takes_the_largest,
    "RotaryEmbedding": _always,
    **{
        f"Reduce{kind}": _has_no_axes
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "SumSquare", "Sum", "Mean", "Max", "Min")
    },
}
