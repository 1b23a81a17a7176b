"""Convolutions over blocks of channels: onnxruntime's fastest, which it keeps for fixed weights.

Its optimizer lays channels out in blocks where a convolution's weight is a constant. The weight of
a training step is fed, so what the optimizer would write is written here, and the weight is brought
into blocks at run time. It is for graphs that only run: a block is as wide as this processor's
registers.
"""

from functools import cache
from math import prod

import numpy as np
from onnx import TensorProto, helper

from ..compiler.composites.convolution import stuffed_convolution
from ..compiler.emission.ops import Ops
from ..compiler.emission.replacing import put_in_place
from ..compiler.graph.dims import typical_size
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.subgraphs import run_on_subgraphs
from ..compiler.graph.types import is_static
from ..compiler.standard.contrib import BLOCKED_DOMAIN
from .onnxruntime_providers import Settings
from .onnxruntime_sessions import open_session

_LEAST_SHARE = 6
"""How many elements of images there must be for each of the weight, whose new order costs as much
as a direct kernel saves where there are fewer."""

_WIDEST = 16
"""Channels of the widest block that onnxruntime has."""


def block_channels(graph: Graph) -> bool:
    """Let convolutions with weights that are computed or fed run over blocks, in subgraphs too.

    Conv(x, w, b) → ReorderOutput(Conv(ReorderInput(x), blocks(w), b)).
    ConvTranspose(x, w) of stride 1 with dilation → the same, of w turned around.
    """
    width = block_width()
    return width > 0 and _block(graph, width)


def _block(graph: Graph, width: int) -> bool:
    changed = run_on_subgraphs(lambda body: _block(body, width), graph)
    blocked: dict[Value, Value] = {}
    pending = graph.nodes()[::-1]
    while pending:
        node = pending.pop()
        op = Ops(graph, node.position, f"{node.title}/")
        if node.op_type == "Conv" and _gains(graph, node, width, maps=0):
            put_in_place(op, node, [_over_blocks(op, node, width, blocked)])
        elif _is_dilated_transpose(node) and _gains(graph, node, width, maps=1):
            put_in_place(op, node, [_as_convolution(op, node)])
            pending += op.emitted[::-1]
        else:
            continue
        changed = True
    return changed


def _gains(graph: Graph, node: Node, width: int, maps: int) -> bool:
    """Tell whether a call fits blocks and has enough of images; axis `maps` of W is what comes out.

    onnxruntime itself does it where the weight is a constant.
    """
    x, w = node.required(2)
    y = node.output()
    is_fixed = w.constant is not None and w not in graph.inputs
    if node.domain or x.dtype != np.float32 or is_fixed or node.attributes.get("group", 1) != 1:
        return False
    if x.shape is None or y.shape is None or w.shape is None or len(x.shape) != 4:
        return False
    if not (is_static(x.shape[1:]) and is_static(y.shape[1:]) and is_static(w.shape)):
        return False
    kernel = [int(d) for d in w.shape]
    if kernel[maps] % width or kernel[1 - maps] % width or prod(kernel[2:]) == 1:
        return False
    return _LEAST_SHARE * prod(kernel) <= typical_size(x.shape) + typical_size(y.shape)


def _over_blocks(op: Ops, node: Node, width: int, blocked: dict[Value, Value]) -> Value:
    x, w = node.required(2)
    y = node.output()
    if x not in blocked:
        blocked[x] = _emit(op, "ReorderInput", [x], x)
    inputs = [blocked[x], _in_blocks(op, w, width), *node.inputs[2:]]
    blocks = _emit(op, "Conv", inputs, y, **node.attributes)
    assert y.shape is not None
    plain = _emit(op, "ReorderOutput", [blocks], y, channels=int(y.shape[1]))
    blocked[y] = blocks
    return plain


def _in_blocks(op: Ops, w: Value, width: int) -> Value:
    """(maps, channels, *kernel) in the order (maps / b, channels / b, *kernel, b, b)"""
    maps, channels, *kernel = (int(d) for d in w.shape or ())
    split = op.Reshape(w, [maps // width, width, channels // width, width, *kernel])
    return op.Reshape(op.Transpose(split, perm=[0, 2, 4, 5, 3, 1]), [maps, channels, *kernel])


def _is_dilated_transpose(node: Node) -> bool:
    """Tell whether a transposed convolution is one that is slow: dilated, of stride 1."""
    if node.op_type != "ConvTranspose" or not set(node.attributes) <= {
        "dilations", "group", "kernel_shape", "pads", "strides",
    }:  # fmt: skip
        return False
    strides = node.attributes.get("strides", [1, 1])
    return max(strides) == 1 < max(node.attributes.get("dilations", [1, 1]))


def _as_convolution(op: Ops, node: Node) -> Value:
    x, w, b = (*node.inputs, None)[:3]
    assert x is not None and w is not None
    dilations, pads = node.attributes["dilations"], node.attributes.get("pads", [0] * 4)
    sizes = op.constant([int(d) for d in (node.output().shape or ())[2:]])
    y: Value = stuffed_convolution(op, x, w, sizes, [1, 1], dilations, pads, 1)
    return y if b is None else op.Add(y, op.Reshape(b, [1, -1, 1, 1]))


def _emit(
    op: Ops, op_type: str, inputs: list[Value | None], like: Value, **attributes: int
) -> Value:
    """Add an operator over blocks; what it gives counts as many elements as `like`."""
    output = Value(op.graph.names.fresh(f"{op.prefix}{op_type}"), like.type)
    node = Node(op_type, tuple(inputs), (output,), attributes, BLOCKED_DOMAIN, "", op.position)
    op.adopt(node)
    return output


@cache
def block_width() -> int:
    """Give how many channels a block has on this processor; 0 where onnxruntime has no blocks.

    It is read off what a reordered tensor looks like: onnxruntime does not tell.
    """
    sizes = [1, _WIDEST, 1, 2]
    value = helper.make_tensor_value_info
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain=BLOCKED_DOMAIN)
    x, y = (value(name, TensorProto.FLOAT, sizes) for name in "xy")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(BLOCKED_DOMAIN, 1)]
    model = helper.make_model(
        helper.make_graph([node], "reordered", [x], [y]), opset_imports=opsets, ir_version=9
    )
    given = np.arange(2 * _WIDEST, dtype=np.float32).reshape(sizes)
    try:
        session = open_session(model, {}, Settings(options={"intra_op_num_threads": 1}))
        (found,) = session.run(None, {"x": given})
    except Exception:  # onnxruntime's errors have no base of their own
        return 0
    places = np.ravel(np.asarray(found))
    second = int(np.argmax(places == 1))  # where the second element of the first channel stands
    return second if second > 1 else 0
