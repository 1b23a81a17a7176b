"""Bodies of normalizations with the sums before them; half precision is computed in float32."""

from collections.abc import Sequence

from ...emission.accumulation import as_float32, cast_to
from ...emission.ops import Ops
from ...emission.positions import dimension, from_front
from ...errors import UnsupportedOpError
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..registry import contrib_body
from .activations import swish
from .convolution import channels_first, channels_last


@contrib_body("SkipLayerNormalization")
def skip_layer_normalization(op: Ops, node: Node) -> Sequence[Value | None]:
    """LayerNormalization of x + skip + bias, and that sum"""
    x, skip, gamma = node.required(3)
    total = _sum(op, x, skip, node.input(4))
    return [*_normalized(op, node, total, gamma, node.input(3)), cast_to(op, total, x)][
        : len(node.outputs)
    ]


@contrib_body("SkipSimplifiedLayerNormalization")
def skip_rms_normalization(op: Ops, node: Node) -> Sequence[Value | None]:
    """RMSNormalization of x + skip + bias, and that sum"""
    x, skip, gamma = node.required(3)
    total = _sum(op, x, skip, node.input(3))
    y, inverse = _rms_normalized(op, total, gamma, attribute(node, "epsilon"), -1)
    asked = [cast_to(op, y, x), None, inverse, cast_to(op, total, x)]
    if len(node.outputs) > 1 and node.outputs[1] is not None:
        raise UnsupportedOpError("it subtracts no mean, and one is asked for", [node.operator])
    return asked[: len(node.outputs)]


@contrib_body("SimplifiedLayerNormalization", domain="")
def rms_normalization(op: Ops, node: Node) -> Sequence[Value | None]:
    """RMSNormalization, and 1/√(mean x² + ε)"""
    x, scale = node.required(2)
    wide = as_float32(op, x)
    axis, epsilon = attribute(node, "axis"), attribute(node, "epsilon")
    y, inverse = _rms_normalized(op, wide, scale, epsilon, axis)
    return [cast_to(op, y, scale), inverse][: len(node.outputs)]


def _rms_normalized(
    op: Ops, x: Value, scale: Value, epsilon: float, axis: int
) -> tuple[Value, Value]:
    axes = [axis] if axis == -1 else list(range(axis % x.known_rank, x.known_rank))
    mean = op.ReduceMean(op.Mul(x, x), axes)
    inverse = op.Reciprocal(op.Sqrt(op.Add(mean, epsilon)))
    return op.Mul(op.Mul(x, inverse), cast_to(op, scale, x)), inverse


def _embedded(op: Ops, table: Value, rows: Value) -> Value:
    found: Value = op.Gather(table, from_front(op, rows, dimension(op, table, 0)))
    return found


@contrib_body("EmbedLayerNormalization")
def embed_layer_normalization(op: Ops, node: Node) -> Sequence[Value | None]:
    """LayerNormalization of the sum of the embeddings of words, positions and segments"""
    words, segments = node.first_input, node.input(1)
    word, position, segment = node.input(2), node.input(3), node.input(4)
    gamma, beta, mask, places = (node.input(k) for k in (5, 6, 7, 8))
    assert word is not None and position is not None and gamma is not None
    count = op.Squeeze(op.Shape(words, start=1, end=2), [0])
    rows = op.Range(0, count, 1) if places is None else places
    total = op.Add(_embedded(op, word, words), _embedded(op, position, rows))
    if segments is not None and segment is not None:
        total = op.Add(total, _embedded(op, segment, segments))
    y, *_ = _normalized(op, node, as_float32(op, total), gamma, beta)
    lengths: Value | None = None
    if len(node.outputs) > 1 and node.outputs[1] is not None:
        batch = op.Shape(words, end=1)
        lengths = op.Expand(op.constant(0, "int32"), batch)
        if mask is not None:
            lengths = op.ReduceSum(mask, [1], keepdims=0)
    return [cast_to(op, y, word), lengths, total][: len(node.outputs)]


@contrib_body("GatedRMSNorm")
def gated_rms_norm(op: Ops, node: Node) -> Value:
    """RMSNormalization of x, times f(gate); a row may be several, each as long as the scale"""
    x, scale, gate = node.required(3)
    name = attribute(node, "activation")
    if name not in ("silu", "swish", "sigmoid"):
        raise UnsupportedOpError(f"its activation '{name}' is not known", [node.operator])
    wide, opened = as_float32(op, x), as_float32(op, gate)
    shape = op.Shape(x)
    rows = op.Reshape(wide, op.Concat([-1], op.Shape(scale), axis=0))
    y, _ = _rms_normalized(op, rows, scale, attribute(node, "epsilon"), -1)
    opened = op.Sigmoid(opened) if name == "sigmoid" else swish(op, opened, 1.0)
    return cast_to(op, op.Mul(op.Reshape(y, shape, allowzero=1), opened), x)


@contrib_body("GroupNorm", "SkipGroupNorm")
def group_norm(op: Ops, node: Node) -> Sequence[Value | None]:
    """GroupNormalization of x (+ skip + bias), then x·σ(x) where it is asked for; and that sum"""
    x, gamma, beta = node.required(3)
    skip, bias = node.input(3), node.input(4)
    last = bool(attribute(node, "channels_last"))
    total = as_float32(op, x)
    if skip is not None:
        total = op.Add(total, as_float32(op, skip))
    if bias is not None:
        total = op.Add(total, as_float32(op, bias))
    images = channels_first(op, total) if last else total
    scale, shift = (cast_to(op, v, images) for v in (gamma, beta))
    groups, epsilon = node.attributes["groups"], attribute(node, "epsilon")
    y = op.GroupNormalization(images, scale, shift, num_groups=groups, epsilon=epsilon)
    y = swish(op, y, 1.0) if node.attributes["activation"] else y
    y = channels_last(op, y) if last else y
    return [cast_to(op, v, x) for v in (y, total)][: len(node.outputs)]


def _sum(op: Ops, x: Value, *others: Value | None) -> Value:
    """Add up in float32 at least."""
    total = as_float32(op, x)
    for other in filter(None, others):
        total = op.Add(total, as_float32(op, other))
    return total


def _normalized(
    op: Ops, node: Node, x: Value, gamma: Value, beta: Value | None
) -> tuple[Value, Value | None, Value | None]:
    """Normalize the last axis; give y in the dtype of gamma, the mean and 1/deviation."""
    statistics = any(v is not None for v in node.outputs[1:3]) and node.op_type.startswith("Skip")
    scale, shift = (None if v is None else cast_to(op, v, x) for v in (gamma, beta))
    results = op.emit_all(
        "LayerNormalization",
        x,
        scale,
        shift,
        outputs=3 if statistics else 1,
        axis=-1,
        epsilon=attribute(node, "epsilon"),
    )
    y, *others = results
    assert y is not None
    mean, inverse = others or (None, None)
    return cast_to(op, y, gamma), mean, inverse


@contrib_body("BiasSoftmax")
def bias_softmax(op: Ops, node: Node) -> Value:
    """The softmax of x + bias over the axes from `axis` on, taken together

    The bias repeats along axes of x: from the front, or just before `axis`.
    """
    x, bias = node.required(2)
    axis = attribute(node, "axis") % x.known_rank
    if node.attributes["is_inner_broadcast"] and bias.known_rank < x.known_rank:
        raise UnsupportedOpError("its bias lacks axes of x", [node.operator])
    scores = op.Add(as_float32(op, x), as_float32(op, bias))
    if axis != x.known_rank - 1:
        shape = op.Shape(scores)
        scores = op.Reshape(op.Softmax(op.Flatten(scores, axis=axis)), shape, allowzero=1)
        return cast_to(op, scores, x)
    return cast_to(op, op.Softmax(scores), x)


@contrib_body("BiasDropout")
def bias_dropout(op: Ops, node: Node) -> Sequence[Value | None]:
    """Dropout(x + bias) + residual"""
    x, bias = node.required(2)
    residual, ratio, training = node.input(2), node.input(3), node.input(4)
    seed = node.attributes.get("seed")
    y, *mask = op.emit_all(
        "Dropout", op.Add(x, bias), ratio, training, outputs=len(node.outputs), seed=seed
    )
    return [y if residual is None else op.Add(y, residual), *mask]
