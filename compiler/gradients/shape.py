"""Gradients of operators that only move elements."""

from ..differentiation.rules import Entries, gradient
from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("Reshape", "Squeeze", "Unsqueeze", "Flatten")
def reshape(op: Ops, node: Node, dy: Value) -> Entries:
    """The same elements in the shape of x: dx = Reshape(dy, Shape(x))"""
    dx = op.Reshape(dy, op.Shape(node.inputs[0]), allowzero=1)
    return dx, *(None for _ in node.inputs[1:])


@gradient("Transpose")
def transpose(op: Ops, node: Node, dy: Value) -> Entries:
    """The inverse permutation; without perm the axes are reversed, which is its own inverse."""
    perm = node.attributes.get("perm")
    inverse = None if perm is None else sorted(range(len(perm)), key=perm.__getitem__)
    return op.Transpose(dy, perm=inverse)


@gradient("Expand", broadcasts=True)
def expand(op: Ops, node: Node, dy: Value) -> Entries:
    """A broadcast: dx is the sum over the axes that it stretched"""
    return dy, None


@gradient("Tile")
def tile(op: Ops, node: Node, dy: Value) -> Entries:
    """Copies side by side: each axis splits into (copies, x's axis), and dx sums the copies"""
    x, repeats = node.inputs
    shape = op.Shape(x)
    pairs = op.Concat(op.Unsqueeze(repeats, [1]), op.Unsqueeze(shape, [1]), axis=1)
    copies = op.Reshape(dy, op.Reshape(pairs, [-1]), allowzero=1)
    axes = op.Range(0, op.Mul(op.Size(shape), 2), 2)
    return op.ReduceSum(copies, axes, keepdims=0, noop_with_empty_axes=1), None


@gradient("Trilu")
def trilu(op: Ops, node: Node, dy: Value) -> Entries:
    """Zeros outside of a triangle: dx = Trilu(dy)"""
    dx = op.Trilu(dy, *node.inputs[1:], upper=attribute(node, "upper"))
    return dx, *(None for _ in node.inputs[1:])


@gradient("DepthToSpace")
def depth_to_space(op: Ops, node: Node, dy: Value) -> Entries:
    """Its inverse; in CRD mode by a transpose, since SpaceToDepth has no modes before opset 28"""
    block = node.attributes["blocksize"]
    if attribute(node, "mode") == "DCR":
        return op.SpaceToDepth(dy, blocksize=block)
    x_shape = op.Shape(node.first_input)
    batch, depth, height, width = (op.Gather(x_shape, [k]) for k in range(4))
    channels = op.Div(depth, block * block)
    split = op.Concat(batch, channels, height, [block], width, [block], axis=0)
    blocks = op.Transpose(op.Reshape(dy, split, allowzero=1), perm=[0, 1, 3, 5, 2, 4])
    return op.Reshape(blocks, x_shape, allowzero=1)


@gradient("SpaceToDepth")
def space_to_depth(op: Ops, node: Node, dy: Value) -> Entries:
    """Its inverse: DepthToSpace in the same mode"""
    mode = attribute(node, "mode")
    return op.DepthToSpace(dy, blocksize=node.attributes["blocksize"], mode=mode)


@gradient("Range")
def range_(op: Ops, node: Node, dy: Value) -> Entries:
    """y_i = start + i·delta:  d start = Σ dy,  d delta = Σ i·dy;  limit only sets the length"""
    start, _, delta = node.required(3)
    steps = cast_to(op, op.Range(0, op.Size(dy), 1), dy)
    return _shaped(op, dy, start), None, _shaped(op, op.Mul(dy, steps), delta)


def _shaped(op: Ops, dy: Value, number: Value) -> Value:
    """Sum dy to one number, in the shape of another, which may have rank 1."""
    total = op.ReduceSum(dy, keepdims=0)
    return total if number.rank == 0 else op.Reshape(total, op.Shape(number))
