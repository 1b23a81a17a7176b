"""Gradient of Einsum, any equation: an Einsum with the cotangent in the place of an operand."""

from string import ascii_letters

from ..differentiation.rules import RANKLESS, Entries, gradient
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..graph.types import Dim
from ..standard.einsum import explicit_terms


@gradient("Einsum", broadcasts=True)
def einsum(op: Ops, node: Node, dy: Value) -> Entries:
    """dX[its indices] = Σ dY[output]·Π others, over the indices that X lacks

    An index that only X has was summed: dX is spread over it, as it is over an index that may have
    the size 1 everywhere else. An index that X repeats reads a diagonal: dX is zero beside it.
    """
    operands = [v for v in node.inputs if v is not None]
    if any(v.rank is None for v in operands):
        return (RANKLESS,) * len(operands)
    ranks = [v.rank or 0 for v in operands]
    terms, output, _ = explicit_terms(node.attributes["equation"], ranks)
    entries = []
    for k, (x, term) in enumerate(zip(operands, terms, strict=True)):
        others = [*operands[:k], *operands[k + 1 :]]
        other_terms = [*terms[:k], *terms[k + 1 :]]
        entries.append(_by_operand(op, x, term, [dy, *others], [output, *other_terms]))
    return entries


def _by_operand(op: Ops, x: Value, term: str, operands: list[Value], terms: list[str]) -> Value:
    """Give the gradient of one operand; `operands` are the cotangent and the other operands."""
    known = set("".join(terms))
    spare = [c for c in ascii_letters if c not in known and c not in term]
    result, diagonals = "", []
    for axis, index in enumerate(term):
        if index not in result:
            result += index
        else:  # a second axis of the same index: only its diagonal was read
            diagonals.append((term.index(index), axis))
            result += spare.pop(0)
    reached = "".join(c for c in result if c in known)
    dx: Value = op.Einsum(*operands, equation=f"{','.join(terms)}->{reached}")
    missing = [axis for axis, c in enumerate(result) if c not in known]
    if missing:
        dx = op.Unsqueeze(dx, missing)
    if missing or not _has_sizes(x, term, operands, terms):
        dx = op.Expand(dx, op.Shape(x))
    for pair in diagonals:
        dx = op.Where(_diagonal(op, x, len(term), pair), dx, 0.0)
    return dx


def _has_sizes(x: Value, term: str, operands: list[Value], terms: list[str]) -> bool:
    """Tell whether the others have each index of x in its size; with size 1 they are stretched."""
    found: set[tuple[str, Dim]] = set()
    for value, other in zip(operands, terms, strict=True):
        found.update(zip(other, value.shape or (), strict=bool(value.shape)))
    pairs = zip(term, x.shape or (), strict=True)
    return all(size == 1 or (index, size) in found for index, size in pairs)


def _diagonal(op: Ops, x: Value, rank: int, axes: tuple[int, int]) -> Value:
    """Mark where the places along two axes are equal."""
    places = []
    for axis in axes:
        numbers = op.Range(0, op.Squeeze(op.Shape(x, start=axis, end=axis + 1), [0]), 1)
        places.append(op.Unsqueeze(numbers, [k for k in range(rank) if k != axis]))
    return op.Equal(*places)
