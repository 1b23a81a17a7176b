"""What one operator costs: arithmetic, bytes it reads, bytes it writes, by the sizes of its types.

It is the same for every runtime: what one of them saves by fusing or by views is not counted, but
for operators that only give an array another shape, which no runtime copies.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import prod

from ..composites.expand import emit_body, has_body
from ..composites.form_costs import convolution_of
from ..emission.ops import Ops
from ..errors import GraphError, UnsupportedOpError
from ..graph.ir import Graph, Node, Value
from ..graph.recurrence import Recurrence
from ..graph.types import Shape, TensorType, is_packed
from ..opset import COMPOSITE_DOMAIN
from ..standard.contrib import DOMAIN as CONTRIB
from ..standard.einsum import explicit_terms
from ..standard.traits import ELEMENTWISE, MEASURES, MOVES, REDUCTIONS, VIEWS


class UnknownSize(GraphError):
    """A size that only running tells."""


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """Multiplications, additions and the like; bytes read and written."""

    flops: float = 0.0
    read: float = 0.0
    written: float = 0.0

    def __add__(self, other: "OperatorCost") -> "OperatorCost":
        return OperatorCost(
            self.flops + other.flops, self.read + other.read, self.written + other.written
        )

    def times(self, count: float) -> "OperatorCost":
        """Give the cost of so many runs."""
        return OperatorCost(self.flops * count, self.read * count, self.written * count)


def total(costs: Iterable[OperatorCost]) -> OperatorCost:
    """Add costs up."""
    return sum(costs, start=OperatorCost())


def cost_of(node: Node) -> OperatorCost:
    """Count what a node does.

    A product counts two for each pair of factors; an elementwise operator one for each element that
    it gives, however hard its function is; a reduction one for each element that it reads; what
    has a body as much as its body. A branch counts as the dearer one, a loop as often as it runs.

    Raises:
        UnknownSize: a size is no number.
    """
    if node.subgraphs:
        return _of_subgraphs(node)
    if node.op_type in VIEWS and not node.domain:
        return OperatorCost()
    written = float(sum(bytes_of(v) for v in node.writes()))
    return OperatorCost(flops_of(node), _read(node, written), written)


def bytes_of(value: Value) -> int:
    """Give the bytes of a tensor.

    Raises:
        UnknownSize: it is none, or a size is no number.
    """
    if not isinstance(value.type, TensorType):
        raise UnknownSize(f"'{value.name}' is {value.type}")
    dtype = value.type.dtype
    count = elements_in(value)
    return (count + 1) // 2 if is_packed(dtype) else count * dtype.itemsize


def elements_in(value: Value) -> int:
    """Give the number of elements of a tensor."""
    return prod(sizes_of(value))


def sizes_of(value: Value) -> tuple[int, ...]:
    """Give the shape of a tensor in numbers."""
    shape: Shape | None = value.type.shape if isinstance(value.type, TensorType) else None
    if shape is None or any(isinstance(d, str) for d in shape):
        raise UnknownSize(f"'{value.name}' is {value.type}, and only running tells its sizes")
    return tuple(int(d) for d in shape)


def flops_of(node: Node) -> float:
    """Count the arithmetic of a node without subgraphs."""
    counted = _COUNTS.get(node.operator)
    if counted is not None:
        return float(counted(node))
    if node.operator in MOVES or node.operator in MEASURES:
        return 0.0
    if node.operator in ELEMENTWISE:
        return float(elements_in(node.output()) * max(1, len(node.inputs) - 1))
    if node.operator in REDUCTIONS:
        return float(elements_in(node.first_input))
    if node.op_type in ("ConvInputGrad", "ConvWeightGrad") and node.domain == COMPOSITE_DOMAIN:
        sizes = convolution_of(node)
        if sizes is not None:
            return sizes.flops
    if has_body(node):
        try:
            return _of_body(node).flops
        except (UnsupportedOpError, UnknownSize):
            pass  # ONNX gives no body for these types, or only running tells sizes inside of it
    return float(sum(elements_in(v) for v in node.writes()))


def _of_body(node: Node) -> OperatorCost:
    """Emit the body into a graph of its own and count that."""
    graph = Graph("body")
    mapping = {
        v: graph.add_value(Value(f"x{k}", v.type, v.constant, v.parameter, v.elements))
        for k, v in enumerate(dict.fromkeys(v for v in node.inputs if v is not None))
    }
    inputs = tuple(None if v is None else mapping[v] for v in node.inputs)
    emit_body(Ops(graph), replace(node, inputs=inputs))
    return total(cost_of(n) for n in graph.nodes())


def _of_subgraphs(node: Node) -> OperatorCost:
    costs = [total(cost_of(n) for n in graph.nodes()) for graph in node.subgraphs]
    if node.op_type == "If":
        return max(costs, key=lambda c: (c.flops, c.read + c.written))
    if node.op_type not in ("Loop", "Scan", "Iterate"):
        raise UnknownSize(f"{node.label} runs as often as only running tells")
    return costs[0].times(_trips(node))


def _trips(node: Node) -> int:
    loop = Recurrence(node)
    if loop.lead and (count := node.inputs[0]) is not None and count.constant is not None:
        return int(count.constant)
    for tape, spec in zip(loop.read, loop.input_tapes, strict=True):
        if isinstance(tape.type, TensorType):
            return sizes_of(tape)[spec.axis]
    raise UnknownSize(f"{node.label} runs as often as only running tells")


def _read(node: Node, written: float) -> float:
    """Count the bytes read; what moves elements reads no more of its first input than it gives."""
    if node.op_type in MEASURES and not node.domain:
        return 0.0
    sizes = {v: float(bytes_of(v)) for v in dict.fromkeys(node.reads())}
    if node.operator in MOVES and sizes:
        first = next(iter(sizes))
        sizes[first] = min(sizes[first], written)
    return sum(sizes.values())


def _matmul(node: Node) -> int:
    return 2 * elements_in(node.output()) * sizes_of(node.first_input)[-1]


def _gemm(node: Node) -> int:
    result, rows = elements_in(node.output()), sizes_of(node.output())[0]
    pairs = elements_in(node.first_input) // max(rows, 1)
    return 2 * result * pairs + (result if node.input(2) is not None else 0)


def _fused_matmul(node: Node) -> int:
    """The first factor may be transposed; a profile does not tell."""
    rows, pairs = sizes_of(node.first_input)[-2:]
    is_transposed = rows != sizes_of(node.output())[-2]
    return 2 * elements_in(node.output()) * (rows if is_transposed else pairs)


def _conv(node: Node) -> int:
    result = elements_in(node.output())
    bias = result if node.input(2) is not None else 0
    return 2 * result * prod(sizes_of(node.required(2)[1])[1:]) + bias


def _transposed_conv(node: Node) -> int:
    x, w = node.required(2)
    return 2 * elements_in(x) * prod(sizes_of(w)[1:])


def _einsum(node: Node) -> int:
    inputs = node.given()
    ranks = [len(sizes_of(v)) for v in inputs]
    terms, _, _ = explicit_terms(node.attributes["equation"], ranks)
    sizes: dict[str, int] = {}
    for term, value in zip(terms, inputs, strict=True):
        for letter, size in zip(term, sizes_of(value), strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return len(inputs) * prod(sizes.values())


def _pool(node: Node) -> int:
    return elements_in(node.output()) * prod(node.attributes["kernel_shape"])


def _whole(node: Node) -> int:
    return elements_in(node.first_input)


_COUNTS: dict[str, Callable[[Node], int]] = {
    "AveragePool": _pool,
    "Conv": _conv,
    "ConvTranspose": _transposed_conv,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "GlobalAveragePool": _whole,
    "GlobalMaxPool": _whole,
    "LpPool": _pool,
    "MatMul": _matmul,
    "MaxPool": _pool,
    f"{CONTRIB}.FusedMatMul": _fused_matmul,
}
"""Operators whose arithmetic neither a trait nor a body tells."""
