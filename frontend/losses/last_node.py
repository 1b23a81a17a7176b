"""The Softmax or Sigmoid that a model ends with, seen through what only moves its elements."""

from math import prod

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.standard.schemas import attribute

from ..building.builder import Builder, Tensor

LOSS_OF = {
    "Softmax": "cross_entropy or kl_divergence",
    "LogSoftmax": "cross_entropy, kl_divergence or ctc",
    "Sigmoid": "binary_cross_entropy",
}
"""Which losses hold a last node of this kind inside."""

_COPIES = ("Identity", "Cast")
_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")


def last_node(graph: Graph, value: Value) -> tuple[Node, list[Node]] | None:
    """Give the node of such a kind that a value comes from, and the nodes after it, in order."""
    after: list[Node] = []
    node = graph.producer(value)
    while node is not None and node.operator in (*_COPIES, *_RESHAPES, "Transpose"):
        after.insert(0, node)
        node = graph.producer(node.first_input)
    return None if node is None or node.operator not in LOSS_OF else (node, after)


def go_around(b: Builder, node: Node, after: list[Node], axis: int | None) -> Tensor:
    """Give what a value would be without the node: its input, moved as the output is.

    Args:
        b: the builder of the graph.
        node: the last node.
        after: what moves its output.
        axis: where its axis must end up; None for one that works element by element.

    Raises:
        GraphError: its axis ends up elsewhere, or sizes that would tell are not known.
    """
    x = b.value(node.first_input.name)
    place = None if axis is None else attribute(node, "axis") % node.first_input.known_rank
    for step in after:
        if place is not None:
            place = _moved(step, place)
            if place is None:
                raise GraphError(
                    f"where the classes of {node.label} are after {step.label} cannot be told; "
                    f"name the logits with of='{node.first_input.name}'"
                )
        if step.operator not in _COPIES:
            others = [None if v is None else b.value(v.name) for v in step.inputs[1:]]
            x = getattr(b.op, step.op_type)(x, *others, **step.attributes)
    if place != axis:
        raise GraphError(f"{node.label} works along another axis than the loss, {axis}")
    return x


def _moved(node: Node, axis: int) -> int | None:
    """Tell where an axis of a node's input is in its output; None where sizes do not prove it."""
    if node.operator in _COPIES:
        return axis
    before, after = node.first_input.shape, node.output().shape
    if before is None or after is None:
        return None
    if node.operator == "Transpose":
        return list(node.attributes.get("perm", range(len(before))[::-1])).index(axis)
    # elements keep their order, so an axis is one of its size with as many elements behind it
    size, behind = before[axis], _elements(before[axis + 1 :])
    if behind is None or not isinstance(size, int) or size < 2:
        return None
    for k, other in enumerate(after):
        if other == size and _elements(after[k + 1 :]) == behind:
            return k
    return None


def _elements(shape: tuple[int | str, ...]) -> int | None:
    numbers = [d for d in shape if isinstance(d, int)]
    return prod(numbers) if len(numbers) == len(shape) else None
