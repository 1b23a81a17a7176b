"""Checks of layers whose attributes and sizes must agree: blocks, groups, cells, branches."""

from collections.abc import Callable, Sequence
from functools import partial

from ..graph.dims import may_equal, multiply
from ..graph.ir import Node
from ..graph.types import Dim, Shape, TensorType
from ..standard.schemas import attribute
from .refusal import require
from .shapes import elements_of


def shape_of(node: Node, index: int) -> Shape | None:
    """Give the shape of an input, None where it is omitted, no tensor, or of unknown rank."""
    value = node.inputs[index] if index < len(node.inputs) else None
    return value.type.shape if value is not None and isinstance(value.type, TensorType) else None


def require_shape(node: Node, index: int, wanted: Sequence[Dim], name: str) -> None:
    """Refuse an input of another shape; sizes without a number may be any."""
    shape = shape_of(node, index)
    if shape is not None:
        fits = len(shape) == len(wanted) and all(map(may_equal, shape, wanted))
        listed = ", ".join(map(str, wanted))
        require(node, fits, f"{name} must have the shape ({listed}{',' * (len(wanted) == 1)})")


def _depth_to_space(node: Node) -> None:
    shape, block = shape_of(node, 0), node.attributes["blocksize"]
    if shape is None:
        return
    require(node, len(shape) == 4, f"x must have rank 4, not {len(shape)}")
    whole = not isinstance(shape[1], int) or shape[1] % block**2 == 0
    reason = f"{shape[1]} channels are not a multiple of blocksize² = {block**2}"
    require(node, whole, reason)


def _space_to_depth(node: Node) -> None:
    shape, block = shape_of(node, 0), node.attributes["blocksize"]
    if shape is None:
        return
    require(node, len(shape) == 4, f"x must have rank 4, not {len(shape)}")
    for axis in (2, 3):
        size = shape[axis]
        whole = not isinstance(size, int) or size % block == 0
        require(node, whole, f"axis {axis} of size {size} is not a multiple of blocksize={block}")


def _per_channel(node: Node, names: Sequence[str]) -> None:
    """Check that each parameter after x is one number per channel."""
    shape = shape_of(node, 0)
    if shape is None:
        return
    channels = shape[1] if len(shape) > 1 else 1
    for index, name in enumerate(names, 1):
        require_shape(node, index, [channels], name)


def _group_normalization(node: Node) -> None:
    shape, groups = shape_of(node, 0), node.attributes["num_groups"]
    if shape is not None and len(shape) > 1:
        whole = not isinstance(shape[1], int) or shape[1] % groups == 0
        require(node, whole, f"{shape[1]} channels cannot be shared by num_groups={groups}")
    _per_channel(node, ["scale", "bias"])


def _affine(node: Node, names: Sequence[str]) -> None:
    """Check that scale, bias or slope broadcast to x and do not stretch it."""
    x = shape_of(node, 0)
    for index, name in enumerate(names, 1):
        shape = shape_of(node, index)
        if x is None or shape is None:
            continue
        pairs = zip(shape[::-1], x[::-1], strict=False)
        fits = len(shape) <= len(x) and all(d == 1 or may_equal(d, size) for d, size in pairs)
        require(node, fits, f"{name} of the shape {shape} must broadcast to that of x, {x}")


def _recurrent(node: Node, gates: int, functions: int) -> None:
    """Check the sizes of a layer's weights and states, and how many activations there are."""
    directions = 2 if node.attributes.get("direction") == "bidirectional" else 1
    given = node.attributes.get("activations")
    if given:
        counts = {directions * functions, 2 if node.op_type == "RNN" else directions * functions}
        reason = f"activations must hold {directions * functions}, for {directions} direction(s)"
        require(node, len(given) in counts, reason)
    clip = node.attributes.get("clip")
    require(node, clip is None or clip >= 0, f"clip must be at least 0, not {clip}")
    x, r = shape_of(node, 0), shape_of(node, 2)
    for shape, name in ((x, "X"), (r, "R")):
        require(node, shape is None or len(shape) == 3, f"{name} must have rank 3")
    hidden: Dim = node.attributes.get("hidden_size") or (r[2] if r else "hidden")
    batch: Dim = "batch"
    width: Dim = "inputs"
    if x is not None:
        batch, width = x[0 if attribute(node, "layout") else 1], x[2]
    wide = multiply([gates, hidden])
    state: list[Dim] = [directions, batch, hidden]
    if attribute(node, "layout"):
        state = [batch, directions, hidden]
    require_shape(node, 1, [directions, wide, width], "W")
    require_shape(node, 2, [directions, wide, hidden], "R")
    require_shape(node, 3, [directions, multiply([2, wide])], "B")
    require_shape(node, 4, [batch], "sequence_lens")
    require_shape(node, 5, state, "initial_h")
    if node.op_type == "LSTM":
        require_shape(node, 6, state, "initial_c")
        require_shape(node, 7, [directions, multiply([3, hidden])], "P")


def _condition(node: Node) -> None:
    """Check that the condition of If is one bool."""
    shape = shape_of(node, 0)
    one = shape is None or all(may_equal(d, 1) for d in shape)
    require(node, one, f"the condition must be one bool, not of the shape {shape}")


def _loop(node: Node) -> None:
    for index, name in enumerate(("the trip count M", "the condition")):
        shape = shape_of(node, index)
        one = shape is None or all(may_equal(d, 1) for d in shape)
        require(node, one, f"{name} must be one number, not of the shape {shape}")


def _rotary(node: Node) -> None:
    """Check that heads share the width, and that what is turned is a part of them, in pairs."""
    shape, heads = shape_of(node, 0), node.attributes.get("num_heads") or 0
    turned = attribute(node, "rotary_embedding_dim")
    require(node, turned % 2 == 0, f"rotary_embedding_dim={turned} must be even")
    if shape is None:
        return
    require(node, len(shape) in (3, 4), f"x must have rank 3 or 4, not {len(shape)}")
    width = shape[-1]
    if len(shape) == 3:
        require(node, heads > 0, "num_heads must be given for x of rank 3")
        if isinstance(width, int):
            require(node, width % heads == 0, f"num_heads={heads} cannot share {width}")
            width //= heads
    if isinstance(width, int):
        require(
            node, turned <= width, f"rotary_embedding_dim={turned} is more than a head's {width}"
        )
        require(node, turned or width % 2 == 0, f"a head's {width} elements are turned in pairs")


def _attention(node: Node) -> None:
    """Check the heads of Q, K and V, and that these have as many examples and keys as values."""
    heads, groups = (node.attributes.get(f"{k}_num_heads") or 0 for k in ("q", "kv"))
    require(node, attribute(node, "softcap") >= 0, "softcap must be 0, for none, or more")
    for index, count, name in ((0, heads, "q_num_heads"), (1, groups, ""), (2, groups, "")):
        shape, name = shape_of(node, index), name or "kv_num_heads"
        if shape is None:
            continue
        require(node, len(shape) in (3, 4), f"Q, K and V have rank 3 or 4, not {len(shape)}")
        if len(shape) == 3:
            require(node, count > 0, f"{name} must be given where Q, K and V have rank 3")
            whole = not isinstance(shape[2], int) or shape[2] % count == 0
            require(node, whole, f"{name}={count} cannot share {shape[2]}")
        elif count:
            require(node, may_equal(shape[1], count), f"{name}={count}, but there are {shape[1]}")
    q, k, v = (shape_of(node, index) for index in range(3))
    heads = heads or (q[1] if q and len(q) == 4 else 0)
    groups = groups or (k[1] if k and len(k) == 4 else 0)
    if isinstance(heads, int) and isinstance(groups, int) and heads and groups:
        reason = f"kv_num_heads={groups} cannot share q_num_heads={heads}"
        require(node, heads % groups == 0, reason)
    mask = shape_of(node, 3)
    require(node, mask != (), "attn_mask must have an axis for the keys")
    if q and mask:  # it may end before the last keys
        rows = [q[-2 if len(q) == 4 else 1], heads, q[0]]
        pairs = list(zip(mask[-2::-1], rows, strict=False))
        fits = len(mask) <= 4 and all(d == 1 or n == 0 or may_equal(d, n) for d, n in pairs)
        wanted = ", ".join(map(str, rows[::-1]))
        require(node, fits, f"attn_mask, {mask}, must broadcast to ({wanted}, keys)")
    for shape, name in ((k, "K"), (v, "V")):
        if q and shape:
            fits = may_equal(q[0], shape[0])
            require(node, fits, f"Q holds {q[0]} examples, {name} holds {shape[0]}")
    if k and v:
        same = len(k) + len(v) < 8 or may_equal(k[1], v[1])
        require(node, same, f"K has {k[1]} heads, V has {v[1]}")
        keys, values = (shape[2 if len(shape) == 4 else 1] for shape in (k, v))
        require(node, may_equal(keys, values), f"there are {keys} keys, but {values} values")
        for index, shape, name in ((4, k, "past_key"), (5, v, "past_value")):
            require_shape(node, index, _past(shape, groups), name)
        before, beside = shape_of(node, 4), shape_of(node, 5)
        if before and beside:
            reason = f"past_key holds {before[2]} keys, past_value {beside[2]} values"
            require(node, may_equal(before[2], beside[2]), reason)


def _past(shape: Shape, groups: Dim) -> list[Dim]:
    """Give the sizes of a cache of keys or values: (batch, heads, before, width of a head)."""
    width: Dim = shape[-1]
    if len(shape) == 3:
        known = isinstance(width, int) and isinstance(groups, int) and groups
        width = int(width) // int(groups) if known else "width"
    return [shape[0], groups or "heads", "before", width]


def _split(node: Node) -> None:
    """Check that there are as many outputs as parts."""
    parts, sizes = node.attributes.get("num_outputs"), shape_of(node, 1)
    if parts is not None:
        require(node, len(node.outputs) == parts, f"it has {len(node.outputs)} outputs")
        x, axis = shape_of(node, 0), attribute(node, "axis")
        length = x[axis] if x is not None and -len(x) <= axis < len(x) else None
        if isinstance(length, int):
            part = -(-length // parts)
            reason = f"{length} elements give no {parts} parts of {part}, the last less"
            require(node, part * (parts - 1) <= length, reason)
    elif sizes is not None and len(sizes) == 1:
        reason = f"split holds {sizes[0]} sizes, for {len(node.outputs)} outputs"
        require(node, may_equal(sizes[0], len(node.outputs)), reason)
    for size in elements_of(node.input(1)) or ():
        require(node, isinstance(size, str) or size >= 0, f"a part cannot have {size} elements")


def _quantization(node: Node) -> None:
    """Check the scales: one, one for each place along the axis, or one for each block there."""
    x, scale = shape_of(node, 0), shape_of(node, 1)
    if scale is not None and shape_of(node, 2) not in ((), (1,)):
        require_shape(node, 2, scale, "the zero point")
    if x is None or scale is None:
        return
    axis, block = attribute(node, "axis"), attribute(node, "block_size")
    if scale not in ((), (1,)):
        require(node, -len(x) <= axis < len(x), f"axis={axis} is none of rank {len(x)}")
    if block:
        wanted, size = list(x), x[axis]
        wanted[axis] = -(-size // block) if isinstance(size, int) else "blocks"
        require_shape(node, 1, wanted, f"with block_size={block} the scale")
    elif len(scale) == 1 and scale != (1,):
        require_shape(node, 1, [x[axis]], "the scale")
    else:
        require(node, scale in ((), (1,)), "block_size says how many elements share a scale")


LAYER_CHECKS: dict[str, Callable[[Node], None]] = {
    "Attention": _attention,
    "BatchNormalization": partial(_per_channel, names=["scale", "bias", "input_mean", "input_var"]),
    "DepthToSpace": _depth_to_space,
    "DequantizeLinear": _quantization,
    "GRU": partial(_recurrent, gates=3, functions=2),
    "GroupNormalization": _group_normalization,
    "If": _condition,
    "InstanceNormalization": partial(_per_channel, names=["scale", "bias"]),
    "LSTM": partial(_recurrent, gates=4, functions=3),
    "LayerNormalization": partial(_affine, names=["scale", "bias"]),
    "Loop": _loop,
    "PRelu": partial(_affine, names=["slope"]),
    "QuantizeLinear": _quantization,
    "RMSNormalization": partial(_affine, names=["scale"]),
    "RNN": partial(_recurrent, gates=1, functions=1),
    "RotaryEmbedding": _rotary,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
}
