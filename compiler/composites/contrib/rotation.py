"""Bodies of rotary position embeddings."""

from ...emission.accumulation import as_float32, cast_to
from ...emission.ops import Ops
from ...emission.positions import dimension, from_front
from ...errors import UnsupportedOpError
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..attention import join_heads
from ..registry import contrib_body


@contrib_body("RotaryEmbedding")
def rotary_embedding(op: Ops, node: Node) -> Value:
    """Rotate pairs of each head's elements by the angles of its position

    x: (batch, length, width) or (batch, heads, length, size); positions: (batch, length), or one,
    that of the first.
    """
    x, places, cosines, sines = node.required(4)
    if attribute(node, "is_packed_batching"):
        raise UnsupportedOpError("its batch is ragged", [node.operator])
    places = from_front(op, places, dimension(op, cosines, 0))
    if places.known_rank == 1:
        length = op.Squeeze(dimension(op, x, 1 if x.known_rank == 3 else 2))
        places = op.Unsqueeze(op.Add(places, op.Range(0, length, 1)), [0])
    interleaved = bool(attribute(node, "interleaved"))
    if x.known_rank == 4:
        return rotated_heads(op, x, cosines, sines, places, interleaved)
    heads = attribute(node, "num_heads")
    if heads and attribute(node, "rotary_embedding_dim"):
        split = op.Concat(op.Shape(x, end=2), [heads, -1], axis=0)
    else:
        size = op.Mul(dimension(op, cosines, 1), 2)
        split = op.Concat(op.Shape(x, end=2), op.Div(dimension(op, x, 2), size), size, axis=0)
    apart = op.Transpose(op.Reshape(x, split), perm=[0, 2, 1, 3])
    return join_heads(op, rotated_heads(op, apart, cosines, sines, places, interleaved))


def rotated_heads(
    op: Ops, x: Value, cosines: Value, sines: Value, places: Value, interleaved: bool
) -> Value:
    """Rotate the first elements of each head, as many as the caches have angles, two by two.

    x: (batch, heads, length, size); cosines and sines: (positions, pairs); places: (batch, length).
    """
    wide = as_float32(op, x)
    c, s = (op.Unsqueeze(as_float32(op, op.Gather(t, places)), [1]) for t in (cosines, sines))
    pairs = dimension(op, cosines, 1)
    turned, rest = op.Split(
        wide,
        op.Concat(op.Mul(pairs, 2), op.Sub(dimension(op, x, 3), op.Mul(pairs, 2)), axis=0),
        axis=3,
        outputs=2,
    )
    if interleaved:
        shape = op.Concat(op.Shape(turned, end=3), pairs, [2], axis=0)
        a, b = (
            op.Squeeze(h, [4]) for h in op.Split(op.Reshape(turned, shape), axis=4, num_outputs=2)
        )
    else:
        a, b = op.Split(turned, axis=3, num_outputs=2)
    real = op.Sub(op.Mul(c, a), op.Mul(s, b))
    imaginary = op.Add(op.Mul(s, a), op.Mul(c, b))
    if interleaved:
        both = op.Concat(op.Unsqueeze(real, [4]), op.Unsqueeze(imaginary, [4]), axis=4)
        turned = op.Reshape(both, op.Shape(turned))
    else:
        turned = op.Concat(real, imaginary, axis=3)
    return cast_to(op, op.Concat(turned, rest, axis=3), x)
