"""Put Python functions where a Cython module keeps the C functions that others import of it."""

import ctypes
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

Function = Callable[..., Any]

_C_TYPES: dict[str, Any] = {
    "PyObject *": ctypes.py_object,
    "int": ctypes.c_int,
    "unsigned int": ctypes.c_uint,
    "intptr_t": ctypes.c_ssize_t,
    "size_t": ctypes.c_size_t,
    "uintmax_t": ctypes.c_uint64,
    "PY_LONG_LONG": ctypes.c_longlong,
    "float": ctypes.c_float,
    "CUdevice": ctypes.c_int,
    "cudaMemcpyKind": ctypes.c_int,
}

_python = ctypes.pythonapi
_python.Py_IncRef.argtypes = [ctypes.py_object]
_python.PyCapsule_GetName.restype = ctypes.c_char_p
_python.PyCapsule_GetName.argtypes = [ctypes.py_object]
_python.PyCapsule_New.restype = ctypes.py_object
_python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

_KEPT: list[Any] = []
"""What C points to, and so must live as long as the process."""


def replace_functions(module: ModuleType, functions: Mapping[str, Function]) -> None:
    """Replace every C function of a module, by `functions` or by one that does nothing.

    Modules that import it later call these. `check_status` and what gives structs stay.
    """
    table: dict[str, Any] = module.__pyx_capi__
    for name, capsule in list(table.items()):
        written = _python.PyCapsule_GetName(capsule)
        types = _types(written.decode())
        if types is not None and name not in ("check_status", "_is_hip_environment"):
            result, *parameters = types
            call = _called(functions.get(name, _nothing), result)
            pointer = ctypes.PYFUNCTYPE(result, *parameters)(call)
            text = ctypes.c_char_p(written)
            _KEPT.extend((pointer, text))
            address = ctypes.cast(pointer, ctypes.c_void_p)
            table[name] = _python.PyCapsule_New(address, text, None)
            if hasattr(module, name):
                setattr(module, name, functions.get(name, _nothing))


def _types(written: str) -> list[Any] | None:
    """Read `result (parameter, …)`; None for what is no such function of plain numbers."""
    match = re.fullmatch(r"(.+?) ?\((.*)\)", written)
    if match is None:
        return None
    texts = [match[1], *(t.strip() for t in match[2].split(",") if t.strip() != "void")]
    texts = [t if t.startswith("struct") else re.sub(r" __pyx_\w+$", "", t) for t in texts]
    found = [ctypes.c_void_p if t.startswith("struct") else _C_TYPES.get(t) for t in texts]
    return None if None in found else found


def _called(function: Function, result: Any) -> Function:
    def call(*arguments: Any) -> Any:
        given = function(*arguments)
        if result is not ctypes.py_object:
            return 0 if given is None else given
        if given is None:
            _python.Py_IncRef(None)  # ctypes hands None over without a reference
        return given

    return call


def _nothing(*arguments: Any) -> None:
    return None
