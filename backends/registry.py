"""The table of backends: ours by module, others by entry point; each loads when asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from ..compiler.errors import BackendUnavailableError, GraphError
from ..compiler.graph.arguments import require_text
from .base import Backend, ChoosingBackend

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "onnxgrad.backends"

_OURS = {
    "numpy": ".numpy",
    "numba": ".numba",
    "onnxruntime": ".onnxruntime",
    "openvino": ".openvino",
    "cupy": ".cupy",
}


def backend_names() -> list[str]:
    """List the names of all backends, ours first."""
    return [*_OURS, *(e.name for e in _entries())]


def find_backend(name: str) -> Backend:
    """Give a backend by name.

    Raises:
        GraphError: no backend has that name.
        BackendUnavailableError: it cannot run here; the message says what to install.
    """
    backend = _load(require_text(name, "the name of a backend"))
    reason = backend.why_unavailable()
    if reason is not None:
        raise BackendUnavailableError(f"the backend '{name}' cannot run here: {reason}")
    return backend


class Availability(dict[str, str | None]):
    """Why each backend cannot run here, None where it can; printed with a line for each.

    `providers` lists what a backend can run on, where it has a choice: those of onnxruntime.
    """

    def __init__(self, reasons: Mapping[str, str | None], providers: Mapping[str, list[str]]):
        super().__init__(reasons)
        self.providers = providers

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:{width}}  {why or self._here(name)}" for name, why in self.items())

    def _here(self, name: str) -> str:
        choice = self.providers.get(name)
        return f"available, on {', '.join(choice)}" if choice else "available"


def available_backends() -> Availability:
    """Give for each backend why it cannot run here, None where it can.

    A third party's backend that cannot even be loaded is listed with its error.
    """
    reasons = {name: _why_unavailable(name) for name in backend_names()}
    choices = {name: _load(name) for name, reason in reasons.items() if reason is None}
    providers = {n: b.providers() for n, b in choices.items() if isinstance(b, ChoosingBackend)}
    return Availability(reasons, providers)


def _why_unavailable(name: str) -> str | None:
    try:
        return _load(name).why_unavailable()
    except Exception as error:  # somebody else's code: it must not take the others along
        return f"{type(error).__name__}: {error}"


def _load(name: str) -> Backend:
    if name in _OURS:
        backend: Backend = import_module(_OURS[name], __package__).BACKEND
        return backend
    for entry in _entries(name):
        found: Backend = entry.load()
        return found
    raise GraphError(f"no backend '{name}'; there are {', '.join(backend_names())}")


def _entries(name: str | None = None) -> list["EntryPoint"]:
    from importlib.metadata import entry_points  # slow to import, and rarely asked

    found = entry_points(group=ENTRY_POINT_GROUP)
    return [e for e in found if name is None or e.name == name]
