"""Where examples are in matrix products; one along the examples is a sum over them."""

from ..standard.einsum import explicit_terms
from ..standard.schemas import attribute
from .elementwise import aligned, by_place
from .registry import Call, Mixed, Result, Rows, Total, common, parting, rank_of, size_at

_WITH_OTHERS = "multiplies examples with what is none of them"


@parting("MatMul")
def matmul(call: Call) -> Result:
    """[…, i, k]·[…, k, j]; a vector is a row at the left and a column at the right."""
    a, b = call.node.required(2)
    m, n = rank_of(a), rank_of(b)
    rank = max(m, n, 2)
    left, right = call.of(0), call.of(1)
    if left is not None:
        left = Rows(left.axis + rank - m, left.outer)
    if right is not None:
        right = Rows(right.axis + rank - max(n, 2), right.outer)
    if left is not None and left.axis == rank - 1 or right is not None and right.axis == rank - 2:
        return _contracted(left, right, rank)
    found = [r for r in (left, right) if r is not None]
    rows = common(found)
    if len(found) == 2 and rows.axis >= rank - 2:
        raise Mixed("compares examples with each other")
    for value, held in ((a, left), (b, right)):
        place = rows.axis - (rank - rank_of(value))
        if held is None and rows.axis < rank - 2 and place >= 0 and size_at(value, place) != 1:
            raise by_place(value)
    return Rows(rows.axis - (m == 1 and rows.axis == rank - 1), rows.outer)


def _contracted(left: Rows | None, right: Rows | None, rank: int) -> Result:
    """Tell what a product is that runs along examples: the sum over them, if both hold them."""
    if left is None or right is None or left.outer != right.outer:
        raise Mixed(_WITH_OTHERS)
    if (left.axis, right.axis) != (rank - 1, rank - 2):
        raise Mixed("compares examples with each other")
    return Total.SUM


@parting("Gemm")
def gemm(call: Call) -> Result:
    """α·A′·B′ + β·C"""
    node = call.node
    left, right, c = call.of(0), call.of(1), node.input(2)
    turned = [attribute(node, name) for name in ("transA", "transB")]
    row = None if left is None else left.axis ^ turned[0]
    column = None if right is None else right.axis ^ turned[1]
    if row == 1 or column == 0:
        if (row, column) != (1, 0) or c is not None or left is None or right is None:
            raise Mixed(_WITH_OTHERS)
        if left.outer != right.outer:
            raise Mixed(_WITH_OTHERS)
        return Total.SUM
    places = []
    if left is not None:
        places.append(Rows(0, left.outer))
    if right is not None:
        places.append(Rows(1, right.outer))
    if not places:
        raise Mixed(_WITH_OTHERS)
    rows = common(places)
    return rows if c is None else aligned(call, [c], 2, rows)


@parting("Einsum")
def einsum(call: Call) -> Result:
    """The letter of the examples tells where they are, and that they are summed if it goes."""
    values = call.node.given()
    terms, result, _ = explicit_terms(call.node.attributes["equation"], [*map(rank_of, values)])
    held = [(t, call.rows[v]) for t, v in zip(terms, values, strict=True) if v in call.rows]
    letters = {term[rows.axis] for term, rows in held}
    outer = common(Rows(0, rows.outer) for _, rows in held).outer
    if len(letters) != 1:
        raise Mixed("compares examples with each other")
    (letter,) = letters
    others = [t for t, v in zip(terms, values, strict=True) if v not in call.rows]
    if any(letter in term for term in others) or any(t.count(letter) > 1 for t, _ in held):
        raise Mixed(_WITH_OTHERS)
    return Rows(result.index(letter), outer) if letter in result else Total.SUM
