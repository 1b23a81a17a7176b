"""What the CUDA runtime and driver do, done on the host."""

import ctypes
import importlib
import itertools
import os
from collections.abc import Mapping
from typing import Any

from .capsules import Function, replace_functions
from .kernels import compile_for_gpu, kernel_of
from .libraries import CUBLAS, replace_curand, replace_thrust

_HANDLES = itertools.count(1)

_host = ctypes.CDLL(None)
_host.calloc.restype = ctypes.c_void_p
_host.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
_host.free.argtypes = [ctypes.c_void_p]
_host.memmove.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_host.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

_ATTRIBUTES = {75: 8, 76: 0, 1: 1024, 8: 49152, 10: 32, 16: 108, 39: 2048, 81: 167936, 97: 166912}
"""Attributes of a device of compute capability 8.0, by the driver's numbers."""

_PROPERTIES = {"name": b"this processor", "warpSize": 32, "totalGlobalMem": 1 << 36,
               "multiProcessorCount": 108, "maxThreadsPerBlock": 1024, "major": 8, "minor": 0,
               "sharedMemPerBlock": 49152}  # fmt: skip

_modules: dict[int, bytes] = {}
_functions: dict[int, Function] = {}


def _handle(*arguments: Any) -> int:
    return next(_HANDLES)


def _allocate(size: int, *rest: Any) -> int:
    return _host.calloc(max(size, 1), 1) or 0


def _free(at: int, *rest: Any) -> None:
    _host.free(at)


def _copy(to: int, source: int, size: int, *rest: Any) -> None:
    _host.memmove(to, source, size)


def _fill(at: int, byte: int, size: int, *rest: Any) -> None:
    _host.memset(at, byte, size)


def _load(binary: bytes, *rest: Any) -> int:
    handle = next(_HANDLES)
    _modules[handle] = bytes(binary)
    return handle


def _function(module: int, name: str, *rest: Any) -> int:
    handle = next(_HANDLES)
    _functions[handle] = kernel_of(_modules[module], name)
    return handle


def _launch(function: int, *arguments: int) -> None:
    _functions[function](arguments[8], arguments[:3], arguments[3:6])


_RUNTIME: dict[str, Function] = {
    "deviceGetAttribute": lambda attribute, *_: _ATTRIBUTES.get(attribute, 0),
    "driverGetVersion": lambda *_: 13000,
    "getDeviceCount": lambda *_: 1,
    "getDeviceProperties": lambda *_: dict(_PROPERTIES),
    "memGetInfo": lambda *_: (1 << 36, 1 << 36),
    "runtimeGetVersion": lambda *_: 13000,
    "_getCUDAMajorVersion": lambda *_: 13,
    **dict.fromkeys(("eventCreate", "eventCreateWithFlags", "streamCreate"), _handle),
    **dict.fromkeys(("free", "freeAsync", "freeHost"), _free),
    **dict.fromkeys(("hostAlloc", "malloc", "mallocAsync", "mallocManaged"), _allocate),
    **dict.fromkeys(("memcpy", "memcpyAsync"), _copy),
    **dict.fromkeys(("memset", "memsetAsync"), _fill),
}
_DRIVER: dict[str, Function] = {
    "ctxGetCurrent": lambda *_: 1,
    "funcGetAttribute": lambda *_: 1024,
    "launchKernel": _launch,
    "moduleGetFunction": _function,
    "moduleLoadData": _load,
    "occupancyMaxActiveBlocksPerMultiprocessor": lambda *_: 2,
    "occupancyMaxPotentialBlockSize": lambda *_: (108, 1024),
}
_REPLACED: Mapping[str, Mapping[str, Function]] = {  # in the order in which they import each other
    "cupy_backends.cuda.api.runtime": _RUNTIME,
    "cupy_backends.cuda.api.driver": _DRIVER,
    "cupy_backends.cuda.libs.cublas": {"create": _handle, **CUBLAS},
}


class _NoCache:
    """A cache of kernels that keeps none: each source is seen."""

    def load(self, name: str) -> None:
        return None

    def save(self, name: str, *binary: Any) -> None:
        return None


def install() -> None:
    """Make `import cupy` give the real CuPy, on the processor that Python runs on."""
    os.environ["CUPY_ACCELERATORS"] = ""  # CUB's reductions are binaries for a GPU
    pathfinder = importlib.import_module("cuda.pathfinder")
    for library in ("cublas", "curand"):
        pathfinder.load_nvidia_dynamic_lib(library)
    for name, functions in _REPLACED.items():
        replace_functions(importlib.import_module(name), functions)
    replace_curand(importlib.import_module("cupy_backends.cuda.libs.curand"))
    compiler: Any = importlib.import_module("cupy.cuda.compiler")
    compiler._compile_using_nvrtc_no_warning = compile_for_gpu
    compiler._kernel_cache_backend = _NoCache()
    replace_thrust(importlib.import_module("cupy.cuda.thrust"))
