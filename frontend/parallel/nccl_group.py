"""GPUs that talk by NCCL, through CuPy; MPI only tells who is who. No GPU has run this."""

from importlib import import_module
from typing import Any, NoReturn

import numpy as np

from onnxgrad.compiler.errors import BackendUnavailableError

from .mpi_group import MPIGroup

try:
    cupy: Any = import_module("cupy")
    nccl: Any = import_module("cupy.cuda.nccl")
except ImportError:
    raise BackendUnavailableError("CuPy is not there: pip install 'onnxgrad[cuda13]'") from None


class NcclGroup:
    """The processes that mpiexec started, each with a GPU of its own."""

    def __init__(self) -> None:
        self._mpi = MPIGroup()
        self.rank, self.size = self._mpi.rank, self._mpi.size
        self.neighbors = self._mpi.neighbors
        cupy.cuda.Device(self.rank % cupy.cuda.runtime.getDeviceCount()).use()
        name = np.frombuffer(bytes(nccl.get_unique_id()), np.int8).copy()
        self._mpi.broadcast(name)
        self._nccl = nccl.NcclCommunicator(self.size, tuple(name.tolist()), self.rank)

    def all_reduce(self, array: np.ndarray) -> None:
        """Put the sum over all processes in place of an array."""
        there = cupy.asarray(array)
        kind = {"f4": nccl.NCCL_FLOAT32, "f8": nccl.NCCL_FLOAT64, "i8": nccl.NCCL_INT64}
        code = kind[array.dtype.str[1:]]
        place, stream = there.data.ptr, cupy.cuda.Stream.null.ptr
        self._nccl.allReduce(place, place, there.size, code, nccl.NCCL_SUM, stream)
        array[...] = there.get()

    def broadcast(self, array: np.ndarray) -> None:
        """Put what process 0 has in place of an array."""
        self._mpi.broadcast(array)

    def fail(self, error: Exception) -> NoReturn:
        """Say what is wrong and end all processes."""
        self._mpi.fail(error)
