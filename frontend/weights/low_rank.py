"""Low-rank adapters beside the weights of a model: put there, found again, merged."""

from dataclasses import dataclass

import numpy as np

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.emission.replacing import put_in_place
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_count, require_graph, require_number
from onnxgrad.compiler.graph.dead_code import remove_dead_nodes
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.passes.let_vary import let_vary
from onnxgrad.compiler.standard.schemas import attribute

from .layers import Layer, back_through, find_layers, layers_of

DOWN, UP = ".lora_A", ".lora_B"
"""What the two factors of a weight are called, after its name."""


def lora(
    graph: Graph,
    layers: str | list[str],
    rank: int = 8,
    alpha: float | None = None,
    *,
    seed: int = 0,
) -> Graph:
    """Put a low-rank adapter beside layers: y + (alpha/rank)·x·A·B (Hu et al., 2021).

    A is drawn from a normal distribution of variance 1/inputs, B is zero, so the graph first gives
    what it gave. `train_step` then trains the adapters alone, which are the initializers
    "<weight>.lora_A" and "<weight>.lora_B". A weight that several layers read has one adapter.

    Args:
        graph: the model.
        layers: names of weights, nodes or modules (which torch's exporter notes), or patterns for
            them, "*.q_proj*": of MatMul, Gemm and Conv without groups, also where the weight is
            quantized (DequantizeLinear before it, MatMulInteger, ConvInteger, MatMulNBits); layers
            inside branches and bodies have none.
        rank: of the adapters, the inner size of A·B.
        alpha: their weight; by default the rank, so that the factor is 1.
        seed: of the numbers drawn.

    A: (inputs, rank), B: (rank, outputs); of a Conv (rank, inputs, *kernel) and
    (outputs, rank, 1, …).

    Raises:
        GraphError: no layer matches, or one has an adapter already.
    """
    copy = require_graph(graph).copy()
    rank = require_count(rank, "rank", least=1)
    factor = 1.0 if alpha is None else require_number(alpha, "alpha") / rank
    random = np.random.default_rng(require_count(seed, "seed"))
    taken = {a.layer.node for a in adapters_of(copy)}
    for layer in [found for found in find_layers(copy, layers) if not is_adapter(found.weight)]:
        if layer.node in taken:
            raise GraphError(f"{layer.node.label} has an adapter; og.merge_lora(graph) merges it")
        down, up = factor_shapes(layer, rank)
        factors = find_factors(copy, layer.weight)
        if factors is None:
            try:
                drawn = random.normal(0, 1 / np.sqrt(np.prod(down) / rank), down)
            except (MemoryError, ValueError):  # NumPy has a largest size, too
                raise GraphError(f"an adapter of rank {rank} takes too much memory") from None
            add_factors(copy, layer, drawn, np.zeros(up))
        elif [v.shape for v in factors] != [down, up]:
            raise GraphError(
                f"the weight '{layer.weight.name}' has an adapter of other sizes, which does not "
                f"fit {layer.node.label}; choose one of the two layers"
            )
        adapt(copy, layer, factor)
    return copy


def factor_shapes(layer: Layer, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the shapes of A and B for a layer."""
    shape = layer.shape
    if layer.is_convolution:
        return (rank, *shape[1:]), (shape[0], rank, *[1] * len(shape[2:]))
    inputs, outputs = shape[::-1] if layer.output_first else shape
    return (inputs, rank), (rank, outputs)


def add_factors(graph: Graph, layer: Layer, down: np.ndarray, up: np.ndarray) -> None:
    """Add A and B of a layer's weight as initializers of the dtype that the layer gives."""
    dtype = layer.last.output().dtype
    for suffix, array in ((DOWN, down), (UP, up)):
        data = array.astype(dtype)
        type_ = TensorType(data.dtype, data.shape)
        graph.add_value(Value(f"{layer.weight.name}{suffix}", type_, data, parameter=True))


def find_factors(graph: Graph, weight: Value) -> tuple[Value, Value] | None:
    """Give A and B of a weight, None where it has none."""
    names = [f"{weight.name}{suffix}" for suffix in (DOWN, UP)]
    if not all(name in graph.names for name in names):
        return None
    down, up = (graph.find(name) for name in names)
    return down, up


def adapt(graph: Graph, layer: Layer, factor: float) -> None:
    """Let a layer give its result plus the adapter's; B stands last, so that it makes zero."""
    factors = find_factors(graph, layer.weight)
    assert factors is not None
    down, up = factors
    op = Ops(graph, layer.last.position, f"{layer.weight.name}.lora/")
    x = layer.x if layer.x.dtype == down.dtype else op.Cast(layer.x, to=down.dtype)
    if layer.is_convolution:
        kept = ("auto_pad", "dilations", "pads", "strides")
        attributes = {k: v for k, v in layer.node.attributes.items() if k in kept}
        narrow = op.Conv(x, down, **attributes)
    else:
        narrow = op.MatMul(x, down)
    if factor != 1:
        narrow = op.Mul(narrow, factor)
    wide = op.Conv(narrow, up) if layer.is_convolution else op.MatMul(narrow, up)
    put_in_place(op, layer.last, [op.Add(_again(op, layer.last), wide)])


def _again(op: Ops, node: Node) -> Value:
    """Emit a node again, for its output is to be something else."""
    found: Value = op.emit(
        node.op_type,
        *node.inputs,
        domain=node.domain,
        name=node.name or None,
        **node.attributes,
    )
    return found


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter in its place: `total` adds it to the layer."""

    layer: Layer
    down: Value
    up: Value
    factor: float
    total: Node


def adapters_of(graph: Graph) -> list[Adapter]:
    """Find the adapters of a graph by their names and their place, in the graph's order."""
    layers = {layer.last.output(): layer for layer in layers_of(graph)}
    found = []
    for node in graph.nodes():
        if node.operator != "Add":
            continue
        base, wide = node.required(2)
        layer, last = layers.get(base), graph.producer(wide)
        factors = None if layer is None else find_factors(graph, layer.weight)
        if layer is None or last is None or factors is None or last.input(1) is not factors[1]:
            continue
        scaled = graph.producer(last.first_input)
        factor = 1.0
        if scaled is not None and scaled.op_type == "Mul":
            number = scaled.required(2)[1].constant
            factor = 1.0 if number is None else float(number)
        found.append(Adapter(layer, *factors, factor, node))
    return found


def require_adapters(graph: Graph) -> list[Adapter]:
    """Give the adapters of a graph, of which there must be some."""
    found = adapters_of(require_graph(graph))
    if not found:
        raise GraphError(f"the graph '{graph.name}' has no adapters; og.lora adds some")
    return found


def is_adapter(value: Value) -> bool:
    """Tell whether a value is a factor of an adapter, by its name."""
    return value.name.endswith((DOWN, UP))


def merge_lora(graph: Graph) -> Graph:
    """Give the model without adapters, their products added to its weights.

    Merged numbers are rounded once. A weight that others read too, such as a tied embedding, stays
    for them; the layer gets one called "<weight>.merged".

    Raises:
        GraphError: there are no adapters, or a weight is quantized: what an adapter has learned is
            less than its steps and would be lost. Keep the adapter beside it (`og.save_adapter`).
    """
    copy = require_graph(graph).copy()
    found = require_adapters(copy)
    if rounded := [a.layer.weight.name for a in found if a.layer.quantized]:
        raise GraphError(
            f"the weights {', '.join(rounded[:5])} are quantized, and rounding would swallow "
            "what the adapters have learned; keep these beside the model, by og.save_adapter"
        )
    groups: dict[Value, list[Adapter]] = {}
    for adapter in found:
        groups.setdefault(adapter.layer.weight, []).append(adapter)
    for weight, adapters in groups.items():
        _merge(copy, weight, adapters)
    remove_dead_nodes(copy)
    for value in copy.parameters:
        if is_adapter(value) and not copy.consumers(value):
            copy.remove(value)
    return copy


def _merge(graph: Graph, weight: Value, adapters: list[Adapter]) -> None:
    """Add one adapter to the weight that it stands beside, wherever layers read it."""
    first = adapters[0].layer
    assert weight.constant is not None
    change = back_through(first, _product(adapters[0]))
    array = (weight.constant.astype(np.float64) + change).astype(weight.dtype)
    makers = {node for a in adapters for node in a.layer.path}
    own = makers | {a.layer.node for a in adapters}
    read = [weight, *(node.output() for node in makers)]
    if all(reader in own for value in read for reader in graph.consumers(value)):
        if not weight.parameter:
            let_vary(graph, [weight])
        weight.constant = array
    else:
        name = graph.names.fresh(f"{weight.name}.merged")
        merged = graph.add_value(Value(name, weight.type, array, parameter=True))
        for adapter in adapters:
            _read_instead(graph, adapter.layer, merged)
    for adapter in adapters:
        op = Ops(graph, adapter.total.position, f"{adapter.total.title}/")
        put_in_place(op, adapter.total, [_again(op, adapter.layer.last)])


def _read_instead(graph: Graph, layer: Layer, weight: Value) -> None:
    """Let one layer read another weight, made by nodes of its own."""
    op = Ops(graph, layer.node.position, f"{weight.name}/")
    value = weight
    for node in layer.path:
        value = op.emit(node.op_type, value, *node.inputs[1:], **node.attributes)
    inputs = list(layer.node.inputs)
    inputs[1] = value
    layer.node.inputs = tuple(inputs)
    graph.reconnect(layer.node)


def _product(adapter: Adapter) -> np.ndarray:
    """Give factor·A·B in the shape in which the layer reads its weight."""
    layer = adapter.layer
    assert adapter.down.constant is not None and adapter.up.constant is not None
    down, up = (v.astype(np.float64) for v in (adapter.down.constant, adapter.up.constant))
    if layer.is_convolution:
        product = np.tensordot(up.reshape(up.shape[:2]), down, axes=1)
    else:
        product = down @ up
        product = product.T if layer.output_first else product
    scale = attribute(layer.node, "alpha") if layer.node.op_type == "Gemm" else 1.0
    return np.asarray(product * (adapter.factor / scale))
