"""Which nodes are linear layers with held weights, float or quantized; it changes none."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_texts
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.names import suggestion
from onnxgrad.compiler.graph.types import is_float
from onnxgrad.compiler.standard.schemas import attribute

PACKED = "com.microsoft.MatMulNBits"
"""onnxruntime's product by a weight of 2 to 8 bits, (inputs, outputs) by its attributes."""

PRODUCTS = ("Gemm", "MatMul", "MatMulInteger", PACKED)
CONVOLUTIONS = ("Conv", "ConvInteger")

_MOVES = ("Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_QUANTIZERS = ("DequantizeLinear", "QuantizeLinear")


@dataclass(frozen=True, slots=True)
class Layer:
    """A node that multiplies what it reads by a weight that the model holds.

    `path` leads from the weight to the node; `x` is the float input, also where the node reads it
    quantized, and `last` the node that gives the float result, its bias added.
    """

    node: Node
    x: Value
    weight: Value
    path: tuple[Node, ...]
    last: Node

    @property
    def quantized(self) -> bool:
        """Whether the node multiplies by something rounded."""
        rounded = any(n.op_type in _QUANTIZERS for n in self.path)
        return rounded or not is_float(self.weight.dtype)

    @property
    def is_convolution(self) -> bool:
        """Whether the weight is a kernel that moves over the input."""
        return self.node.op_type in CONVOLUTIONS

    @property
    def output_first(self) -> bool:
        """Whether the weight, as the node reads it, has the outputs' axis first."""
        return self.is_convolution or bool(
            self.node.op_type == "Gemm" and attribute(self.node, "transB")
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The weight's sizes as the node reads it."""
        if self.node.operator == PACKED:
            return self.node.attributes["K"], self.node.attributes["N"]
        return tuple(d for d in self.node.required(2)[1].shape or () if isinstance(d, int))


def layers_of(graph: Graph) -> list[Layer]:
    """List the layers of a graph, in its order; those inside branches and bodies are left out."""
    found = [_layer(graph, node) for node in graph.nodes()]
    return [layer for layer in found if layer is not None]


def find_layers(graph: Graph, chosen: str | list[str]) -> list[Layer]:
    """Find layers by patterns for the names of their weights, nodes or modules."""
    layers = layers_of(graph)
    known = [name for layer in layers for name in _names(layer)]
    found: dict[int, Layer] = {}
    for pattern in require_texts(chosen, "layers"):
        hits = {
            k: layer
            for k, layer in enumerate(layers)
            if any(fnmatchcase(name, pattern) or name == pattern for name in _names(layer))
        }
        if not hits:
            raise GraphError(
                f"no MatMul, Gemm or Conv (without groups) has a weight or a name that matches "
                f"'{pattern}'{suggestion(pattern, known)}"
            )
        found |= hits
    if not found:
        raise GraphError("name at least one layer, by its weight or node, or by a pattern")
    return [found[k] for k in sorted(found)]


def _names(layer: Layer) -> list[str]:
    module = layer.node.module
    return [name for name in (layer.weight.name, layer.node.name, module) if name]


def _layer(graph: Graph, node: Node) -> Layer | None:
    if node.operator not in PRODUCTS + CONVOLUTIONS or len(node.inputs) < 2:
        return None
    source = _source(graph, node.required(2)[1])
    x = _float_input(graph, node)
    last = _last(graph, node)
    if source is None or x is None or last is None or not _is_plain(node):
        return None
    layer = Layer(node, x, *source, last)
    ranks = range(3, 6) if layer.is_convolution else (2,)
    return layer if len(layer.shape) in ranks else None


def _is_plain(node: Node) -> bool:
    """Tell whether a node is a product of x as it comes, by one weight for all channels."""
    if node.op_type == "Gemm":
        return not attribute(node, "transA") and attribute(node, "alpha") != 0
    return node.op_type not in CONVOLUTIONS or attribute(node, "group") == 1


def _source(graph: Graph, value: Value) -> tuple[Value, tuple[Node, ...]] | None:
    """Give the held tensor that a weight is made of, and the nodes that make it."""
    path: list[Node] = []
    while True:
        node = graph.producer(value)
        if node is None:
            return None if value.constant is None else (value, tuple(reversed(path)))
        if node.domain or node.op_type not in _MOVES + _QUANTIZERS:
            return None
        path.append(node)
        value = node.first_input


def _float_input(graph: Graph, node: Node) -> Value | None:
    x = node.first_input
    if is_float(x.dtype):
        return x
    maker = graph.producer(x)
    if maker is None or maker.op_type not in ("DynamicQuantizeLinear", "QuantizeLinear"):
        return None
    return maker.first_input


def _last(graph: Graph, node: Node) -> Node | None:
    """Follow a product past what makes integers floats again and the bias that is added."""
    last = node
    if not is_float(node.output().dtype):
        for op_type in ("Cast", "Mul"):
            reader = _only_reader(graph, last)
            if reader is None or reader.op_type != op_type:
                return None
            last = reader
    reader = _only_reader(graph, last)
    if node.op_type in ("Gemm", "Conv") or reader is None or reader.operator != "Add":
        return last
    others = [v for v in reader.required(2) if v is not last.output()]
    return reader if len(others) == 1 and others[0].constant is not None else last


def _only_reader(graph: Graph, node: Node) -> Node | None:
    """Give the one node that reads another's result, which nobody else sees."""
    y = node.output()
    readers = graph.consumers(y)
    return readers[0] if len(readers) == 1 and y not in graph.outputs else None


def back_through(layer: Layer, array: np.ndarray) -> np.ndarray:
    """Bring an array of the shape that the node reads to that of the weight it comes from."""
    for node in reversed(layer.path):
        if node.op_type == "Transpose":
            order = attribute(node, "perm") or list(range(array.ndim))[::-1]
            array = array.transpose(np.argsort(order))
        else:
            array = array.reshape(
                tuple(d for d in node.first_input.shape or () if isinstance(d, int))
            )
    return array
