"""The processes that torchrun started, by torch.distributed: gloo on CPUs, NCCL on GPUs."""

import os
from importlib import import_module
from typing import Any, NoReturn

import numpy as np

from onnxgrad.compiler.errors import BackendUnavailableError

try:
    torch: Any = import_module("torch")
    distributed: Any = import_module("torch.distributed")
except ImportError:
    raise BackendUnavailableError(
        "torch is not there: pip install torch, then torchrun --nproc-per-node 4 …"
    ) from None


class TorchGroup:
    """All processes of torch's default group, which is made as torchrun says if there is none."""

    def __init__(self) -> None:
        if not distributed.is_initialized():
            if not distributed.is_torchelastic_launched():
                raise BackendUnavailableError(
                    "torch's processes are started by torchrun --nproc-per-node 4 …"
                )
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        self._device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        self.rank: int = distributed.get_rank()
        self.size: int = distributed.get_world_size()
        self.neighbors = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))

    def all_reduce(self, array: np.ndarray) -> None:
        """Put the sum over all processes in place of an array."""
        tensor = torch.from_numpy(array).to(self._device)
        distributed.all_reduce(tensor)
        if self._device != "cpu":  # on the CPU the tensor is the array
            array[...] = tensor.cpu().numpy()

    def broadcast(self, array: np.ndarray) -> None:
        """Put what process 0 has in place of an array; its bytes travel, so any dtype does."""
        flat = array.reshape(-1).view(np.uint8)
        tensor = torch.from_numpy(flat).to(self._device)
        distributed.broadcast(tensor, 0)
        if self._device != "cpu":
            flat[...] = tensor.cpu().numpy()

    def fail(self, error: Exception) -> NoReturn:
        """Raise the error; torchrun ends the other processes when this one has ended."""
        raise error
