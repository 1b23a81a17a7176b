"""CUDA sources as CuPy writes them, compiled by g++ and run on the CPU, thread after thread."""

import ctypes
import hashlib
import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .capsules import Function

SOURCES: dict[bytes, tuple[str, tuple[str, ...]]] = {}
"""Every source met, and CuPy's options for NVRTC, by its digest."""

FAILED: dict[str, str] = {}
"""What g++ said of the kernels that it could not compile; they do nothing when launched."""

_HEADER = Path(__file__).with_name("device.h")
_INCLUDED = re.compile(r'#include [<"]cupy/(complex|carray|float16|atomics|math_constants)\S*[>"]')
_FLAGS = "-std=c++17 -w -O0 -fPIC -fpermissive -ffp-contract=off".split()

_Run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


def compile_for_gpu(
    source: str,
    options: tuple[str, ...] = (),
    arch: Any = None,
    file: Any = None,
    names: Sequence[str] | None = None,
    *rest: Any,
) -> tuple[bytes, dict[str, str]]:
    """Stand where CuPy calls NVRTC: keep the source, give its digest for a binary."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:32].encode()
    SOURCES[digest] = source, options
    return digest, {name: name for name in names or ()}


def kernel_of(digest: bytes, name: str) -> Function:
    """Give a function of the addresses of a kernel's arguments, the grid and the block."""
    try:
        run = _compiled(digest, name)
    except (RuntimeError, OSError) as error:
        FAILED[name] = str(error)
        return lambda *_: None

    def launch(arguments: int, grid: Sequence[int], block: Sequence[int]) -> None:
        sizes = (ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block)
        run(arguments, *map(ctypes.addressof, sizes))

    return launch


@cache
def _compiled(digest: bytes, name: str) -> Any:
    folder = _prepared()
    path = folder / f"{hashlib.sha256(digest + name.encode()).hexdigest()[:32]}.so"
    if not path.exists():
        written = path.with_suffix(f".{os.getpid()}.cpp")
        written.write_text(_for_the_cpu(SOURCES[digest][0], name))
        part = path.with_suffix(f".{os.getpid()}.part")
        _compile("-shared", "-include", str(folder / "device.h"), str(written), "-o", str(part))
        part.rename(path)
        written.unlink()
    return _Run(("run", ctypes.CDLL(str(path))))


@cache
def _prepared() -> Path:
    """Compile the header, once for each version of it and of CuPy; give the folder it lies in."""
    made_of = _HEADER.read_bytes() + " ".join((*_FLAGS, str(_cupy()))).encode()
    made_of += (_cupy() / "_version.py").read_bytes()
    cached = Path(os.environ.get("XDG_CACHE_HOME", tempfile.gettempdir())) / "onnxgrad-cupy-on-cpu"
    folder = cached / hashlib.sha256(made_of).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "device.h").write_bytes(_HEADER.read_bytes())
    if not (folder / "device.h.gch").exists():
        part = folder / f"{os.getpid()}.gch"
        _compile("-x", "c++-header", str(folder / "device.h"), "-o", str(part))
        part.rename(folder / "device.h.gch")
    return folder


def _cupy() -> Path:
    found = importlib.util.find_spec("cupy")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent


def _compile(*arguments: str) -> None:
    include = f"-I{_cupy() / '_core/include'}"
    done = subprocess.run(["g++", *_FLAGS, include, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[:2000])


def _for_the_cpu(source: str, name: str) -> str:
    """Turn a kernel into a C++ file with a function `run`.

    Threads that wait for each other are fibers. In CuPy's reductions one thread does what a block
    of them does, for the sake of speed: the block's size is a number in the source.
    """
    source = _INCLUDED.sub("", source)
    waits = "__syncthreads" in source
    size = re.search(r"_sdata_raw\[(\d+) \* sizeof", source)
    if size is not None:
        head, mark, body = source.partition('extern "C" __global__')
        body = re.sub(rf"\b{size[1]}\b", "1", body)
        one = "const int _unused) { const int _block_stride = 1;"
        source, waits = head + mark + re.sub(r"const int _block_stride\)\s*\{", one, body), False
    shared = r"\1* \2 = reinterpret_cast<\1*>(shared_memory);"
    source = re.sub(r"extern __shared__ (.+) (\w+)\[\];", shared, source)
    call = "each_thread(once, p, grid, block)" if waits else "once(p)"
    parameters = "void** p, const unsigned* grid, const unsigned* block"
    return (
        f"{source}\nstatic void once(void** p) {{ invoke({name}, p); }}\n"
        f'extern "C" void run({parameters}) {{ {call}; }}\n'
    )
