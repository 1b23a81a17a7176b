"""Calls of activations, convolutions, products and normalizations."""

import numpy as np

from .call import Array, Call, Draw, Row, below, broadcast_batches, floats, maybe, one_of, size

ONNX = ""


def unary(draw: Draw) -> Call:
    return Call([floats(draw, *(size(draw) for _ in range(size(draw, 1, 3))), scale=2)])


def quick_gelu(draw: Draw) -> Call:
    return Call(unary(draw).inputs, {"alpha": float(draw.uniform(0.5, 2))})


def with_bias(draw: Draw) -> Call:
    x = floats(draw, *(size(draw) for _ in range(size(draw, 1, 3))), scale=2)
    return Call([x, floats(draw, x.shape[-1])])


def with_maybe_bias(draw: Draw) -> Call:
    x, bias = with_bias(draw).inputs
    assert bias is not None
    return Call([x, maybe(draw, bias)])


ACTIVATIONS = [
    {},
    {"activation": "Relu"},
    {"activation": "Tanh"},
    {"activation": "Sigmoid"},
    {"activation": "LeakyRelu", "activation_params": [0.1]},
    {"activation": "Clip", "activation_params": [-0.5, 0.75]},
    {"activation": "HardSigmoid", "activation_params": [0.3, 0.4]},
]


def fused_conv(draw: Draw) -> Call:
    rank, group = one_of(draw, 1, 2), one_of(draw, 1, 2)
    channels, maps = group * size(draw, 1, 2), group * size(draw, 1, 2)
    kernel = [size(draw, 1, 3) for _ in range(rank)]
    x = floats(draw, size(draw, 1, 2), channels, *(size(draw, 5, 8) for _ in range(rank)))
    w = floats(draw, maps, channels // group, *kernel)
    settings = {
        "strides": [size(draw, 1, 2) for _ in range(rank)],
        "dilations": [size(draw, 1, 2) for _ in range(rank)],
        "pads": [size(draw, 0, 2) for _ in range(2 * rank)],
        "group": group,
        **one_of(draw, *ACTIVATIONS),
    }
    return Call([x, w, maybe(draw, floats(draw, maps))], settings)


def fused_conv_sum(draw: Draw) -> Call:
    call = fused_conv(draw)
    x, w, b = call.inputs
    assert x is not None and w is not None
    reach = [
        n + a + e - d * (k - 1) - 1
        for n, k, d, a, e in zip(
            x.shape[2:],
            w.shape[2:],
            call.attributes["dilations"],
            call.attributes["pads"][: x.ndim - 2],
            call.attributes["pads"][x.ndim - 2 :],
            strict=True,
        )
    ]
    sizes = [r // s + 1 for r, s in zip(reach, call.attributes["strides"], strict=True)]
    bias = floats(draw, w.shape[0]) if b is None else b
    return Call([x, w, bias, floats(draw, x.shape[0], w.shape[0], *sizes)], call.attributes)


GEMM_ACTIVATIONS = [
    {"activation": "Relu"},
    {"activation": "Tanh"},
    {"activation": "Sigmoid"},
    {"activation": "Softplus"},
    {"activation": "Softsign"},
    {"activation": "LeakyRelu", "activation_alpha": 0.1},
    {"activation": "Elu", "activation_alpha": 0.7},
    {"activation": "HardSigmoid", "activation_alpha": 0.3, "activation_beta": 0.4},
    {"activation": "ThresholdedRelu", "activation_alpha": 0.2},
    {"activation": "ScaledTanh", "activation_alpha": 0.7, "activation_beta": 1.2},
    {"activation": "ParametricSoftplus", "activation_alpha": 0.7, "activation_beta": 1.2},
]


def fused_gemm(draw: Draw) -> Call:
    m, k, n = (size(draw, 1, 6) for _ in range(3))
    across, along = one_of(draw, 0, 1), one_of(draw, 0, 1)
    a = floats(draw, *((k, m) if across else (m, k)))
    b = floats(draw, *((n, k) if along else (k, n)))
    c = maybe(draw, floats(draw, *one_of(draw, (n,), (m, n), (m, 1), (1,))))
    scales = {"alpha": float(draw.uniform(0.5, 2)), "beta": float(draw.uniform(0.5, 2))}
    given = {"transA": across, "transB": along, **scales, **one_of(draw, *GEMM_ACTIVATIONS)}
    return Call([a, b, c], given)


def fused_matmul(draw: Draw) -> Call:
    """transBatch takes the first axis for the row's, and the batch axes after it."""
    m, k, n = (size(draw, 1, 5) for _ in range(3))
    batches = broadcast_batches(draw)
    settings = {"alpha": one_of(draw, 1.0, float(draw.uniform(0.5, 2)))}
    operands: list[Array] = []
    same = batches[0] == batches[1]
    for which, batch, (rows, columns) in zip("AB", batches, ((m, k), (k, n)), strict=True):
        across = one_of(draw, 0, 1)
        exchanged = one_of(draw, 0, 1) if batch and same else 0
        rows, columns = (columns, rows) if across else (rows, columns)
        shape = (rows, *batch, columns) if exchanged else (*batch, rows, columns)
        operands.append(floats(draw, *shape))
        settings |= {f"trans{which}": across, f"transBatch{which}": exchanged}
    return Call(operands, settings)


def transpose_matmul(draw: Draw) -> Call:
    call = fused_matmul(draw)
    while call.attributes["transBatchA"] or call.attributes["transBatchB"]:
        call = fused_matmul(draw)
    kept = {k: a for k, a in call.attributes.items() if "Batch" not in k}
    return Call(call.inputs, kept)


def cdist(draw: Draw) -> Call:
    width = size(draw)
    metric = one_of(draw, "euclidean", "sqeuclidean")
    return Call(
        [floats(draw, size(draw), width), floats(draw, size(draw), width)], {"metric": metric}
    )


def rows_of(draw: Draw) -> tuple[Array, Array, Array, Array]:
    shape = (size(draw, 1, 3), size(draw, 1, 4), size(draw, 2, 8))
    skip = one_of(draw, shape, (1, *shape[1:]), shape[1:])
    width = shape[-1]
    gamma = floats(draw, width) + np.float32(1)
    return floats(draw, *shape), floats(draw, *skip), gamma, floats(draw, width)


def skip_layer(draw: Draw) -> Call:
    x, skip, gamma, beta = rows_of(draw)
    bias = maybe(draw, floats(draw, x.shape[-1]))
    epsilon = float(10.0 ** draw.uniform(-6, -2))
    return Call([x, skip, gamma, maybe(draw, beta), bias], {"epsilon": epsilon})


def skip_simplified(draw: Draw) -> Call:
    x, skip, gamma, bias = rows_of(draw)
    return Call(
        [x, skip, gamma, maybe(draw, bias)], {"epsilon": float(10.0 ** draw.uniform(-6, -2))}
    )


def simplified(draw: Draw) -> Call:
    x, _, gamma, _ = rows_of(draw)
    return Call([x, gamma], {"axis": one_of(draw, -1, 2), "epsilon": 1e-3, "stash_type": 1})


def layer(draw: Draw) -> Call:
    x, _, gamma, beta = rows_of(draw)
    return Call([x, gamma, maybe(draw, beta)], {"axis": -1, "epsilon": 1e-3})


def gated_norm(draw: Draw) -> Call:
    x, _, gamma, _ = rows_of(draw)
    x = floats(draw, *x.shape[:-1], one_of(draw, 1, 2) * x.shape[-1])
    settings = {"epsilon": 1e-3, "activation": one_of(draw, "silu", "sigmoid")}
    return Call([x, gamma, floats(draw, *x.shape)], settings)


def embed(draw: Draw) -> Call:
    batch, length, width = size(draw, 1, 3), size(draw, 1, 5), size(draw, 2, 8)
    segments = below(draw, 2, batch, length)
    types = floats(draw, 2, width)
    has_segments = draw.random() < 0.6
    mask = np.asarray(np.arange(length) < draw.integers(1, length + 1, (batch, 1)), np.int32)
    places = below(draw, 6, one_of(draw, 1, batch), length)
    return Call(
        [
            below(draw, 7, batch, length),
            segments if has_segments else None,
            floats(draw, 7, width),
            floats(draw, 6, width),
            types if has_segments else None,
            floats(draw, width),
            floats(draw, width),
            maybe(draw, mask),
            maybe(draw, places),
        ],
        {"epsilon": 1e-3, "mask_index_type": 1},
    )


def bias_softmax(draw: Draw) -> Call:
    shape = [size(draw, 1, 3) for _ in range(4)]
    axis = one_of(draw, 3, -1, 2)
    inner = one_of(draw, 0, 1)
    flat = axis % 4
    bias = [1] * 4
    bias[flat:] = shape[flat:]
    if inner:  # it repeats along the axes just before
        bias[0] = shape[0]
    return Call(
        [floats(draw, *shape), floats(draw, *bias)], {"axis": axis, "is_inner_broadcast": inner}
    )


def image_scaler(draw: Draw) -> Call:
    x = floats(draw, 2, 3, size(draw), size(draw))
    return Call([x], {"scale": 0.5, "bias": [0.1, -0.2, 0.3]})


def gather_nd(draw: Draw) -> Call:
    x = floats(draw, 3, 4, size(draw))
    return Call([x, below(draw, 3, size(draw), 2, dtype=one_of(draw, np.int32, np.int64))])


def pad(draw: Draw) -> Call:
    x = floats(draw, size(draw, 3, 5), size(draw, 3, 5))
    value = maybe(draw, floats(draw, 1))
    mode = one_of(draw, "constant", "edge", "reflect")
    return Call(
        [x, below(draw, 3, 4, dtype=np.int64), value if mode == "constant" else None],
        {"mode": mode},
    )


def expand_dims(draw: Draw) -> Call:
    return Call([floats(draw, 3, 4), np.array(one_of(draw, 0, 1, 2, -1), np.int32)], {}, (1,))


def trilu(draw: Draw) -> Call:
    k = np.array(one_of(draw, -1, 0, 1), np.int64)
    return Call([floats(draw, size(draw), size(draw)), k], {"upper": one_of(draw, 0, 1)})


def arange(draw: Draw) -> Call:
    start, step = float(draw.uniform(-2, 2)), maybe(draw, np.array(0.5, np.float32))
    return Call([np.array(start, np.float32), np.array(start + 3.2, np.float32), step])


def unique(draw: Draw) -> Call:
    return Call([below(draw, 4, 9, dtype=np.int64).astype(np.float32)])


def scaled(draw: Draw) -> Call:
    return Call(unary(draw).inputs, {"alpha": 0.7, "beta": 1.3})


ROWS = [
    Row("Gelu", unary),
    Row("BiasGelu", with_bias),
    Row("FastGelu", with_maybe_bias),
    Row("QuickGelu", quick_gelu),
    Row("Affine", scaled, domain=ONNX, opset=9),
    Row("ScaledTanh", scaled, domain=ONNX, opset=9),
    Row("ParametricSoftplus", scaled, domain=ONNX, opset=9),
    Row("ImageScaler", image_scaler, domain=ONNX, opset=9),
    Row("FusedConv", fused_conv),
    Row("FusedConv", fused_conv_sum, label="sum"),
    Row("FusedGemm", fused_gemm, half=False),
    Row("FusedMatMul", fused_matmul),
    Row("TransposeMatMul", transpose_matmul),
    Row("CDist", cdist, half=False),
    Row("SkipLayerNormalization", skip_layer),
    Row("SkipLayerNormalization", skip_layer, ("y", "", "", "sum"), label="sum"),
    Row("SkipSimplifiedLayerNormalization", skip_simplified),
    Row("SkipSimplifiedLayerNormalization", skip_simplified, ("y", "", "", "sum"), label="sum"),
    Row("SimplifiedLayerNormalization", simplified, domain=ONNX),
    Row("SimplifiedLayerNormalization", simplified, ("y", "inverse"), domain=ONNX, label="inverse"),
    Row("LayerNormalization", layer, domain=ONNX, opset=13),
    Row("GatedRMSNorm", gated_norm),
    Row("EmbedLayerNormalization", embed, ("y", "lengths", "sum")),
    Row("BiasSoftmax", bias_softmax, runs=False),
    Row("GatherND", gather_nd),
    Row("Pad", pad),
    Row("ExpandDims", expand_dims),
    Row("Trilu", trilu),
    Row("Range", arange, half=False, smooth=False),
    Row("Unique", unique, ("y", "places", "counts"), half=False, smooth=False),
]
