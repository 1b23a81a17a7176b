"""Arithmetic on symbolic dimensions, so that equal sizes get equal names; it knows no operators."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from keyword import iskeyword
from math import prod

from .types import ANONYMOUS, Dim, Shape, fresh_dim

LONGEST = 64
"""Longer texts (sums of sums) are not read as arithmetic."""

_NO_NAMES = {
    "", "any", "auto", "dyn", "dynamic", "free", "nan", "none", "not_set", "notset", "null",
    "undef", "undefined", "unk", "unknown", "unnamed", "unset", "unspecified",
}  # fmt: skip
"""What exporters write where they do not know a size, apart from case, underscores and a number."""

_ARITHMETIC = re.compile(r"(?a:(?:[A-Za-z_]\w*+|\d+(?!\w)|//|[-+*() ])++)")
"""Possessive: that a text is none is known after one pass, not after all ways to part its names."""

_MOST_TERMS = 64
"""Longer sums get a name of their own: thousands of parts of unknown sizes may be joined."""

_REMEMBERED = 2**14
"""How many sums and products are remembered: deep networks repeat themselves."""

_Polynomial = dict[tuple[str, ...], int]
"""Coefficients by monomial: 2·N·M + 3 is {("M", "N"): 2, (): 3}."""


def may_equal(a: Dim, b: Dim) -> bool:
    """Tell whether two sizes can be one: unless both are numbers, they can."""
    return a == b or isinstance(a, str) or isinstance(b, str)


def shapes_may_equal(a: Shape | None, b: Shape | None) -> bool:
    """Tell whether two shapes can be one; an unknown rank can be any."""
    return a is None or b is None or len(a) == len(b) and all(map(may_equal, a, b))


def is_name(text: str) -> bool:
    """Tell whether a text names a size: an identifier, and not one that says "unknown"."""
    if not text.isascii() or not text.isidentifier() or iskeyword(text):
        return False
    word = text.rstrip("_0123456789").lstrip("_").casefold()
    return ANONYMOUS not in text and word not in _NO_NAMES


def is_sum(text: str) -> bool:
    """Tell whether a text is made of names by sums, products and whole quotients: "past + 1"."""
    if len(text) > LONGEST or not _ARITHMETIC.fullmatch(text):
        return False
    tree = _parse(text)
    return _is_arithmetic(tree) and any(isinstance(item, ast.Name) for item in ast.walk(tree))


def _is_arithmetic(tree: ast.expr) -> bool:
    match tree:
        case ast.Constant(value=int()):
            return True
        case ast.Name(id=name):
            return is_name(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_arithmetic(operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult(), right=right):
            return _is_arithmetic(left) and _is_arithmetic(right)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=ast.Constant(value=int(divisor))):
            return divisor > 0 and _is_arithmetic(left)
        case _:
            return False


def substitute(dim: Dim, sizes: Mapping[str, Dim]) -> Dim:
    """Put sizes in place of names, in the one spelling: ("past + seq", {"seq": 1}) → "past+1"."""
    return sum_of(
        multiply([coefficient, *(_replaced(n, sizes) for n in monomial)])
        for monomial, coefficient in _read(dim).items()
    )


def _replaced(name: str, sizes: Mapping[str, Dim]) -> Dim:
    match _parse(name):
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=ast.Constant(value=int(divisor))):
            return quotient(substitute(ast.unparse(left), sizes), divisor)
        case _:
            return sizes.get(name, name)


def multiply(dims: Iterable[Dim]) -> Dim:
    """Multiply dimensions: ("N", 2, 3) → "6*N"; equal products have equal names."""
    return _product(tuple(dims))


@lru_cache(maxsize=_REMEMBERED)
def _product(dims: tuple[Dim, ...]) -> Dim:
    result: _Polynomial = {(): 1}
    for dim in dims:
        result = _times(result, _read(dim))
    return _write(result)


def add(left: Dim, right: Dim) -> Dim:
    """Add two dimensions: ("N", 1) → "N+1"; equal sums have equal names."""
    return sum_of((left, right))


def sum_of(dims: Iterable[Dim]) -> Dim:
    """Add any number of dimensions."""
    return _sum(tuple(dims))


@lru_cache(maxsize=_REMEMBERED)
def _sum(dims: tuple[Dim, ...]) -> Dim:
    total: Counter[tuple[str, ...]] = Counter()
    for dim in dims:
        total.update(_read(dim))
    return _write(dict(total))


def negate(dim: Dim) -> Dim:
    """Give −dim."""
    return multiply([-1, dim])


def divide(dividend: Dim, divisor: Dim) -> Dim | None:
    """Divide by one monomial where the result is certainly whole: ("6*N", "N") → 6; else None."""
    terms = _read(divisor)
    if len(terms) != 1:
        return 1 if dividend == divisor else None
    ((names, factor),) = terms.items()
    result: _Polynomial = {}
    for monomial, coefficient in _read(dividend).items():
        rest = Counter(monomial)
        rest.subtract(names)
        if factor == 0 or coefficient % factor or min(rest.values(), default=0) < 0:
            return None
        result[tuple(sorted(rest.elements()))] = coefficient // factor
    return _write(result)


def quotient(dividend: Dim, divisor: int) -> Dim:
    """Divide and round down: ("H+1", 2) → "((H + 1) // 2)"; equal quotients have equal names.

    Multiples of the divisor stand outside: ("H-1", 2) → "((H + 1) // 2)-1".
    """
    whole: _Polynomial = {}
    rest: _Polynomial = {}
    for monomial, coefficient in _read(dividend).items():
        whole[monomial], rest[monomial] = divmod(coefficient, divisor)
    left = _write(rest)
    if isinstance(left, int):  # a constant alone, smaller than the divisor
        return _write(whole)
    return add(_write(whole), f"({left})//{divisor}")


def symbols(dim: Dim) -> set[str]:
    """Give the names that a dimension is made of: "2*N+1" → {"N"}."""
    if isinstance(dim, int):
        return set()
    return {item.id for item in ast.walk(_parse(dim)) if isinstance(item, ast.Name)}


@cache
def _parse(name: str) -> ast.expr:
    try:
        return ast.parse(name, mode="eval").body
    except SyntaxError:
        return ast.Name(name)


def _read(dim: Dim) -> _Polynomial:
    return {(): dim} if isinstance(dim, int) else _walk(_parse(dim))


def _walk(tree: ast.expr) -> _Polynomial:
    match tree:
        case ast.Constant(value=int(number)):
            return {(): number}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _times({(): -1}, _walk(operand))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _times(_walk(left), _walk(right))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            total = Counter(_walk(left))
            total.update(_times({(): 1 if isinstance(sign, ast.Add) else -1}, _walk(right)))
            return dict(total)
        case ast.Name(id=name):
            return {(name,): 1}
        case _:  # a quotient or a call: one symbol of its own
            return {(f"({ast.unparse(tree)})",): 1}


def _times(left: _Polynomial, right: _Polynomial) -> _Polynomial:
    result: Counter[tuple[str, ...]] = Counter()
    for a, p in left.items():
        for b, q in right.items():
            result[tuple(sorted(a + b))] += p * q
    return dict(result)


def _write(polynomial: _Polynomial) -> Dim:
    terms = [(m, c) for m, c in polynomial.items() if c]
    if not any(monomial for monomial, _ in terms):
        return polynomial.get((), 0)
    if len(terms) > _MOST_TERMS:
        if all(coefficient > 0 for _, coefficient in terms):
            return fresh_dim()
        larger, smaller = fresh_dim(), fresh_dim()
        return _write({(larger,): 1, (smaller,): -1})  # it may be negative
    text = ""
    for monomial, coefficient in sorted(terms, reverse=True):
        if not monomial:
            text += f"{coefficient:+d}"
            continue
        size = "" if abs(coefficient) == 1 else f"{abs(coefficient)}*"
        text += ("-" if coefficient < 0 else "+") + size + "*".join(monomial)
    return text.removeprefix("+")


def evaluate(dim: Dim, sizes: Mapping[str, int]) -> int | None:
    """Give the number that a dimension is where its symbols have these sizes, None if unknown."""
    total = 0
    for monomial, coefficient in _read(dim).items():
        factors = [_size(name, sizes) for name in monomial]
        known = [f for f in factors if f is not None]
        if len(known) < len(factors):
            return sizes.get(dim) if isinstance(dim, str) else None
        total += coefficient * prod(known)
    return total


def _size(name: str, sizes: Mapping[str, int]) -> int | None:
    """Give the size of one symbol, which may be a quotient."""
    match _parse(name):
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=ast.Constant(value=int(divisor))):
            dividend = evaluate(ast.unparse(left), sizes)
            return None if dividend is None else dividend // divisor
        case _:
            return sizes.get(name)


def typical_size(shape: tuple[Dim, ...]) -> int:
    """Multiply sizes; one that is not known while compiling counts as 32."""
    return prod(d if isinstance(d, int) else 32 for d in shape)
