"""Which examples make up which batch: a function of a seed and a step, so that runs resume."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True, slots=True)
class Order:
    """In which order examples come, and which part of each batch this process has of it.

    Args:
        seed: of the order.
        shuffle: whether to draw one; else they come as they stand.
        rank, ranks: which part of how many, as equal as can be.
    """

    seed: int = 0
    shuffle: bool = True
    rank: int = 0
    ranks: int = 1

    def own(self, examples: np.ndarray) -> np.ndarray:
        """Give this process's part of a batch; it may be empty."""
        return np.array_split(examples, self.ranks)[self.rank]


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of all epochs, each epoch in an order of its own.

    The order of an epoch sorts the raw bits of a counter-based generator (Philox: Salmon et al.,
    Parallel Random Numbers: As Easy as 1, 2, 3, 2011), whose key is the seed and the epoch. NumPy
    promises these bits for all versions, which it does not for `permutation`.

    Args:
        examples: how many there are.
        size: how many make up a batch.
        order: in which they come.
        drop_last: leave out what does not fill a batch at the end of an epoch.
    """

    examples: int
    size: int
    order: Order = Order()
    drop_last: bool = False

    @property
    def per_epoch(self) -> int:
        """Count the batches of an epoch."""
        full, rest = divmod(self.examples, self.size)
        return full + (rest > 0 and not self.drop_last)

    def of(self, epoch: int, batch: int) -> np.ndarray:
        """Give the examples of a batch, all counted from 0: int64, at most `size` of them."""
        start = batch * self.size
        stop = min(start + self.size, self.examples)
        if not self.order.shuffle:
            return self.order.own(np.arange(start, stop))
        return self.order.own(_drawn(self.order.seed, epoch, self.examples)[start:stop])


@lru_cache(maxsize=2)
def _drawn(seed: int, epoch: int, examples: int) -> np.ndarray:
    bits = np.random.Philox(key=[seed, epoch]).random_raw(examples)
    return np.argsort(bits, kind="stable")
