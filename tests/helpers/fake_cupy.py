"""A stand-in for CuPy made of NumPy, for machines without a GPU.

It has the names and parameters that CuPy has (fixtures/cupy_names), its arrays do not mix with
NumPy's, and results are arrays even where NumPy gives scalars. What it cannot show is what only a
GPU does: speed, memory, the rounding of other libraries; nor does it notice np.asarray(array),
which CuPy refuses.
"""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

NAMES: dict[str, list[str] | None] = json.loads(
    (Path(__file__).parents[1] / "fixtures/cupy_names/names.json").read_text()
)["names"]

SCATTERS = {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"}
"""The ufuncs of which CuPy has `at`."""


class MixedDevices(AssertionError):
    """Arrays of the host and of the GPU met in one call, which CuPy refuses."""


class FakeArray(np.ndarray):
    """An array that pretends to live on a GPU."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "at" and ufunc.__name__ not in SCATTERS:
            raise NotImplementedError(f"{ufunc.__name__}.at")
        if "where" in kwargs and kwargs["where"] is not True:
            raise TypeError("where is not supported")
        if method == "reduce" and kwargs.pop("initial", np._NoValue) is not np._NoValue:
            raise TypeError("initial is not supported")
        return _on_gpu(getattr(ufunc, method), *inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _on_gpu(function, *args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return _to_gpu(_to_host(self)[_to_host(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        _check_mixed(value)
        _to_host(self)[_to_host(key)] = _to_host(value)

    def get(self) -> np.ndarray:
        """Copy to the host."""
        return _to_host(self).copy()

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        return _to_gpu(_to_host(self).astype(dtype, *args, **kwargs))


for _name in ("all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "sum"):

    def _method(self: FakeArray, *args: Any, _name: str = _name, **kwargs: Any) -> Any:
        return _to_gpu(getattr(_to_host(self), _name)(*args, **kwargs))

    setattr(FakeArray, _name, _method)


def _to_host(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_to_host(v) for v in value)
    return value.view(np.ndarray) if isinstance(value, FakeArray) else value


def _to_gpu(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_to_gpu(v) for v in value)
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value).view(FakeArray)
    return value


def _check_mixed(value: Any) -> None:
    if isinstance(value, tuple | list):
        for v in value:
            _check_mixed(v)
    elif type(value) is np.ndarray:
        raise MixedDevices(f"an array of the host {value.dtype}{list(value.shape)} met the GPU")


def _on_gpu(function: Any, *args: Any, **kwargs: Any) -> Any:
    _check_mixed(list(args))
    _check_mixed(list(kwargs.values()))
    results = function(*_to_host(args), **{k: _to_host(v) for k, v in kwargs.items()})
    out = kwargs.get("out")
    return _to_gpu(results) if out is None else out[0] if isinstance(out, tuple) else out


def _function(name: str, parameters: list[str] | None) -> Any:
    function = getattr(np, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        foreign = [] if parameters is None else [k for k in kwargs if k not in parameters]
        if foreign:
            raise TypeError(f"{name}() got an unexpected keyword argument {foreign[0]!r}")
        return _on_gpu(function, *args, **kwargs)

    call.__name__ = name
    if isinstance(function, np.ufunc):
        for method in ("reduce", "accumulate", "reduceat", "outer"):
            setattr(call, method, _function_of(getattr(function, method)))
        if name in SCATTERS:
            call.at = _function_of(function.at)  # type: ignore[attr-defined]
        else:
            call.at = _refuse  # type: ignore[attr-defined]
    return call


def _function_of(function: Any) -> Any:
    return lambda *args, **kwargs: _on_gpu(function, *args, **kwargs)


def _refuse(*args: Any) -> None:
    raise NotImplementedError("at is not supported for this ufunc")


def _asarray(value: Any, dtype: Any = None, order: Any = None, copy: Any = None) -> Any:
    found = np.array(_to_host(value), dtype, order=order or "K")
    if not (found.dtype.isbuiltin == 1 and found.dtype.kind in "biufc"):
        raise ValueError(f"Unsupported dtype {found.dtype}")
    return found.view(FakeArray)


class _Drawn:
    """A random generator whose draws are on the GPU."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __getattr__(self, name: str) -> Any:
        return _function_of(getattr(self._generator, name))


def make_fake_cupy(devices: int = 1) -> ModuleType:
    """Give a module that can stand in sys.modules as `cupy`."""
    module: Any = ModuleType("cupy")
    for name, parameters in NAMES.items():
        found = getattr(np, name)
        callable_ = callable(found) and not isinstance(found, type)
        setattr(module, name, _function(name, parameters) if callable_ else found)
    module.ndarray = FakeArray
    module.asarray = module.array = module.ascontiguousarray = _asarray
    module.asnumpy = lambda value: value.get() if isinstance(value, FakeArray) else value
    strided = _function_of(np.lib.stride_tricks.as_strided)
    module.lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=strided))
    module.random = SimpleNamespace(
        default_rng=lambda seed=None: _Drawn(np.random.default_rng(seed)),
        RandomState=lambda seed=None: _Drawn(np.random.RandomState(seed)),
    )
    runtime = SimpleNamespace(getDeviceCount=lambda: devices)
    module.cuda = SimpleNamespace(runtime=runtime)
    return module
