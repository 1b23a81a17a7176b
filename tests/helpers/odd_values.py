"""Arithmetic on odd numbers: what a kernel gives on CuPy's arrays against the same on NumPy's."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from gpu_cases import GpuCase
from onnx import defs

from onnxgrad.backends.kernels.registry import KERNELS
from onnxgrad.compiler.standard.schemas import attribute_defaults

DTYPES = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
_ONNX_NAMES = {"float32": "float", "float64": "double"}
_TOLERANCES = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}
_CALLS: dict[str, list[dict[str, Any]]] = {
    "BitShift": [{"direction": "LEFT"}, {"direction": "RIGHT"}],
    "Mod": [{"fmod": 0}, {"fmod": 1}],
}
"""Attributes to try."""

_LEFT_OUT = {"Cast", "CastLike", "Pow"}
"""Operators that turn floats into integers; the standard leaves open what does not fit."""


def odd_cases(xp: Any) -> Iterator[GpuCase]:
    """Give every elementwise operator on every dtype that ONNX allows it."""
    for (domain, op_type), entry in KERNELS.items():
        if domain or not entry.function.__module__.endswith(".elementwise"):
            continue
        inputs = defs.get_schema(op_type).inputs
        if op_type in _LEFT_OUT or len(inputs) > 2:
            continue
        for dtype in DTYPES:
            if f"tensor({_ONNX_NAMES.get(dtype, dtype)})" not in inputs[0].types:
                continue
            for call in _CALLS.get(op_type, [{}]):
                attributes = attribute_defaults(op_type, "") | call
                check = partial(_check, xp, entry.function, len(inputs), dtype, attributes)
                said = " ".join([op_type, dtype, *(f"{k}={v}" for k, v in call.items())])
                yield GpuCase("odd", said, check)


def _numbers(dtype: str) -> np.ndarray:
    if dtype.startswith("float"):
        limits = np.finfo(dtype)
        some = [0.0, -0.0, 0.5, 1, -1, 2.5, -2.5, 3, -7, 5e-3, limits.max, limits.tiny]
        return np.array([*some, np.inf, -np.inf, np.nan], dtype)
    if dtype == "bool":
        return np.array([False, True])
    limit = np.iinfo(dtype)
    some = [0, 1, 2, 3, 7, limit.min, limit.min + 1, limit.max // 2 + 3, limit.max, 100]
    return np.array([*some, *([-1, -2, -7, -100] if limit.min else [])], dtype)


def _check(xp: Any, kernel: Any, count: int, dtype: str, attributes: dict[str, Any]) -> None:
    arrays = [a.ravel() for a in np.meshgrid(*[_numbers(dtype)] * count)]
    if count == 2 and dtype[0] in "iu" and not attributes.keys() & {"direction"}:
        defined = (arrays[1] != 0) & ~((arrays[1] == -1) if dtype[0] == "i" else False)
        arrays = [a[defined] for a in arrays]  # division by 0, and of the least by −1
    with np.errstate(all="ignore"):
        wanted = kernel(np, *arrays, **attributes)
    found = kernel(xp, *map(xp.asarray, arrays), **attributes)
    assert found.dtype == wanted.dtype, f"{found.dtype}, not {wanted.dtype}"
    tolerance = _TOLERANCES.get(str(wanted.dtype), 0)
    np.testing.assert_allclose(found.get(), wanted, rtol=tolerance)
