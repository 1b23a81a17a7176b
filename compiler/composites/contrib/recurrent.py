"""Body of the LSTM whose products are of 8-bit integers; the cell is that of LSTM."""

from dataclasses import replace

from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ..recurrent import Multiply, lstm_layer
from ..registry import contrib_body
from .quantized import integer_product


@contrib_body("DynamicQuantizeLSTM")
def dynamic_quantize_lstm(op: Ops, node: Node) -> list[Value | None]:
    """LSTM whose weights are quantized, and whose input and state are rounded before each product

    W: (directions, input, 4·hidden), R: (directions, hidden, 4·hidden).
    """
    x, w, r, *rest = node.inputs
    assert w is not None and r is not None
    turned = [op.Transpose(v, perm=[0, 2, 1]) for v in (w, r)]
    quantized = ((8, 9), (10, 11))  # scale and zero point of W and of R

    def product(op: Ops, which: int, direction: int, weights: Value) -> Multiply:
        scale, zero = (node.inputs[k] for k in quantized[which])
        assert scale is not None and zero is not None
        columns = op.Transpose(weights, perm=[1, 0])
        scale, zero = (op.Gather(v, op.constant(direction)) for v in (scale, zero))

        def multiply(inner: Ops, x: Value) -> Value:
            steps, x_scale, x_zero = inner.DynamicQuantizeLinear(x)
            return integer_product(inner, steps, columns, x_scale, scale, x_zero, zero, None)

        return multiply

    return lstm_layer(op, replace(node, inputs=(x, *turned, *rest[:5])), product)
