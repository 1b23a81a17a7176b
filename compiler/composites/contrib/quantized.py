"""Bodies of operators on quantized tensors: dequantized, computed, quantized again.

Products of integers stay products of integers, so that they are exact. Gradients pass through
them by `og.straight_through`, and are zero without it.
"""

from collections.abc import Callable, Sequence

from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..registry import contrib_body
from .convolution import channels_first, channels_last, window, with_channels_last


def _numbers(op: Ops, x: Value, scale: Value, zero: Value | None) -> Value:
    """(x − zero)·scale, for one scale"""
    result: Value = op.DequantizeLinear(
        x, _one(op, scale), None if zero is None else _one(op, zero)
    )
    return result


def _steps(op: Ops, y: Value, scale: Value, zero: Value | None, like: Value) -> Value:
    """round(y / scale) + zero, in the dtype of `like`"""
    origin = op.like(0, like) if zero is None else _one(op, zero)
    result: Value = op.QuantizeLinear(y, _one(op, scale), origin)
    return result


def _one(op: Ops, x: Value) -> Value:
    """Give a number that may lie in a list of one as a scalar."""
    return x if x.rank == 0 else op.Squeeze(x)


def _between(op: Ops, node: Node, function: Callable[[Value], Value]) -> Value:
    """Quantize f of the dequantized first input: (x, scale, zero, scale of y, zero of y)."""
    x, scale = node.required(2)
    zero, y_scale, y_zero = node.input(2), node.input(3), node.input(4)
    assert y_scale is not None
    return _steps(op, function(_numbers(op, x, scale, zero)), y_scale, y_zero, x)


def _of_two(op: Ops, node: Node, function: Callable[[Value, Value], Value]) -> Value:
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = (node.input(k) for k in range(8))
    assert a is not None and a_scale is not None and scale is not None
    assert b is not None and b_scale is not None
    operands = _numbers(op, a, a_scale, a_zero), _numbers(op, b, b_scale, b_zero)
    return _steps(op, function(*operands), scale, zero, a)


@contrib_body("QLinearAdd")
def qlinear_add(op: Ops, node: Node) -> Value:
    """A + B"""
    return _of_two(op, node, op.Add)


@contrib_body("QLinearMul")
def qlinear_mul(op: Ops, node: Node) -> Value:
    """A·B"""
    return _of_two(op, node, op.Mul)


@contrib_body("QLinearSigmoid")
def qlinear_sigmoid(op: Ops, node: Node) -> Value:
    """σ(x)"""
    return _between(op, node, op.Sigmoid)


@contrib_body("QLinearLeakyRelu")
def qlinear_leaky_relu(op: Ops, node: Node) -> Value:
    """x, α·x where x < 0"""
    return _between(op, node, lambda x: op.LeakyRelu(x, alpha=attribute(node, "alpha")))


@contrib_body("QLinearSoftmax")
def qlinear_softmax(op: Ops, node: Node) -> Value:
    """Softmax along an axis; before opset 13 over all axes from there on, taken together"""
    axis = attribute(node, "axis")

    def softmax(x: Value) -> Value:
        if node.attributes["opset"] >= 13 or axis in (-1, x.known_rank - 1):
            return op.Softmax(x, axis=axis)
        rows = op.Softmax(op.Flatten(x, axis=axis % x.known_rank))
        result: Value = op.Reshape(rows, op.Shape(x), allowzero=1)
        return result

    return _between(op, node, softmax)


@contrib_body("QLinearAveragePool")
def qlinear_average_pool(op: Ops, node: Node) -> Value:
    """AveragePool, channels first or last"""
    return _between(op, node, _maybe_last(op, node, lambda v: op.AveragePool(v, **window(node))))


@contrib_body("QLinearGlobalAveragePool")
def qlinear_global_average_pool(op: Ops, node: Node) -> Value:
    """GlobalAveragePool, channels first or last"""
    return _between(op, node, _maybe_last(op, node, op.GlobalAveragePool))


def _maybe_last(
    op: Ops, node: Node, function: Callable[[Value], Value]
) -> Callable[[Value], Value]:
    if not attribute(node, "channels_last"):
        return function
    return lambda x: with_channels_last(op, function, x)


@contrib_body("QLinearReduceMean")
def qlinear_reduce_mean(op: Ops, node: Node) -> Value:
    """The mean along axes"""
    axes, keepdims = node.attributes["axes"], node.attributes["keepdims"]
    return _between(op, node, lambda x: op.ReduceMean(x, axes, keepdims=keepdims))


@contrib_body("QLinearConcat")
def qlinear_concat(op: Ops, node: Node) -> Value:
    """Tensors side by side: (x, scale, zero) of each"""
    scale, zero, *listed = node.inputs
    assert scale is not None and zero is not None
    parts = []
    for x, x_scale, x_zero in zip(*(listed[k::3] for k in range(3)), strict=True):
        assert x is not None and x_scale is not None
        parts.append(_numbers(op, x, x_scale, x_zero))
    return _steps(op, op.Concat(*parts, axis=node.attributes["axis"]), scale, zero, zero)


@contrib_body("QLinearWhere")
def qlinear_where(op: Ops, node: Node) -> Value:
    """X where the condition holds, else Y"""
    condition, x, x_scale, x_zero, y, y_scale, y_zero, scale, zero = node.required(9)
    chosen = _numbers(op, x, x_scale, x_zero), _numbers(op, y, y_scale, y_zero)
    return _steps(op, op.Where(condition, *chosen), scale, zero, x)


@contrib_body("QLinearConv")
def qlinear_conv(op: Ops, node: Node) -> Value:
    """ONNX's QLinearConv; images may have their channels last"""
    x, scale, zero, *rest = node.inputs
    assert x is not None
    last = bool(attribute(node, "channels_last"))
    x = channels_first(op, x) if last else x
    y: Value = op.QLinearConv(x, scale, zero, *rest, **window(node))
    return channels_last(op, y) if last else y


@contrib_body("QuantizeLinear")
def quantize_linear(op: Ops, node: Node) -> Value:
    """ONNX's QuantizeLinear, for one scale where no axis is given"""
    x, scale = node.required(2)
    axis = node.attributes.get("axis")
    if axis is None:
        zero = node.input(2)
        return op.QuantizeLinear(x, _one(op, scale), None if zero is None else _one(op, zero))
    return op.QuantizeLinear(x, scale, node.input(2), axis=axis)


@contrib_body("DequantizeLinear")
def dequantize_linear(op: Ops, node: Node) -> Value:
    """ONNX's DequantizeLinear, for one scale where no axis is given"""
    x, scale = node.required(2)
    axis = node.attributes.get("axis")
    if axis is None:
        return _numbers(op, x, scale, node.input(2))
    return op.DequantizeLinear(x, scale, node.input(2), axis=axis)


@contrib_body("MatMulIntegerToFloat")
def matmul_integer_to_float(op: Ops, node: Node) -> Value:
    """(A − za)·(B − zb)·sa·sb + bias"""
    a, b, a_scale, b_scale = node.required(4)
    a_zero, b_zero, bias = node.input(4), node.input(5), node.input(6)
    return integer_product(op, a, b, _one(op, a_scale), b_scale, a_zero, b_zero, bias)


@contrib_body("DynamicQuantizeMatMul")
def dynamic_quantize_matmul(op: Ops, node: Node) -> Value:
    """A·(B − zb)·sb + bias, A rounded to 8 bits between its bounds"""
    a, b, b_scale = node.required(3)
    b_zero, bias = node.input(3), node.input(4)
    steps, a_scale, a_zero = op.DynamicQuantizeLinear(a)
    return integer_product(op, steps, b, a_scale, b_scale, a_zero, b_zero, bias)


def integer_product(
    op: Ops,
    a: Value,
    b: Value,
    a_scale: Value,
    b_scale: Value,
    a_zero: Value | None,
    b_zero: Value | None,
    bias: Value | None,
) -> Value:
    """Emit (a − za)·(b − zb)·sa·sb + bias; the scale and zero point of b may be one per column."""
    b_scale = _one(op, b_scale) if b_scale.shape == (1,) else b_scale
    if b_zero is not None and b_zero.shape == (1,):
        b_zero = _one(op, b_zero)
    a_zero = None if a_zero is None else _one(op, a_zero)
    product = op.Cast(op.MatMulInteger(a, b, a_zero, b_zero), to=a_scale.dtype)
    y: Value = op.Mul(product, op.Mul(a_scale, b_scale))
    return y if bias is None else op.Add(y, bias)


@contrib_body("QGemm")
def qgemm(op: Ops, node: Node) -> Value:
    """α·(A' − za)·(B' − zb)·sa·sb + C, in floats or quantized; C counts in steps of the product"""
    a, a_scale, a_zero, b, b_scale, b_zero = node.required(6)
    c, y_scale, y_zero = node.input(6), node.input(7), node.input(8)
    a, b = (
        op.Transpose(v, perm=[1, 0]) if attribute(node, f"trans{which}") else v
        for v, which in ((a, "A"), (b, "B"))
    )
    a_zero, b_zero = (_one(op, v) if v.shape == (1,) else v for v in (a_zero, b_zero))
    steps = op.MatMulInteger(a, b, a_zero, b_zero)
    steps = steps if c is None else op.Add(steps, c)
    scale = op.Mul(op.Mul(_one(op, a_scale), b_scale), attribute(node, "alpha"))
    y = op.Mul(op.Cast(steps, to="float32"), scale)
    if y_scale is None:
        return y
    return _steps(op, y, y_scale, y_zero, a)


@contrib_body("QEmbedLayerNormalization")
def quantized_embedding(op: Ops, node: Node) -> Sequence[Value | None]:
    """LayerNormalization of the sum of embeddings whose tables are quantized"""
    words, segments = node.first_input, node.input(1)
    tables, scales, zeros = (
        [node.input(k) for k in places] for places in ((2, 3, 4), (8, 9, 10), (13, 14, 15))
    )
    count = op.Squeeze(op.Shape(words, start=1, end=2), [0])
    total: Value | None = None
    for table, scale, zero, rows in zip(
        tables, scales, zeros, (words, op.Range(0, count, 1), segments), strict=True
    ):
        if table is None or scale is None or rows is None:
            continue
        part = _numbers(op, op.Gather(table, rows), scale, zero)
        total = part if total is None else op.Add(total, part)
    gamma, beta = (
        _numbers(op, table, scale, zero)
        for table, scale, zero in (
            (node.inputs[5], node.inputs[11], node.inputs[16]),
            (node.inputs[6], node.inputs[12], node.inputs[17]),
        )
        if table is not None and scale is not None
    )
    y = op.LayerNormalization(total, gamma, beta, epsilon=attribute(node, "epsilon"))
    mask = node.input(7)
    lengths = op.Expand(op.constant(0, "int32"), op.Shape(words, end=1))
    if mask is not None:
        lengths = op.ReduceSum(mask, [1], keepdims=0)
    return [y, lengths]
