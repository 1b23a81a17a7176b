"""Axes counted from the front: before opset 11 ONNX knew no others but for a few operators."""

from collections.abc import Iterator

from ..graph.ir import Node

SINCE = 11
"""The first opset in which every operator counts axes from the end, too."""

_ONLY_FROM_FRONT = ("Flatten", "Squeeze", "Unsqueeze")
"""Operators whose older versions demand axes that are not negative; readers take both of others."""

_ATTRIBUTES = ("axis", "axes", "scan_input_axes", "scan_output_axes")


def count_from_front(node: Node) -> bool:
    """Write the axes of a node as numbers from 0, where ranks tell; tell whether it fits so."""
    for name in _ATTRIBUTES:
        given = node.attributes.get(name)
        if given is None:
            continue
        axes: list[int] = given if isinstance(given, list) else [given]
        if all(axis >= 0 for axis in axes):
            continue
        ranks = [rank for _, rank in zip(axes, _ranks(node, name), strict=False)]
        if len(ranks) < len(axes) or None in ranks:
            return node.op_type not in _ONLY_FROM_FRONT
        counted = [a + (r or 0) if a < 0 else a for a, r in zip(axes, ranks, strict=True)]
        node.attributes[name] = counted if isinstance(given, list) else counted[0]
    return True


def _ranks(node: Node, name: str) -> Iterator[int | None]:
    """Yield what each axis counts through: the rank of a value; a value's without the scan axis."""
    tapes = int(node.attributes.get("num_scan_inputs", 0))
    match name:
        case "scan_input_axes":
            yield from (None if v is None else v.rank for v in node.inputs[-tapes:])
        case "scan_output_axes":
            states = len(node.inputs) - tapes
            yield from (None if v is None else v.rank for v in node.outputs[states:])
        case _:
            made = node.op_type in ("OneHot", "Unsqueeze")
            value = node.output() if made else node.first_input
            while True:
                yield value.rank
