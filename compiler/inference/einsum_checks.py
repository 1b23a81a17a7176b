"""Checks of the equation of Einsum; ONNX's own inference does not end on some that are wrong."""

import re

from ..graph.ir import Node
from ..graph.types import Shape, TensorType
from ..graph.wording import counted
from .refusal import require

_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")
"""The indices of an operand or of the output: letters, at one place perhaps an ellipsis."""


def check_einsum(node: Node) -> None:
    """Refuse an equation that is not written as the standard has it, or not for these operands."""
    equation = node.attributes["equation"].replace(" ", "")
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    for term in [*terms, output]:
        reason = f"'{term}' in its equation is not made of letters and one ellipsis at most"
        require(node, _TERM.fullmatch(term) is not None, reason)
    reason = (
        f"its equation has {counted(len(terms), 'term')} for {counted(len(node.inputs), 'input')}"
    )
    require(node, len(terms) == len(node.inputs), reason)
    if arrow:
        _check_output(node, left, output)
    sizes: dict[str, set[int]] = {}
    widths = set()
    for value, term in zip(node.inputs, terms, strict=True):
        if value is None or not isinstance(value.type, TensorType) or value.shape is None:
            continue
        named, rank = len(term.replace("...", "")), len(value.shape)
        fits = named <= rank if "..." in term else named == rank
        require(node, fits, f"{value.name} has rank {rank}, '{term}' names {named} of its axes")
        first, ellipsis, last = term.partition("...")
        _check_diagonal(node, term, value.shape)
        unnamed = [f"{k} of the ellipsis" for k in range(rank - named)]
        widths.update([len(unnamed)] if ellipsis else [])
        for index, dim in zip([*first, *unnamed, *last], value.shape, strict=True):
            if isinstance(dim, int) and dim != 1:
                sizes.setdefault(index, set()).add(dim)
    ranks = " and ".join(map(str, sorted(widths)))
    require(node, len(widths) < 2, f"its ellipsis stands for {ranks} axes")
    for index, known in sizes.items():
        reason = f"its index {index} has the sizes {' and '.join(map(str, sorted(known)))}"
        require(node, len(known) == 1, reason)


def _check_diagonal(node: Node, term: str, shape: Shape) -> None:
    """Refuse an index that names two axes of different sizes in one term: there 1 is no other."""
    first, _, last = term.partition("...")
    named = [*zip(first, shape, strict=False), *zip(last[::-1], shape[::-1], strict=False)]
    sizes: dict[str, set[int]] = {}
    for index, dim in named:
        if isinstance(dim, int):
            sizes.setdefault(index, set()).add(dim)
    for index, known in sizes.items():
        listed = " and ".join(map(str, sorted(known)))
        require(node, len(known) == 1, f"its index {index} has the sizes {listed} in '{term}'")


def _check_output(node: Node, left: str, output: str) -> None:
    """Refuse an output that names an index twice, or one that no operand has."""
    letters = output.replace("...", "")
    require(node, len(set(letters)) == len(letters), f"its output '{output}' names an index twice")
    new = "', '".join(sorted(set(letters) - set(left)))
    require(node, not new, f"its output has '{new}', which no operand has")
    if "..." in left:
        reason = (
            "its output lacks the ellipsis that its inputs have; "
            "add it, and sum over those axes with ReduceSum"
        )
        require(node, "..." in output, reason)
    else:
        require(node, "..." not in output, "its output has an ellipsis, its inputs have none")
