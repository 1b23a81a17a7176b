"""The processes that mpiexec started, by mpi4py."""

import sys
from typing import NoReturn

import numpy as np

from onnxgrad.compiler.errors import BackendUnavailableError

try:
    from mpi4py import MPI
except ImportError as error:
    raise BackendUnavailableError(
        f"MPI is not there ({error}): pip install 'onnxgrad[mpi]', then mpiexec -n 4 …"
    ) from None


class MPIGroup:
    """All processes of MPI's world."""

    def __init__(self) -> None:
        self._world = MPI.COMM_WORLD
        self.rank: int = self._world.Get_rank()
        self.size: int = self._world.Get_size()
        self.neighbors: int = self._world.Split_type(MPI.COMM_TYPE_SHARED).Get_size()

    def all_reduce(self, array: np.ndarray) -> None:
        """Put the sum over all processes in place of an array."""
        self._world.Allreduce(MPI.IN_PLACE, array)

    def broadcast(self, array: np.ndarray) -> None:
        """Put what process 0 has in place of an array; its bytes travel, so any dtype does."""
        self._world.Bcast(array.reshape(-1).view(np.uint8), root=0)

    def fail(self, error: Exception) -> NoReturn:
        """Say what is wrong and end all processes: the others wait for this one and would not."""
        print(f"onnxgrad: process {self.rank} of {self.size}: {error}", file=sys.stderr, flush=True)
        self._world.Abort(2)
        raise error
