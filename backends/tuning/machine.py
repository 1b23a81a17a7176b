"""What a timing holds for: the processor, the threads, the runtime and its version."""

import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..base import Backend
from ..kernels.threads import allowed_cores

_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""By which libraries of matrix products are told how many threads to use."""


def describe(backend: Backend, options: Mapping[str, Any]) -> dict[str, Any]:
    """Tell all that a timing on a backend depends on, apart from what is timed."""
    return {
        "backend": backend.name,
        "version": _version(backend),
        "options": {name: repr(value) for name, value in sorted(options.items())},
        "processor": processor(),
        "cores": allowed_cores(),
        "threads": {name: os.environ[name] for name in _COUNTS if name in os.environ},
    }


def is_single(options: Mapping[str, Any]) -> bool:
    """Tell whether one thread runs, so that the processor's time can be taken."""
    counts = {os.environ[name] for name in _COUNTS if name in os.environ}
    given = options.get("threads")
    return given == 1 if given is not None else counts == {"1"} or allowed_cores() == 1


@cache
def processor() -> str:
    """Name the model of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _version(backend: Backend) -> str:
    """Give the version of the library that runs: ours are named after it."""
    home = type(backend).__module__.partition(".")[0]
    module = import_module(backend.name if home == __name__.partition(".")[0] else home)
    return str(getattr(module, "__version__", "unknown"))
