"""What cuBLAS and Thrust do, done by NumPy on the memory that they are given."""

import ctypes
from collections.abc import Sequence
from math import prod
from types import ModuleType
from typing import Any

import numpy as np

from .capsules import Function

_DTYPES = {0: "float32", 1: "float64", 2: "float16"}
"""CUDA's numbers of element types."""


def _array(at: int, dtype: Any, shape: Sequence[int], steps: Sequence[int] | None = None) -> Any:
    """See memory as an array; steps count elements."""
    size = np.dtype(dtype).itemsize
    if steps is None:
        last = prod(shape)
    else:
        last = 1 + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    memory = (ctypes.c_char * (max(last, 1) * size)).from_address(at)
    flat = np.frombuffer(memoryview(memory), dtype)
    if steps is None:
        return flat[: prod(shape)].reshape(shape)
    return np.lib.stride_tricks.as_strided(flat, shape, [s * size for s in steps])


def _matrix(at: int, dtype: str, rows: int, columns: int, lead: int, turned: int) -> Any:
    """See a matrix as BLAS lays it out, column after column."""
    if turned:
        return _array(at, dtype, (columns, rows), (1, lead)).T
    return _array(at, dtype, (rows, columns), (1, lead))


def _multiply(
    turned: Sequence[int], sizes: Sequence[int], scales: Sequence[int], *matrices: Sequence[Any]
) -> None:
    """C = alpha·A·B + beta·C; each matrix comes as address, dtype and leading size."""
    (m, n, k), (a, b, c) = sizes, matrices
    wide = "float64" if c[1] == "float64" else "float32"
    alpha, beta = (_array(at, wide, (1,))[0] for at in scales)
    x = _matrix(a[0], a[1], m, k, a[2], turned[0]).astype(wide)
    y = _matrix(b[0], b[1], k, n, b[2], turned[1]).astype(wide)
    out = _matrix(c[0], c[1], m, n, c[2], 0)
    out[...] = alpha * (x @ y) + (beta * out if beta else 0)


def _gemm(dtype: str) -> Function:
    def run(handle: int, *given: int) -> None:
        ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, *_ = given
        matrices = (a, dtype, lda), (b, dtype, ldb), (c, dtype, ldc)
        _multiply((ta, tb), (m, n, k), (alpha, beta), *matrices)

    return run


def _gemm_ex(handle: int, *given: int) -> None:
    ta, tb, m, n, k, alpha, a, at, lda, b, bt, ldb, beta, c, ct, ldc, *_ = given
    matrices = (a, _DTYPES[at], lda), (b, _DTYPES[bt], ldb), (c, _DTYPES[ct], ldc)
    _multiply((ta, tb), (m, n, k), (alpha, beta), *matrices)


def _gemm_strided(handle: int, *given: int) -> None:
    ta, tb, m, n, k, alpha, a, at, lda, sa, b, bt, ldb, sb, beta, c, ct, ldc, sc, count, *_ = given
    places = [(a, _DTYPES[at], lda, sa), (b, _DTYPES[bt], ldb, sb), (c, _DTYPES[ct], ldc, sc)]
    for i in range(count):
        matrices = [(p + i * s * np.dtype(t).itemsize, t, lead) for p, t, lead, s in places]
        _multiply((ta, tb), (m, n, k), (alpha, beta), *matrices)


def _gemm_strided_of(dtype: int) -> Function:
    def run(handle: int, *given: int) -> None:
        ta, tb, m, n, k, alpha, a, lda, sa, b, ldb, sb, beta, c, ldc, sc, count, *_ = given
        parts = (a, dtype, lda, sa, b, dtype, ldb, sb, beta, c, dtype, ldc, sc)
        _gemm_strided(handle, ta, tb, m, n, k, alpha, *parts, count)

    return run


def _gemm_batched(dtype: str) -> Function:
    def run(handle: int, *given: int) -> None:
        ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count, *_ = given
        pointers = (_array(at, "uint64", (count,)).tolist() for at in (a, b, c))
        for p, q, r in zip(*pointers, strict=True):
            _gemm(dtype)(handle, ta, tb, m, n, k, alpha, p, lda, q, ldb, beta, r, ldc)

    return run


def _gemv(dtype: str) -> Function:
    def run(handle: int, *given: int) -> None:
        turned, m, n, alpha, a, lda, x, step, beta, y, out_step, *_ = given
        matrix = _matrix(a, dtype, m, n, lda, 0)
        matrix = matrix.T if turned else matrix
        rows, columns = matrix.shape
        scale, keep = (_array(at, dtype, (1,))[0] for at in (alpha, beta))
        out = _array(y, dtype, (rows,), (out_step,))
        product = scale * (matrix @ _array(x, dtype, (columns,), (step,)))
        out[...] = product + (keep * out if keep else 0)

    return run


def _dot(dtype: str) -> Function:
    def run(handle: int, n: int, x: int, step: int, y: int, other: int, out: int, *_: int) -> None:
        product = _array(x, dtype, (n,), (step,)) @ _array(y, dtype, (n,), (other,))
        _array(out, dtype, (1,))[0] = product

    return run


def _getrf_batched(dtype: str) -> Function:
    """LU with row pivots, counted from 1, in place."""

    def run(handle: int, *given: int) -> None:
        n, a, lead, pivots, info, count, *_ = given
        _array(info, "int32", (count,))[...] = 0
        rows = _array(pivots, "int32", (count, n))
        for i, at in enumerate(_array(a, "uint64", (count,)).tolist()):
            lu = _matrix(at, dtype, n, n, lead, 0)
            for k in range(n):
                best = k + int(np.abs(lu[k:, k]).argmax())
                rows[i, k] = best + 1
                lu[[k, best]] = lu[[best, k]]
                if lu[k, k] == 0:
                    _array(info, "int32", (count,))[i] = k + 1
                    continue
                lu[k + 1 :, k] /= lu[k, k]
                lu[k + 1 :, k + 1 :] -= np.outer(lu[k + 1 :, k], lu[k, k + 1 :])

    return run


CUBLAS: dict[str, Function] = {
    "gemmEx": _gemm_ex,
    "gemmStridedBatchedEx": _gemm_strided,
    "getVersion": lambda *_: 130000,
}
for _letter, _number in (("s", 0), ("d", 1)):
    _dtype = _DTYPES[_number]
    CUBLAS[f"{_letter}gemm"] = _gemm(_dtype)
    CUBLAS[f"{_letter}gemmStridedBatched"] = _gemm_strided_of(_number)
    CUBLAS[f"{_letter}gemmBatched"] = _gemm_batched(_dtype)
    CUBLAS[f"{_letter}gemv"] = _gemv(_dtype)
    CUBLAS[f"{_letter}dot"] = _dot(_dtype)
    CUBLAS[f"{_letter}getrfBatched"] = _getrf_batched(_dtype)


def replace_thrust(thrust: ModuleType) -> None:
    """Let NumPy sort what CuPy gives to Thrust."""

    def sort(dtype: Any, data: int, keys: int, shape: Sequence[int]) -> None:
        _array(data, dtype, shape).sort(axis=-1, kind="stable")

    def argsort(dtype: Any, out: int, data: int, keys: int, shape: Sequence[int]) -> None:
        array = _array(data, dtype, shape)
        _array(out, "int64", shape)[...] = array.argsort(axis=-1, kind="stable")

    def lexsort(dtype: Any, out: int, keys: int, count: int, length: int) -> None:
        _array(out, "int64", (length,))[...] = np.lexsort(_array(keys, dtype, (count, length)))

    for function in (sort, argsort, lexsort):
        setattr(thrust, function.__name__, function)


def replace_curand(curand: ModuleType) -> None:
    """Let NumPy draw what CuPy asks cuRAND for."""
    generator = np.random.default_rng(0)

    def uniform(dtype: Any) -> Function:
        def run(handle: int, at: int, count: int, *rest: Any) -> None:
            _array(at, dtype, (count,))[...] = 1 - generator.random(count, dtype)

        return run

    for name in dir(curand):
        if name.startswith(("create", "destroy", "set")):
            setattr(curand, name, lambda *_: 1)
    curand.generateUniform = uniform("float32")  # type: ignore[attr-defined]
    curand.generateUniformDouble = uniform("float64")  # type: ignore[attr-defined]
