"""A stand-in for CuPy made of NumPy, for machines without a GPU.

It has what CuPy has and takes what CuPy takes, by the table of the real one (cupy_face.py). Its
arrays are no NumPy arrays: the two do not mix, and none becomes the other by itself. Results are
arrays where NumPy gives scalars. Where CuPy quietly does otherwise than NumPy, so does this: an
index out of range wraps around, and of updates of one place another wins than NumPy's last.
"""

import functools
import operator
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from cupy_face import CLASSES, FUNCTIONS, GENERATORS, UFUNCS, parameters_of, signature

Function = Callable[..., Any]

REDUCING = {"reduce": {"add", "multiply"}, "accumulate": {"add", "multiply"}, "reduceat": {"add"}}
"""The ufuncs of which CuPy has these methods."""

_SCATTERED = frozenset("int32 int64 uint32 uint64".split())
SCATTERING = {
    "add": _SCATTERED | {"float16", "float32", "float64"},
    "subtract": {"int32", "uint32"},
    **dict.fromkeys(("maximum", "minimum"), _SCATTERED),  # of floats CuPy's are wrong
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), _SCATTERED),
}
"""The ufuncs of which CuPy has `at`, and for which dtypes."""


class MixedDevices(TypeError):
    """Arrays of the host and of the GPU met in one call, which CuPy refuses."""


class FakeArray:
    """An array that pretends to live on a GPU."""

    __array_ufunc__ = None  # NumPy's arrays leave mixed operations to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray, base: "FakeArray | None" = None) -> None:
        self._host = host
        self.base = base

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in CLASSES["ndarray"]:
            raise AttributeError(f"'cupy.ndarray' has no attribute '{name}'")
        found = getattr(self._host, name)
        if not callable(found):
            return _to_gpu(found, self)
        parameters = signature(tuple(CLASSES["ndarray"][name] or ()))

        def call(*args: Any, **kwargs: Any) -> Any:
            parameters.bind(*args, **kwargs)
            return _on_gpu(found, (self,), args, kwargs)

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("_host", "base"):
            raise AttributeError(name)
        object.__setattr__(self, name, value)

    def get(self) -> np.ndarray:
        """Copy to the host."""
        return self._host.copy()

    def __getitem__(self, key: Any) -> Any:
        return _to_gpu(self._host[_wrapped(self._host, key)], self)

    def __setitem__(self, key: Any, value: Any) -> None:
        _check_mixed(value)
        places, value = _wrapped(self._host, key), _to_host(value)
        if isinstance(key, FakeArray) and key.dtype.kind in "iu" and np.ndim(value):
            places, value = places[::-1], np.broadcast_to(value, self._host[places].shape)[::-1]
        self._host[places] = value

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __repr__(self) -> str:
        return f"FakeArray({self._host!r})"


def _operator(name: str) -> Function:
    function = getattr(operator, f"__{name}__")
    return lambda *args: _on_gpu(function, (), args, {})


def _reflected(name: str) -> Function:
    function = getattr(operator, f"__{name}__")
    return lambda self, other: _on_gpu(function, (), (other, self), {})


def _in_place(name: str) -> Function:
    function = getattr(operator, f"__i{name}__")

    def call(self: FakeArray, other: Any) -> FakeArray:
        _check_mixed(other)
        function(self._host, _to_host(other))
        return self

    return call


for _name in "neg pos abs invert lt le eq ne gt ge".split():
    setattr(FakeArray, f"__{_name}__", _operator(_name))
for _name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split():
    setattr(FakeArray, f"__{_name}__", _operator(_name))
    setattr(FakeArray, f"__r{_name}__", _reflected(_name))
    setattr(FakeArray, f"__i{_name}__", _in_place(_name))


def _wrapped(host: np.ndarray, key: Any) -> Any:
    """Give an index for NumPy; elements of arrays of the GPU wrap around."""
    _check_mixed(key)
    if isinstance(key, tuple):
        return tuple(_to_host(k) for k in key)
    index = _to_host(key)
    if isinstance(key, FakeArray) and index.dtype.kind in "iu" and len(host):
        return index % len(host)
    return index


def _to_host(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_to_host(v) for v in value)
    return value._host if isinstance(value, FakeArray) else value


def _to_gpu(value: Any, *sources: Any) -> Any:
    """Give what NumPy gave as CuPy would; a view names the array that it shows."""
    if isinstance(value, tuple | list) and not isinstance(value, np.dtype):
        return type(value)(_to_gpu(v, *sources) for v in value)
    if not isinstance(value, np.ndarray | np.generic):
        return value
    array = np.asarray(value)
    for source in sources:
        if isinstance(source, FakeArray) and np.may_share_memory(array, source._host):
            return FakeArray(array, source if source.base is None else source.base)
    return FakeArray(array)


def _check_mixed(value: Any) -> None:
    if isinstance(value, tuple | list):
        for v in value:
            _check_mixed(v)
    elif isinstance(value, np.ndarray):
        raise MixedDevices(f"an array of the host {value.dtype}{list(value.shape)} met the GPU")


def _on_gpu(function: Function, owner: tuple[Any, ...], args: Any, kwargs: Any) -> Any:
    _check_mixed(list(args))
    _check_mixed(list(kwargs.values()))
    results = function(*_to_host(args), **{k: _to_host(v) for k, v in kwargs.items()})
    out = kwargs.get("out")
    return out if out is not None else _to_gpu(results, *owner, *args)


def _called(name: str, function: Function) -> Function:
    """Give a function of NumPy's that takes what CuPy's takes."""
    parameters = parameters_of(name)
    assert parameters is not None
    takes = signature(tuple(parameters))

    @functools.wraps(function, assigned=("__name__",), updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        takes.bind(*args, **kwargs)
        return _on_gpu(function, (), args, kwargs)

    return call


def _ufunc(name: str) -> Function:
    function = getattr(np, name)
    call: Any = _called(name, function)
    for method in ("reduce", "accumulate", "reduceat", "outer", "at"):
        does = getattr(function, method)
        if name not in REDUCING.get(method, {name}):
            does = functools.partial(_refuse, f"{name}.{method}")
        elif method == "at":
            does = functools.partial(_at, function, SCATTERING.get(name, ()))
        setattr(call, method, _called(f"{name}.{method}", does))
    return call


def _refuse(what: str, *args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(f"`cupy_{what}` is not supported yet")


def _at(function: Any, dtypes: Any, a: np.ndarray, indices: Any, b: Any = None) -> None:
    if not dtypes:
        _refuse(f"{function.__name__}.at")
    if a.dtype.name not in dtypes:
        raise TypeError(f"cupy.{function.__name__}.at only supports {sorted(dtypes)} as data type")
    function.at(a, indices % len(a) if len(a) else indices, b)


def _asarray(value: Any, dtype: Any = None, order: Any = None, copy: Any = None) -> Any:
    if isinstance(value, FakeArray):
        same = dtype in (None, value.dtype) and order in (None, "K") and not copy
        return value if same else FakeArray(np.array(value._host, dtype, order=order or "K"))
    found = np.array(value, dtype, order=order or "K")
    if not (found.dtype.isbuiltin == 1 and found.dtype.kind in "biufc"):
        raise ValueError(f"Unsupported dtype {found.dtype}")
    return FakeArray(found)


def _array(value: Any, dtype: Any = None, copy: bool = True, order: str = "K") -> Any:
    return _asarray(value, dtype, order, copy)


def _ascontiguousarray(value: Any, dtype: Any = None) -> Any:
    flags = value.flags if isinstance(value, FakeArray) else None
    kept = flags is not None and flags.c_contiguous and dtype in (None, value.dtype)
    return value if kept else _asarray(value, dtype, "C", True)


def _take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    size = a.size if axis is None else a.shape[axis]
    return np.take(a, indices % size if size else indices, axis, out)


def _take_along_axis(a: Any, indices: Any, axis: int) -> Any:
    return np.take_along_axis(a, indices % max(a.shape[axis], 1), axis)


def _put_along_axis(a: Any, indices: Any, values: Any, axis: int) -> None:
    np.put_along_axis(a, indices % max(a.shape[axis], 1), values, axis)


def _argsort(a: Any, axis: Any = -1, kind: Any = None) -> Any:
    if kind not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    return np.argsort(a, axis, kind="stable")


def _nonzero(a: Any) -> Any:
    if not a.ndim:
        raise ValueError("Calling nonzero on 0d arrays is not allowed")
    return np.nonzero(a)


class _Drawn:
    """A random generator whose draws are on the GPU."""

    def __init__(self, kind: str, generator: Any) -> None:
        self._kind = kind
        self._generator = generator

    def __getattr__(self, name: str) -> Any:
        return _called(f"{self._kind}.{name}", getattr(self._generator, name))


def _generator(name: str) -> Function:
    kind = GENERATORS[f"random.{name}"]
    return lambda seed=None: _Drawn(kind, getattr(np.random, name)(seed))


_OWN: dict[str, Function] = {
    "argsort": _argsort,
    "nonzero": _nonzero,
    "put_along_axis": _put_along_axis,
    "take": _take,
    "take_along_axis": _take_along_axis,
}


def make_fake_cupy(devices: int = 1) -> ModuleType:
    """Give a module that can stand in sys.modules as `cupy`."""
    module: Any = ModuleType("cupy")
    for name in (*FUNCTIONS, *UFUNCS):
        found = None if "." in name else getattr(np, name, None)
        if name in UFUNCS and isinstance(found, np.ufunc):
            setattr(module, name, _ufunc(name))
        elif isinstance(found, type) or not callable(found):
            setattr(module, name, found)
        else:
            setattr(module, name, _called(name, _OWN.get(name, found)))
    module.ndarray = FakeArray
    module.asarray, module.array = _asarray, _array
    module.ascontiguousarray = _ascontiguousarray
    module.asnumpy = lambda value: value.get() if isinstance(value, FakeArray) else value
    strided = _called("lib.stride_tricks.as_strided", np.lib.stride_tricks.as_strided)
    module.lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=strided))
    module.linalg = SimpleNamespace(det=_called("linalg.det", np.linalg.det))
    module.random = SimpleNamespace(
        default_rng=_generator("default_rng"), RandomState=_generator("RandomState")
    )
    runtime = SimpleNamespace(getDeviceCount=lambda: devices)
    module.cuda = SimpleNamespace(runtime=runtime)
    return module
