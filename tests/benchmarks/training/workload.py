"""What a workload is: data, weights, and one loss written for each library; it times nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Arrays = dict[str, np.ndarray]
Loss = Callable[..., Any]
"""(what makes operators: `b.op`, torch or jax; weights by name; the data by name) → the loss."""


@dataclass
class Draw:
    """Weights by name, drawn as torch's layers draw theirs."""

    rng: np.random.Generator
    found: Arrays = field(default_factory=dict)

    def normal(self, name: str, *shape: int, scale: float = 1.0) -> None:
        """Add a normal array."""
        self.found[name] = self.rng.normal(0, scale, shape).astype(np.float32)

    def linear(self, name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        """Add the weight (outputs, inputs) and the bias of a dense layer."""
        self._uniform(name, (outputs, inputs), inputs, outputs if bias else 0)

    def convolution(self, name: str, shape: tuple[int, ...], bias: int = 0) -> None:
        """Add the weight of a convolution, and a bias of that many numbers."""
        self._uniform(name, shape, int(np.prod(shape[1:])), bias)

    def normalization(self, name: str, width: int) -> None:
        """Add scale and shift of a normalization."""
        self.found[f"{name}.weight"] = np.ones(width, np.float32)
        self.found[f"{name}.bias"] = np.zeros(width, np.float32)

    def _uniform(self, name: str, shape: tuple[int, ...], summed: int, bias: int) -> None:
        reach = summed**-0.5
        self.found[f"{name}.weight"] = self.rng.uniform(-reach, reach, shape).astype(np.float32)
        if bias:
            self.found[f"{name}.bias"] = self.rng.uniform(-reach, reach, bias).astype(np.float32)


@dataclass(frozen=True)
class Workload:
    """A loss of weights and data, and what is asked of it.

    title: a name, a comma, and what it is, with "{}" for the size, which `--growth` doubles.
    weights: draws them. data: gives what is fed. ours, in_torch, in_jax: the loss. by: what it is
    differentiated by; weights are trained, "x" gives the gradient of every example by itself, for
    which `ours` and `in_jax` write one example, that vmap batches, and `in_torch` writes the batch.
    rate: η. within: what gradients may differ by, of their norm. repeats: steps in one timing.
    alone: it takes so much memory that its contenders run one after the other, and only when asked
    for by name.
    """

    title: str
    size: int
    weights: Callable[[Draw, int], None]
    data: Callable[[np.random.Generator, int], Arrays]
    ours: Loss
    in_torch: Loss
    in_jax: Loss
    by: Literal["weights", "x"] = "weights"
    optimizer: Literal["SGD", "AdamW"] = "SGD"
    rate: float = 0.01
    within: float = 1e-4
    repeats: int = 1
    alone: bool = False


@dataclass(frozen=True)
class Job:
    """A workload at a size, its weights and data, and how many threads (0: as many as it likes)."""

    work: Workload
    weights: Mapping[str, np.ndarray]
    data: Mapping[str, np.ndarray]
    threads: int


def job(work: Workload, size: int, threads: int = 0) -> Job:
    """Draw weights and data, the same at every call."""
    draw = Draw(np.random.default_rng(0))
    work.weights(draw, size)
    return Job(work, draw.found, work.data(np.random.default_rng(1), size), threads)


def sampled(arrays: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Give up to two thousand elements of every array, evenly spread, for comparison."""
    return {
        name: np.ravel(array)[:: max(1, array.size // 1000)].tolist()
        for name, array in arrays.items()
    }


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw data."""
    return rng.normal(size=shape).astype(np.float32)


def cross_entropy(jax: Any, logits: Any, target: Any) -> Any:
    """Give the mean cross-entropy of logits (…, classes), which jax has no function for."""
    found = jax.nn.log_softmax(logits)
    return -jax.numpy.take_along_axis(found, target[..., None], axis=-1).mean()
