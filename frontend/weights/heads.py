"""Give a model a last layer for other classes, under the old names; it trains nothing."""

from dataclasses import dataclass

import numpy as np

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError, OnnxgradError
from onnxgrad.compiler.graph.arguments import require_count
from onnxgrad.compiler.graph.dead_code import remove_dead_nodes
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.opset import COMPOSITE_DOMAIN
from onnxgrad.compiler.standard.schemas import attribute

from ..selection import copied, select_one


def new_head(graph: Graph, output: str | Value, classes: int, *, seed: int = 0) -> Graph:
    """Give a graph whose last layer gives that many classes, freshly initialized.

    The layer is the last Gemm, MatMul (with the Add that follows it) or Conv on the way to the
    output. What follows it, such as Softmax or a pooling, stays and gives as many classes too.
    Output, weight and bias keep their names.

    Weight and bias are uniform in ±1/√fan_in, which is what torch's Linear and Conv do: Kaiming
    uniform with a = √5 (He et al., 2015; `reset_parameters` in torch.nn).

    Args:
        graph: the model.
        output: what the layer gives in the end, such as "logits".
        classes: how many classes there will be.
        seed: of the numbers drawn.

    Raises:
        GraphError: no such layer gives the output, its weight is computed or quantized, or what
            follows it does not fit so many classes.
    """
    copy, mapping = copied(graph)
    classes = require_count(classes, "classes", least=1)
    seed = require_count(seed, "seed")
    head = _find_head(copy, select_one(graph, mapping, output, "output"))
    fresh = _Fresh(copy, head, classes, np.random.default_rng(seed))
    try:
        fresh.replace()
    except OnnxgradError as error:
        raise GraphError(f"new_head: {classes} classes do not fit what follows: {error}") from error
    remove_dead_nodes(copy)
    for name, value in fresh.named.items():
        old = copy.find(name) if name in copy.names else None
        if old is not None and not copy.consumers(old) and old not in copy.outputs:
            copy.remove(old)
        if name not in copy.names:  # else another layer reads the old one
            copy.rename(value, name)
        copy.names.keep(value.name)
    return copy


_PASSED = frozenset(
    {
        "AveragePool", "Cast", "Clip", "Dropout", "Flatten", "GlobalAveragePool", "GlobalMaxPool",
        "HardSigmoid", "Identity", "LogSoftmax", "MaxPool", "ReduceMax", "ReduceMean", "Relu",
        "Reshape", "Sigmoid", "Softmax", "Softplus", "Squeeze", "Tanh", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
"""What may stand between the last layer and the output."""

_LAYERS = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class _Head:
    """The nodes of the last layer; `added` is the Add that gives MatMul its bias."""

    layer: Node
    added: Node | None
    weight: Value
    bias: Value | None

    @property
    def last(self) -> Node:
        """The node whose output is the layer's."""
        return self.added or self.layer


def _find_head(graph: Graph, output: Value) -> _Head:
    value = output
    while True:
        node = graph.producer(value)
        if node is None:
            raise _no_head(output, f"the way back ends at '{value.name}', which no node computes")
        if not node.domain and node.op_type in _LAYERS:
            return _head(graph, node, None)
        added = _added_bias(graph, node)
        if added is not None:
            return added
        if node.domain or node.op_type not in _PASSED:
            raise _no_head(output, f"the way back ends at {node.label}")
        value = node.first_input


def _no_head(output: Value, why: str) -> GraphError:
    return GraphError(
        f"no Gemm, MatMul or Conv gives '{output.name}' as its last layer: {why}; name the output "
        "that it does give, or build one by og.Builder.extend(graph)"
    )


def _added_bias(graph: Graph, node: Node) -> _Head | None:
    """Give the layer whose product and bias a node adds."""
    if node.operator != "Add":
        return None
    for product, bias in (node.required(2), node.required(2)[::-1]):
        layer = graph.producer(product)
        if layer is not None and layer.operator == "MatMul" and bias.constant is not None:
            return _head(graph, layer, (node, bias))
    return None


def _head(graph: Graph, layer: Node, added: tuple[Node, Value] | None) -> _Head:
    weight = layer.required(2)[1]
    node, bias = added or (None, layer.input(2))
    if weight.constant is None and graph.producer(weight) is not None:
        maker = graph.producer(weight)
        assert maker is not None
        if not (maker.operator == "Transpose" and maker.first_input.constant is not None):
            how = "quantized" if maker.op_type == "DequantizeLinear" else f"by {maker.label}"
            hint = "; call og.dequantize_weights first" if how == "quantized" else ""
            raise GraphError(f"new_head: the weight of {layer.label} is computed, {how}{hint}")
    elif weight.constant is None:
        raise GraphError(f"new_head: the weight of {layer.label} is the input '{weight.name}'")
    if layer.op_type == "Conv" and attribute(layer, "group") != 1:
        raise GraphError(f"new_head: {layer.label} has groups, of which a last layer has none")
    if bias is not None and bias.constant is None:
        raise GraphError(f"new_head: the bias of {layer.label} is computed ('{bias.name}')")
    if added and bias is not None and bias.constant is not None and bias.constant.size == 1:
        raise GraphError(f"new_head: {added[0].label} adds one number, which is not a bias")
    return _Head(layer, node, weight, bias)


class _Fresh:
    """Puts a new layer in the place of an old one and emits what follows it again."""

    def __init__(
        self, graph: Graph, head: _Head, classes: int, random: np.random.Generator
    ) -> None:
        self._graph, self._head, self._classes = graph, head, classes
        self._random = random
        self.named: dict[str, Value] = {}
        """The new initializers, by the names that they will have."""

    def replace(self) -> None:
        """Emit the layer and all that depends on it; drop what was there."""
        graph, head = self._graph, self._head
        after = graph.downstream([head.last.output()])
        stale = [n for n in graph.nodes() if n in after and n is not head.last]
        results = {head.last.output(): self._layer(Ops(graph, head.last.position))}
        for node in stale:
            self._emit_again(node, results)
        for old in [head.last, *stale]:
            for value in old.writes():
                new = results[value]
                graph.outputs = [new if v is value else v for v in graph.outputs]
        for old in [*reversed(stale), head.last]:
            names = [(v.name, results[v]) for v in old.writes()]
            graph.remove(old)
            for name, new in names:
                graph.rename(new, name)

    def _emit_again(self, node: Node, results: dict[Value, Value]) -> None:
        if node.domain == COMPOSITE_DOMAIN or node.subgraphs:
            raise GraphError(f"{node.label} reads what the last layer gives")
        op = Ops(self._graph, node.position)
        names = [f"{v.name}.anew" if v is not None else "" for v in node.outputs]
        inputs = [None if v is None else results.get(v, v) for v in node.inputs]
        if node.op_type == "Reshape":
            inputs[1] = self._sizes(op, node)
        found = op.emit_all(
            node.op_type, *inputs, outputs=names, domain=node.domain, name=node.name,
            **node.attributes,
        )  # fmt: skip
        results.update((v, w) for v, w in zip(node.outputs, found, strict=True) if v and w)

    def _sizes(self, op: Ops, node: Node) -> Value:
        """Give the sizes of a Reshape, with the new number of classes for the old one."""
        sizes = node.required(2)[1]
        old = self._old_classes()
        if sizes.constant is None or old not in sizes.constant or old == self._classes:
            return sizes
        if np.count_nonzero(sizes.constant == old) > 1:
            raise GraphError(f"{node.label} makes sizes {sizes.constant.tolist()}: which is it?")
        return op.constant(np.where(sizes.constant == old, self._classes, sizes.constant))

    def _old_classes(self) -> int:
        weight = self._weight_shape()
        axis = 0 if self._head.layer.op_type == "Conv" or self._transposed() else 1
        return weight[axis]

    def _transposed(self) -> bool:
        return self._head.layer.op_type == "Gemm" and bool(attribute(self._head.layer, "transB"))

    def _weight_shape(self) -> list[int]:
        shape = self._head.weight.shape
        sizes = [d for d in shape or () if isinstance(d, int)]
        if shape is None or len(sizes) != len(shape) or len(sizes) < 2:
            raise GraphError(f"'{self._head.weight.name}' is {self._head.weight.type}")
        return sizes

    def _layer(self, op: Ops) -> Value:
        """Emit the layer as it was, with weight and bias of the new size."""
        head, layer, classes = self._head, self._head.layer, self._classes
        shape = self._weight_shape()
        axis = 0 if layer.op_type == "Conv" or self._transposed() else 1
        fan_in = int(np.prod(shape)) // shape[axis]
        shape[axis] = classes
        maker = self._graph.producer(head.weight)
        if maker is not None:
            stored = self._draw(maker.first_input, shape[::-1], fan_in)
            weight: Value = op.Transpose(stored, **maker.attributes)
        else:
            weight = self._draw(head.weight, shape, fan_in)
        bias = None if head.bias is None else self._draw(head.bias, self._bias_shape(), fan_in)
        names = [f"{head.last.output().name}.anew"]
        if head.added is None:
            inputs = [layer.first_input, weight, bias]
            return op.emit(
                layer.op_type, *inputs, outputs=names, name=layer.name, **layer.attributes
            )
        product = op.emit("MatMul", layer.first_input, weight, name=layer.name)
        return op.emit("Add", product, bias, outputs=names, name=head.added.name)

    def _bias_shape(self) -> list[int]:
        """Give the bias's shape, with the new number of classes for its last size that is not 1."""
        assert self._head.bias is not None and self._head.bias.constant is not None
        shape = list(self._head.bias.constant.shape)
        if not shape or any(d != 1 for d in shape[:-1]):
            raise GraphError(f"the bias '{self._head.bias.name}' is {self._head.bias.type}")
        return [*shape[:-1], self._classes]

    def _draw(self, old: Value, shape: list[int], fan_in: int) -> Value:
        """Add an initializer of uniform numbers in ±1/√fan_in."""
        bound = 1 / np.sqrt(fan_in)
        try:
            array = self._random.uniform(-bound, bound, shape).astype(old.dtype)
        except (MemoryError, ValueError):  # NumPy has a largest size, too
            raise GraphError(
                f"'{old.name}' of shape {tuple(shape)} takes too much memory"
            ) from None
        name = self._graph.names.fresh(f"{old.name}.anew")
        type_ = TensorType(array.dtype, array.shape)
        value = self._graph.add_value(Value(name, type_, array, parameter=True))
        self.named[old.name] = value
        return value
