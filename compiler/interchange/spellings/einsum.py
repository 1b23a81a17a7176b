"""How Einsum is written so that ONNX's inference and onnxruntime understand it; see SPELLINGS."""

from collections.abc import Mapping, Sequence
from math import prod

from ...emission.accumulation import accumulate
from ...emission.ops import Ops
from ...graph.dims import typical_size
from ...graph.ir import Node, Value
from ...standard.einsum import explicit_terms


def einsum(op: Ops, node: Node) -> bool:
    """Stretch no axis, multiply first what is least, and move no axis that may be empty."""
    stretched = _without_stretching(op, node)
    ordered = _in_cheap_order(node)
    return _without_moving(op, node) or stretched or ordered


def _without_stretching(op: Ops, node: Node) -> bool:
    """Leave out axes of size 1 whose index is longer elsewhere: ONNX's inference takes the first.

    So "i,ij->ij" with one i in the first operand becomes ",ij->ij".
    """
    operands = [v for v in node.inputs if v is not None]
    if any(v.shape is None for v in operands):
        return False
    ranks = [len(v.shape or ()) for v in operands]
    terms, output, _ = explicit_terms(node.attributes["equation"], ranks)
    shapes = [v.shape or () for v in operands]
    pairs = zip("".join(terms), (d for s in shapes for d in s), strict=True)
    longer = {index for index, dim in pairs if dim != 1}
    values = []
    for k, (x, term, shape) in enumerate(zip(operands, terms, shapes, strict=True)):
        single = [a for a, index in enumerate(term) if shape[a] == 1 and index in longer]
        values.append(op.Squeeze(x, single) if single else x)
        terms[k] = "".join(index for a, index in enumerate(term) if a not in single)
    if values != operands:
        node.inputs, node.attributes["equation"] = tuple(values), f"{','.join(terms)}->{output}"
    return values != operands


def _in_cheap_order(node: Node) -> bool:
    """Put operands in the order in which the products of each with those before it are smallest.

    onnxruntime multiplies from left to right: "il,jk,kl->ij" begins with all of il times all of jk.
    """
    operands = [v for v in node.inputs if v is not None]
    if len(operands) < 3 or any(v.shape is None for v in operands):
        return False
    ranks = [v.rank or 0 for v in operands]
    terms, output, _ = explicit_terms(node.attributes["equation"], ranks)
    sizes: dict[str, int] = {}
    for value, term in zip(operands, terms, strict=True):
        for letter, dim in zip(term, value.shape or (), strict=True):
            sizes[letter] = max(sizes.get(letter, 1), typical_size((dim,)))
    given = list(range(len(terms)))
    orders = [given, *(_cheapest_from(first, terms, output, sizes) for first in given)]
    best = min(orders, key=lambda order: _work(order, terms, output, sizes))
    if best != given:
        node.inputs = tuple(operands[k] for k in best)
        node.attributes["equation"] = f"{','.join(terms[k] for k in best)}->{output}"
    return best != given


def _cheapest_from(
    first: int, terms: Sequence[str], output: str, sizes: Mapping[str, int]
) -> list[int]:
    """Begin with an operand, and go on with the one whose product with those before is smallest."""
    order = [first]
    while rest := [k for k in range(len(terms)) if k not in order]:
        order.append(min(rest, key=lambda k: _work([*order, k], terms, output, sizes)))
    return order


def _work(order: Sequence[int], terms: Sequence[str], output: str, sizes: Mapping[str, int]) -> int:
    """Count the products of an order; what only the operands so far have is summed over."""
    work, held = 0, set(terms[order[0]])
    for count, k in enumerate(order[1:], 2):
        met = held | set(terms[k])
        work += prod(sizes[letter] for letter in met)
        done = set(order[:count])
        later = {c for j, term in enumerate(terms) if j not in done for c in term}
        held = met & (later | set(output))
    return work


def _without_moving(op: Ops, node: Node) -> bool:
    """Write transpositions out, operand by operand: onnxruntime 1.32 dies of one without elements.

    Two operands at a time become "nik,nkj", n in both and the result, k in both alone; what stands
    in one of them and nowhere else is summed before.
    """
    operands = [v for v in node.inputs if v is not None]
    sizes = [d for v in operands for d in (("?",) if v.shape is None else v.shape)]
    if any(v.rank is None for v in operands) or all(isinstance(d, int) and d > 0 for d in sizes):
        return False
    if operands[0].dtype.kind in "iu" and operands[0].dtype.itemsize < 4:
        return False  # ReduceSum takes none, nor has onnxruntime a kernel
    ranks = [v.rank or 0 for v in operands]
    terms, output, _ = explicit_terms(node.attributes["equation"], ranks)
    first, term = _diagonal(op, operands[0], terms[0])
    if len(operands) == 1:
        node.inputs, node.attributes["equation"] = (first,), f"{term}->{output}"
        return term != terms[0]
    for k, (second, other) in enumerate(zip(operands[1:], terms[1:], strict=True)):
        later = output + "".join(terms[k + 2 :])
        second, other = _diagonal(op, second, other)
        first, term = _summed(op, first, term, other + later)
        second, other = _summed(op, second, other, term + later)
        both = [c for c in term if c in other]
        kept, met = [c for c in both if c in later], [c for c in both if c not in later]
        rows, columns = ([c for c in t if c not in both] for t in (term, other))
        first = _in_order(op, first, [term.index(c) for c in [*kept, *rows, *met]])
        second = _in_order(op, second, [other.index(c) for c in [*kept, *met, *columns]])
        pair = "".join([*kept, *rows, *met, ",", *kept, *met, *columns])
        if k == len(operands) - 2:
            node.inputs, node.attributes["equation"] = (first, second), f"{pair}->{output}"
            return True
        term = "".join([*kept, *rows, *columns])
        first = op.Einsum(first, second, equation=f"{pair}->{term}")
    return False


def _diagonal(op: Ops, x: Value, term: str) -> tuple[Value, str]:
    """Take the diagonal of the axes that share a letter: what is beside it is summed as zeros."""
    for letter in dict.fromkeys(term):
        while (second := term.rfind(letter)) != (first := term.find(letter)):
            size = op.Squeeze(op.Shape(x, start=first, end=first + 1), [0])
            count = op.Range(op.constant(0), size, op.constant(1))
            places = [
                op.Unsqueeze(count, [a for a in range(len(term)) if a != axis])
                for axis in (first, second)
            ]
            kept = op.Where(op.Equal(*places), x, op.like(0, x))
            x = accumulate(op, kept, [second], keepdims=0)
            term = term[:second] + term[second + 1 :]
    return x, term


def _summed(op: Ops, x: Value, term: str, wanted: str) -> tuple[Value, str]:
    """Sum over the axes whose letters nothing else has."""
    axes = [a for a, c in enumerate(term) if c not in wanted]
    if not axes:
        return x, term
    return accumulate(op, x, axes, keepdims=0), "".join(c for c in term if c in wanted)


def _in_order(op: Ops, x: Value, order: list[int]) -> Value:
    return x if order == sorted(order) else op.Transpose(x, perm=order)
