"""Threads of this process that train together, as processes do."""

import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import numpy as np

import onnxgrad as og
from onnxgrad.parallel import Group

T = TypeVar("T")


class Threads:
    """A group of threads in this process, by a barrier and one board."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, board: list[Any]) -> None:
        self.rank, self.size, self.neighbors = rank, size, size
        self._barrier, self._board = barrier, board

    def _gather(self, array: np.ndarray) -> list[np.ndarray]:
        self._board[self.rank] = array.copy()
        self._barrier.wait()
        found = list(self._board)
        self._barrier.wait()
        return found

    def all_reduce(self, array: np.ndarray) -> None:
        array[...] = sum(self._gather(array))

    def broadcast(self, array: np.ndarray) -> None:
        array[...] = self._gather(array)[0]

    def fail(self, error: Exception) -> NoReturn:
        self._barrier.abort()
        raise error


def together(size: int, run: Callable[[Group], T], kind: type[Threads] = Threads) -> list[T]:
    """Call a function in each thread of a group."""
    barrier, board = threading.Barrier(size), [None] * size
    results: list[Any] = [None] * size

    def call(rank: int) -> None:
        try:
            results[rank] = run(kind(rank, size, barrier, board))
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=call, args=(k,)) for k in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = [r for r in results if isinstance(r, Exception)]
    for error in sorted(errors, key=lambda e: isinstance(e, threading.BrokenBarrierError)):
        raise error  # the first that is not about another one
    return results


def losses(fitted: og.Fitted, event: str = "step") -> list[float]:
    return [r["loss"] for r in fitted.history if r["event"] == event]
