"""What a run asks of the processes that share it; MPI, torch and NCCL each provide it."""

from collections.abc import Callable
from importlib import import_module
from typing import NoReturn, Protocol, cast

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.names import suggestion


class Group(Protocol):
    """The processes of one run; each calls the same methods in the same order."""

    @property
    def rank(self) -> int:
        """Which of them this is, counted from 0."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    @property
    def neighbors(self) -> int:
        """How many of them share this machine, this one counted, and with it the cores."""
        ...

    def all_reduce(self, array: np.ndarray) -> None:
        """Put the sum over all processes in place of an array of float32, float64 or int64."""
        ...

    def broadcast(self, array: np.ndarray) -> None:
        """Put what process 0 has in place of an array of any dtype."""
        ...

    def fail(self, error: Exception) -> NoReturn:
        """End the run in all processes, for in this one it cannot go on."""
        ...


_MEMBERS = ("rank", "size", "neighbors", "all_reduce", "broadcast", "fail")


class Alone:
    """One process, which shares with nobody."""

    rank, size, neighbors = 0, 1, 1

    def all_reduce(self, array: np.ndarray) -> None:
        """Leave the array as it is."""

    def broadcast(self, array: np.ndarray) -> None:
        """Leave the array as it is."""

    def fail(self, error: Exception) -> NoReturn:
        """Raise the error."""
        raise error


ALONE: Group = Alone()

_PROVIDERS = {"mpi": "MPIGroup", "torch": "TorchGroup", "nccl": "NcclGroup"}


def find_group(given: Group | str | None) -> Group:
    """Give the processes of a run: by a provider's name, as they are, or None for this one alone.

    Raises:
        BackendUnavailableError: the provider's package is missing.
        GraphError: there is no such provider.
    """
    if given is None:
        return ALONE
    if not isinstance(given, str):
        if all(hasattr(given, name) for name in _MEMBERS):
            return given
        raise GraphError(f"parallel is a name or a Group, not {given!r}")
    if given not in _PROVIDERS:
        raise GraphError(
            f"there is no '{given}' to train in parallel{suggestion(given, _PROVIDERS)}"
        )
    module = import_module(f".{given}_group", __package__)
    return cast(Callable[[], Group], getattr(module, _PROVIDERS[given]))()
