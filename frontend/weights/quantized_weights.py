"""Integer weights as floats that are rounded on the way, and back; it trains nothing."""

from collections.abc import Iterable, Iterator

import numpy as np

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_graph
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType, is_float, onnx_dtype

from ..editing import keep
from ..running import compile

_SUFFIX = "_quantized"
"""What onnxruntime's quantizer puts after the name of a weight that it made integers of."""

_BIAS = np.dtype(np.int32)

_SHAPES = ("Identity", "Reshape", "Squeeze", "Unsqueeze")
"""What may stand between a held scale and its reader: a file may have [scale] for one number."""


def dequantize_weights(graph: Graph) -> Graph:
    """Give a graph whose integer weights are floats, rounded by QuantizeLinear as it runs.

    Outputs stay bit for bit. The floats are initializers that training may change, after
    `straight_through`; `quantize_weights` makes integers of them again. A weight "w_quantized", as
    onnxruntime's quantizer calls it, becomes "w"; another one "<name>.float". A bias in int32 is a
    plain float then.

    Raises:
        GraphError: no DequantizeLinear reads integers that the graph holds.
    """
    copy = require_graph(graph).copy()
    found = list(_held_integers(copy))
    if not found:
        raise GraphError(
            f"no DequantizeLinear of the graph '{copy.name}' reads integers that it holds; "
            "onnxruntime's quantize_static writes such files, with quant_format=QuantFormat.QDQ"
        )
    outputs = [node.output().name for _, node in found]
    floats = compile(_giving(copy, outputs), "numpy").run({})
    rounded: dict[str, np.ndarray] = {}
    for (integers, node), output in zip(found, outputs, strict=True):
        if integers.dtype == _BIAS:
            _make_float(copy, node, floats[output])
        elif integers.name not in rounded:
            assert integers.constant is not None
            rounded[integers.name] = integers.constant
            _round_on_the_way(copy, integers, node, floats[output])
    again = compile(_giving(copy, list(rounded)), "numpy").run({}) if rounded else {}
    for name, array in rounded.items():
        if not np.array_equal(again[name], array):
            raise GraphError(
                f"'{name}' does not come back by its scale: that is zero or not finite"
            )
    return copy


def quantize_weights(graph: Graph) -> Graph:
    """Give a graph that holds integers where `dequantize_weights` put floats.

    Outputs stay bit for bit, but for biases: those of Conv and Gemm whose input and weight are
    quantized are rounded to int32 in steps of the product of both scales, which is what runtimes
    add up in.

    Raises:
        GraphError: there is no QuantizeLinear of a float that the graph holds.
    """
    copy = require_graph(graph).copy()
    rounded = [n for n in copy.nodes() if n.operator == "QuantizeLinear" and _is_held(copy, n)]
    if not rounded:
        raise GraphError(
            f"no QuantizeLinear of the graph '{copy.name}' reads a float that it holds; "
            "og.dequantize_weights(graph) makes such graphs of quantized ones"
        )
    for node in copy.nodes():
        if node.operator in ("Conv", "Gemm"):
            _round_bias(copy, node)
    names = [n.output().name for n in rounded]
    integers = compile(_giving(copy, names), "numpy").run({})
    for node, name in zip(rounded, names, strict=True):
        old = node.output()
        array = integers[name]
        held = Value(f"{name}.held", TensorType(array.dtype, array.shape), array)
        copy.replace_uses(old, copy.add_value(held))
        copy.remove(node)
        copy.rename(held, name)
        _drop(copy, node.inputs)
    return copy


def _giving(graph: Graph, names: list[str]) -> Graph:
    """Give the graph of some values inside, which need no input."""
    part = keep(graph, list(dict.fromkeys(names)))
    part.metadata.clear()
    return part


def _held_integers(graph: Graph) -> Iterator[tuple[Value, Node]]:
    for node in graph.nodes():
        if node.operator == "DequantizeLinear":
            x = node.first_input
            if x.constant is not None and graph.producer(x) is None and _is_held(graph, node):
                yield x, node


def _is_held(graph: Graph, node: Node) -> bool:
    """Tell whether a node reads nothing but what the graph holds."""
    return all(_source(graph, v) is not None for v in node.inputs if v is not None)


def _source(graph: Graph, value: Value) -> Value | None:
    """Give the held tensor that a value is, of another shape perhaps; None where it is computed."""
    node = graph.producer(value)
    if node is None:
        return None if value.constant is None else value
    return _source(graph, node.first_input) if node.operator in _SHAPES else None


def _make_float(graph: Graph, node: Node, array: np.ndarray) -> None:
    """Hold what a DequantizeLinear gives in its place, under its name."""
    output = node.output()
    held = Value(f"{output.name}.held", TensorType(array.dtype, array.shape), array, parameter=True)
    name = output.name
    graph.replace_uses(output, graph.add_value(held))
    graph.remove(node)
    graph.rename(held, name)
    graph.names.keep(name)
    _drop(graph, node.inputs)


def _drop(graph: Graph, values: Iterable[Value | None]) -> None:
    """Remove held tensors that nothing reads any more, and what brought them into shape."""
    for value in dict.fromkeys(values):
        if value is None or graph.consumers(value) or value in graph.outputs:
            continue
        node = graph.producer(value)
        graph.remove(node or value)
        if node is not None:
            _drop(graph, node.inputs)


def _round_on_the_way(graph: Graph, integers: Value, node: Node, array: np.ndarray) -> None:
    """Let a QuantizeLinear give the integers, from floats that are rounded to just these."""
    name = integers.name
    wish = name.removesuffix(_SUFFIX)
    own = wish if wish != name and wish not in graph.names else graph.names.fresh(f"{name}.float")
    held = Value(own, TensorType(array.dtype, array.shape), array, parameter=True)
    graph.add_value(held)
    graph.names.keep(own)
    attributes = {k: v for k, v in node.attributes.items() if k in ("axis", "block_size")}
    if node.input(2) is None:
        attributes["output_dtype"] = onnx_dtype(integers.dtype)
    op = Ops(graph, node.position)
    y = op.QuantizeLinear(held, *node.inputs[1:], outputs=[f"{name}.rounded"], **attributes)
    graph.replace_uses(integers, y)
    graph.remove(integers)
    graph.rename(y, name)
    graph.names.keep(name)


def _round_bias(graph: Graph, node: Node) -> None:
    """Hold a float bias in int32, in steps of the product of the input's and weight's scales."""
    bias = node.input(2)
    makers = [graph.producer(v) for v in node.required(2)]
    scales = [
        _source(graph, m.required(2)[1])
        for m in makers
        if m is not None and m.operator == "DequantizeLinear"
    ]
    if bias is None or bias.constant is None or not is_float(bias.dtype) or len(scales) != 2:
        return
    if graph.producer(bias) is not None or graph.consumers(bias) != [node]:
        return
    x_scale, w_scale = (None if v is None else v.constant for v in scales)
    if x_scale is None or w_scale is None or x_scale.size != 1:
        return
    scale = (x_scale.reshape(()) * w_scale.squeeze()).astype(np.float32)
    steps = np.round(bias.constant.astype(np.float64) / scale)
    limits = np.iinfo(_BIAS)
    array = np.clip(steps, limits.min, limits.max).astype(_BIAS)
    name = bias.name
    op = Ops(graph, node.position)
    parts = {"": array, "_scale": scale, "_zero_point": np.zeros(scale.shape, _BIAS)}
    held = [
        graph.add_value(
            Value(
                graph.names.fresh(f"{name}{_SUFFIX}{part}"), TensorType(a.dtype, a.shape), a,
                parameter=is_float(a.dtype),
            )
        )
        for part, a in parts.items()
    ]  # fmt: skip
    y = op.DequantizeLinear(*held, outputs=[f"{name}.rounded"], axis=0)
    graph.replace_uses(bias, y)
    graph.remove(bias)
    graph.rename(y, name)
