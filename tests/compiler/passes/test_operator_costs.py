"""Arithmetic and bytes of operators by hand, and the most bytes that graphs hold."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.passes.operator_costs import UnknownSize, cost_of
from onnxgrad.compiler.passes.peak_memory import peak_of
from onnxgrad.compiler.passes.pin_sizes import pin_sizes

F = "float32"


def single(op_type: str, *shapes: tuple[int | str, ...], **attributes: Any) -> Graph:
    b = og.Builder()
    inputs = [b.input(f"x{k}", F, shape) for k, shape in enumerate(shapes)]
    result = getattr(b.op, op_type)(*inputs, **attributes)
    b.output(result[0] if isinstance(result, tuple) else result, "y")
    return b.build()


@pytest.mark.parametrize(
    "graph, flops, read, written",
    [
        (single("MatMul", (5, 2, 3), (3, 4)), 2 * 5 * 2 * 3 * 4, 4 * (30 + 12), 4 * 40),
        (single("Gemm", (3, 2), (3, 4), transA=1), 2 * 2 * 3 * 4, 4 * (6 + 12), 4 * 8),
        (single("Gemm", (2, 3), (4, 3), (4,), transB=1), 2 * 24 + 8, 4 * (6 + 12 + 4), 4 * 8),
        (single("Conv", (1, 4, 5, 5), (6, 2, 3, 3), group=2), 2 * 54 * 18, 4 * 208, 4 * 54),
        (single("ConvTranspose", (1, 2, 3, 3), (2, 4, 2, 2)), 2 * 18 * 16, 4 * 50, 4 * 64),
        (single("Einsum", (2, 3), (3, 4), equation="ij,jk"), 2 * 24, 4 * 18, 4 * 8),
        (single("Add", (3, 4), (4,)), 12, 4 * 16, 4 * 12),
        (single("Sum", (4,), (4,), (4,)), 8, 4 * 12, 4 * 4),
        (single("ReduceSum", (3, 4)), 12, 4 * 12, 4),
        (single("Transpose", (3, 4)), 0, 4 * 12, 4 * 12),
        (single("Flatten", (3, 4, 5)), 0, 0, 0),
        (single("MaxPool", (1, 1, 4, 4), kernel_shape=[2, 2]), 9 * 4, 4 * 16, 4 * 9),
        (single("GlobalAveragePool", (1, 2, 4, 4)), 32, 4 * 32, 4 * 2),
    ],
    ids=lambda given: given.nodes()[0].op_type if isinstance(given, Graph) else "",
)
def test_single_operators(graph: Graph, flops: int, read: int, written: int) -> None:
    (node,) = graph.nodes()
    found = cost_of(node)
    assert (found.flops, found.read, found.written) == (flops, read, written)


def test_what_moves_elements_reads_no_more_than_it_gives() -> None:
    b = og.Builder()
    table, rows = b.input("table", F, (1000, 8)), b.input("rows", "int64", (2,))
    b.output(b.op.Gather(table, rows), "y")
    (node,) = b.build().nodes()
    assert (cost_of(node).read, cost_of(node).written) == (64 + 16, 64)


def test_gradients_of_products_count_as_the_products() -> None:
    g = single("Conv", (2, 3, 8, 8), (4, 3, 3, 3))
    backward = og.vjp(g, of="y", wrt=["x0", "x1"])
    counted = {n.op_type: cost_of(n).flops for n in backward.nodes()}
    assert counted["ConvWeightGrad"] == counted["Conv"] == 2 * 2 * 4 * 36 * 27
    assert counted["ConvInputGrad"] == 2 * 2 * 4 * 36 * 27


def test_a_body_counts_for_what_has_one() -> None:
    (node,) = single("Softmax", (4, 8)).nodes()
    # its maximum, differences, powers, their sum, quotients
    assert cost_of(node).flops == 5 * 32
    assert cost_of(node).read == 4 * 32


def test_a_loop_counts_as_often_as_it_runs() -> None:
    b = og.Builder()
    x, w = b.input("x", F, (7, 4)), b.input("w", F, (4, 4))
    body = b.subgraph(lambda s, row: (s @ w + row, row * row), (F, (1, 4)), (F, (4,)))
    start = b.constant(np.zeros((1, 4), np.float32))
    final, squares = b.op.Scan(start, x, body=body, num_scan_inputs=1, outputs=2)
    b.output(final, "final")
    b.output(squares, "squares")
    (node,) = b.build().nodes()
    assert cost_of(node).flops == 7 * (2 * 16 + 4 + 4)


def test_open_sizes_are_pinned_wherever_they_stand() -> None:
    g = single("MatMul", ("N", 3), (3, "M+1"))
    with pytest.raises(UnknownSize, match="only running tells its sizes"):
        cost_of(g.nodes()[0])
    pin_sizes(g, {"N": 2, "M": 3})
    assert cost_of(g.nodes()[0]).flops == 2 * 2 * 3 * 4
    with pytest.raises(og.GraphError, match="no input has a size 'K'"):
        pin_sizes(single("Relu", ("N",)), {"K": 2})


def test_the_peak_of_a_chain() -> None:
    b = og.Builder()
    x = b.input("x", F, (1000,))
    y = b.op.Exp(b.op.Sin(b.op.Reshape(x, [10, 100])))  # a view, then two arrays at a time
    b.output(b.op.ReduceSum(b.op.Exp(y), keepdims=0), "y")
    peak = peak_of(b.build())
    small = 4 + 16  # the sum, the shape
    assert 3 * 4000 <= peak.held <= 3 * 4000 + small
    assert peak.node is not None and peak.node.op_type == "Exp"
