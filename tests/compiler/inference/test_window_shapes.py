"""Symbolic shapes of convolutions and pools: equal sizes have equal names, and come out."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.dims import evaluate, quotient

SIZES = {"N": 2, "C": 4, "H": 11, "W": 8}


@pytest.mark.parametrize(
    ("dividend", "divisor", "expected"),
    [
        (7, 2, 3),
        ("2*H+4", 2, "H+2"),
        ("H-2", 2, "(H // 2)-1"),
        ("H-1", 2, "((H + 1) // 2)-1"),
        ("3*H", 2, "H+(H // 2)"),
    ],
)
def test_quotients_have_one_name(dividend: int | str, divisor: int, expected: int | str) -> None:
    assert quotient(dividend, divisor) == expected
    for size in range(1, 9):
        number = dividend if isinstance(dividend, int) else evaluate(dividend, {"H": size})
        assert number is not None
        assert evaluate(quotient(dividend, divisor), {"H": size}) == number // divisor


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("Conv", {"pads": [1] * 4}),
    ("Conv", {"strides": [2, 3], "pads": [0, 1, 2, 0], "dilations": [2, 1]}),
    ("Conv", {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ("Conv", {"auto_pad": "VALID", "strides": [2, 3]}),
    ("ConvTranspose", {"strides": [2, 3], "output_padding": [1, 0], "pads": [0, 1, 1, 0]}),
    ("MaxPool", {"kernel_shape": [2, 3], "strides": [2, 2]}),
    ("AveragePool", {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ("LpPool", {"kernel_shape": [2, 3], "pads": [1, 0, 0, 2]}),
]


@pytest.mark.parametrize(("op", "attributes"), CALLS)
def test_symbolic_shape_is_the_shape(op: str, attributes: dict[str, Any]) -> None:
    b = og.Builder("net")
    inputs = [b.input("x", "float32", ("N", "C", "H", "W"))]
    if op.startswith("Conv"):
        inputs.append(b.parameter("w", np.ones((4, 4, 3, 2), np.float32)))
    b.output(getattr(b.op, op)(*inputs, **attributes), "y")
    graph = b.build()
    x = np.ones(tuple(SIZES.values()), np.float32)
    shape = graph.find("y").shape
    assert shape is not None and not any("unk" in str(d) for d in shape)
    assert tuple(evaluate(d, SIZES) for d in shape) == og.compile(graph)(x=x)["y"].shape


def test_branches_of_one_size_add_without_a_reduction_at_run_time() -> None:
    b = og.Builder("net")
    x = b.input("x", "float32", ("N", 3, "H", "W"))
    wide = b.parameter("wide", np.ones((4, 3, 3, 3), np.float32))
    narrow = b.parameter("narrow", np.ones((4, 3, 1, 1), np.float32))
    halved = b.op.Conv(x, wide, strides=[2, 2], pads=[1] * 4)
    b.output(halved + b.op.Conv(x, narrow, strides=[2, 2]), "y")
    graph = og.vjp(b.build(), "y", "x")
    assert "ReduceToShape" not in [node.op_type for node in graph.nodes()]
