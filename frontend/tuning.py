"""Choose forms by measuring them: what `compile`, `save` and the command share."""

from collections.abc import Mapping
from time import perf_counter, process_time
from typing import Any

from onnxgrad.backends import find_backend
from onnxgrad.backends.base import Backend
from onnxgrad.backends.tuning import Cache, Tuning, default_folder, tune
from onnxgrad.backends.tuning.machine import is_single
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.opset import OPSET

from .advice import warn

_RUN_HERE = ("onnxruntime", "openvino")
"""Runtimes of files that are backends, too, and leave composites to their forms."""


def tuned(
    graph: Graph,
    backend: Backend,
    options: Mapping[str, Any],
    lasting: bool = False,
    opset: int = OPSET,
) -> tuple[Graph, Tuning]:
    """Give a copy of a graph whose composites have the forms that are fastest, and what was chosen.

    Winners are kept in the user's cache, $XDG_CACHE_HOME/onnxgrad or ~/.cache/onnxgrad. With one
    thread the processor's time is taken, which other programs disturb little.

    Raises:
        GraphError: the backend does not run on the processor; `providers` is no list.
    """
    given = options.get("providers")
    providers = [] if given is None else given
    if not isinstance(providers, list | tuple):
        raise GraphError(f"providers is a list, such as ['cpu'], not {providers!r}")
    if backend.name == "cupy" or not all(map(_is_processor, providers)):
        where = "cupy" if backend.name == "cupy" else f"{backend.name} with providers={providers}"
        raise GraphError(f"tune=True times forms on the processor, not on {where}; leave it out")
    clock = process_time if is_single(options) else perf_counter
    cache = Cache(default_folder(), warn)
    chosen, tuning = tune(graph, backend, options, cache, clock, lasting, opset)
    return chosen, tuning


def warn_of_left(tuning: Tuning) -> None:
    """Warn of what could not be timed, where nobody looks at the report."""
    for line in tuning.untimed():
        warn(line)


def tuned_for_file(
    graph: Graph, runtime: str | None, opset: int, options: Mapping[str, Any]
) -> tuple[Graph, Tuning]:
    """Do so for a file; where no runtime is named, stock onnxruntime tells the times.

    Raises:
        GraphError: no backend here runs graphs as that runtime does.
    """
    if runtime not in (None, *_RUN_HERE):
        raise GraphError(
            f"tune=True times forms on {' or '.join(_RUN_HERE)}; nothing here runs {runtime!r}"
        )
    backend = find_backend(runtime or "onnxruntime")
    return tuned(graph, backend, options, runtime is None, opset)


def _is_processor(provider: Any) -> bool:
    name = provider[0] if isinstance(provider, tuple) and provider else provider
    return str(name).lower() in ("cpu", "cpuexecutionprovider")
