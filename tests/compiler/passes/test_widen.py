"""Nodes that run in a wider dtype give what they give in their own."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Node
from onnxgrad.compiler.passes.widen import widen_node

X = [[-128, -7, 3], [127, 100, -1]]


def only(*dtypes: Any) -> Any:
    """Support nodes whose inputs are of these dtypes, and casts."""
    allowed = {np.dtype(d) for d in dtypes}

    def supports(node: Node) -> bool:
        return node.op_type == "Cast" or all(v is None or v.dtype in allowed for v in node.inputs)

    return supports


def widened(op_type: str, *inputs: np.ndarray, wide: Any, **attributes: Any) -> Any:
    """Give the result of one node that was widened."""
    b = og.Builder(op_type)
    tensors = [b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(inputs)]
    b.output(getattr(b.op, op_type)(*tensors, **attributes), "y")
    graph = b.build()
    (node,) = graph.nodes()
    emitted = widen_node(graph, node, only(wide))
    assert emitted is not None and node not in graph.nodes()
    (wider,) = (n for n in emitted if n.op_type == op_type)
    assert {v.dtype for v in wider.reads()} == {np.dtype(wide)}
    feeds = {f"x{k}": a for k, a in enumerate(inputs)}
    (y,) = og.compile(graph, "numpy").run(feeds).values()
    return y


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize(
    ("op_type", "function"),
    [("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Max", np.maximum)],
)
def test_integers_wrap_as_they_are(op_type: str, function: Any, dtype: Any) -> None:
    x = np.array(X).astype(dtype)
    y = widened(op_type, x, x[::-1].copy(), wide=np.int32)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, function(x, x[::-1]))


def test_sixteen_bits_are_rounded_once() -> None:
    x = np.linspace(-2, 2, 9).astype(ml_dtypes.bfloat16)
    y = widened("Exp", x, wide=np.float32)
    np.testing.assert_array_equal(y, np.exp(x.astype("f4")).astype(ml_dtypes.bfloat16))


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [
        (np.bool_, np.uint8),
        (ml_dtypes.int4, np.int8),
        (ml_dtypes.uint4, np.uint8),
        (ml_dtypes.float8_e4m3fn, np.float16),
        (ml_dtypes.float8_e5m2, np.float16),
    ],
)
def test_moving_keeps_every_value(dtype: Any, wide: Any) -> None:
    x = np.array([[1, 0, 3], [2, 7, 5]]).astype(dtype)
    if dtype is ml_dtypes.float8_e5m2:
        x[0] = [np.inf, -np.inf, np.nan]
    y = widened("Transpose", x, wide=wide)
    np.testing.assert_array_equal(y.astype("f4"), x.T.astype("f4"))


def test_what_depends_on_the_dtype_stays() -> None:
    b = og.Builder("quantize")
    x = b.input("x", "float16", (4,))
    b.output(b.op.QuantizeLinear(x, np.float16(0.5), np.uint8(0)), "y")
    graph = b.build()
    assert widen_node(graph, graph.nodes()[0], only(np.float32)) is None
