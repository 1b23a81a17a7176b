"""Products of matrices."""

from typing import Any

import numpy as np

from ..operator import Operator, Unsuitable, register
from ..program import Array
from ..scope import Scope, Sizes


def _draw_matmul(s: Scope) -> None:
    x = s.floats((1, 4))
    dims = s.dims(x)
    inner, width = dims[-1], s.size()
    lead: list[Sizes] = [*dims[:-2]] if s.chance(0.4) else []
    if lead and s.chance(0.5):
        lead = [(1,) * s.drawn.profile.worlds, *lead[1:]]
    if len(dims) == 1 and s.chance(0.3):
        lead = [s.size()]
    if s.chance(0.5):
        other = [inner] if s.chance(0.15) else [*lead, inner, width]
        s.call("MatMul", [x, s.matching(other, s.dtype(x))])
    else:
        rows = dims[max(len(dims) - 2, 0)]
        other = [rows] if s.chance(0.15) else [*lead, width, rows]
        s.call("MatMul", [s.matching(other, s.dtype(x)), x])


def _draw_gemm(s: Scope) -> None:
    x = s.floats((2, 2))
    dims = s.dims(x)
    settings: dict[str, Any] = {n: 1 for n in ("transA", "transB") if s.chance(0.4)}
    rows, inner = reversed(dims) if "transA" in settings else dims
    width = s.size()
    w = s.matching([width, inner] if "transB" in settings else [inner, width], s.dtype(x))
    for name in ("alpha", "beta"):
        if s.chance(0.4):
            settings[name] = s.choice([0.5, 2.0, -1.0])
    inputs: list[int | None] = [x, w]
    one: Sizes = (1,) * s.drawn.profile.worlds
    if s.chance(0.7):
        bias = s.choice([[width], [rows, width], [one, width], [rows, one], [], [one]])
        inputs.append(s.matching(bias, s.dtype(x)))
    s.call("Gemm", inputs, **settings)


def _gemm(
    a: Array,
    b: Array,
    c: Array | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Array:
    product = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    if c is None:
        return product
    if np.broadcast_shapes(product.shape, c.shape) != product.shape:
        raise ValueError("a bias larger than the product")
    return product + beta * c


_EQUATIONS = [
    "ij,jk->ik",
    "ij,jk->ki",
    "bij,bjk->bik",
    "ij->ji",
    "ij->i",
    "ii->i",
    "ij,ij->",
    "i,j->ij",
    "bij,bj->bi",
    "...ij,...jk->...ik",
    "...i->...",
    "ij,kj,k->i",
    "ij,jk",
    "bhq,bhk->bqk",
]


def _draw_einsum(s: Scope) -> None:
    equation = s.choice(_EQUATIONS)
    sizes: dict[str, Sizes] = {}
    lead = [s.size() for _ in range(s.whole(0, 2))]
    inputs: list[int] = []
    for term in equation.split("->")[0].split(","):
        dims = list(lead) if "..." in term else []
        for letter in term.replace("...", ""):
            dims.append(sizes.setdefault(letter, s.size()))
        if not inputs and s.chance(0.7) and "..." not in term and len(set(term)) == len(term):
            x = s.pick(rank=(len(term), len(term)), dtype=s.drawn.profile.dtypes[0])
            sizes.update(zip(term, s.dims(x), strict=True))
            inputs.append(x)
        else:
            inputs.append(s.matching(dims, s.drawn.profile.dtypes[0]))
    s.call("Einsum", inputs, equation=equation)


def _einsum(*arrays: Array, equation: str) -> Array:
    return np.array(np.einsum(equation, *arrays))


def _draw_det(s: Scope) -> None:
    x = s.pick(rank=(2, 4), where=lambda a: a.shape[-1] == a.shape[-2] and 0 < a.shape[-1] < 5)
    if s.dtype(x) not in ("float32", "float64"):
        raise Unsuitable("half precision")
    s.call("Det", [x])


register(
    Operator("MatMul", _draw_matmul, np.matmul, weight=4),
    Operator("Gemm", _draw_gemm, _gemm, weight=1.5),
    Operator("Einsum", _draw_einsum, _einsum, weight=1.2),
    Operator("Det", _draw_det, np.linalg.det, lambda x: np.abs(np.linalg.det(x)) / 5, weight=0.5),
)
