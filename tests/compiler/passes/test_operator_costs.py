"""Arithmetic and bytes are counted from sizes: against counts made by hand."""

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.operator_costs import Work, least_moved, work_by_operator, work_of


def work(op_type: str, *shapes: tuple[int | str, ...], **attributes: object) -> Work:
    b = og.Builder("one")
    inputs = [b.input(f"x{k}", "float32", shape) for k, shape in enumerate(shapes)]
    b.output(getattr(b.op, op_type)(*inputs, **attributes), "y")
    (node,) = b.build().nodes()
    return work_of(node)


@pytest.mark.parametrize(
    ("found", "flops", "elements"),
    [
        (work("MatMul", (5, 2, 3), (3, 4)), 2 * 5 * 2 * 3 * 4, 5 * 2 * 3 + 3 * 4 + 5 * 2 * 4),
        (work("Gemm", (3, 2), (3, 4), transA=1), 2 * 2 * 3 * 4, 6 + 12 + 8),
        (work("Conv", (2, 3, 8, 8), (4, 3, 3, 3)), 2 * 2 * 4 * 36 * 27, 384 + 108 + 288),
        (work("Conv", (2, 4, 8), (4, 1, 3), group=4), 2 * 2 * 4 * 6 * 3, 64 + 12 + 48),
        (work("ConvTranspose", (1, 4, 5), (4, 3, 2)), 2 * 4 * 5 * 3 * 2, 20 + 24 + 18),
        (work("Einsum", (2, 3), (3, 4), equation="ij,jk->ki"), 2 * 2 * 3 * 4, 6 + 12 + 8),
        (work("Add", (2, 3), (3,)), 6, 6 + 3 + 6),
        (work("ReduceSum", (2, 3), keepdims=0), 6, 6 + 1),
        (work("Transpose", (2, 3)), 0, 12),
        (work("Flatten", (2, 3)), 0, 0),
        (work("Relu", ("N", 3)), 32 * 3, 2 * 32 * 3),
    ],
)  # fmt: skip
def test_work_is_what_hands_count(found: Work, flops: int, elements: int) -> None:
    assert found == Work(1, flops, 4 * elements)


def test_a_graph_is_summed_by_operator_and_has_a_least() -> None:
    b = og.Builder("two")
    x = b.input("x", "float32", (2, 3))
    w = b.parameter("w", np.ones((3, 3), np.float32))
    b.output((x @ w) @ w, "y")
    graph = b.build()
    assert work_by_operator(graph) == {"MatMul": Work(2, 2 * 2 * 18, 2 * 4 * (6 + 9 + 6))}
    assert least_moved(graph) == 4 * (6 + 9 + 6)
