"""What a sweep judges: a tool that differentiates, and onnxgrad as one; it compares nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sweep_cases import Arrays, is_float, is_narrow

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype


@dataclass(frozen=True)
class Tool:
    """A way to differentiate a model.

    `gradients(model, feeds, source, target, cotangent)` yields the gradient of <cotangent, target>
    by the source, in float64, once for each way to call the tool or to run what it wrote: the
    best one counts.
    """

    name: str
    gradients: Callable[[Any, Arrays, str, str, np.ndarray], Iterator["Attempt"]]
    refusals: tuple[type[Exception], ...]
    half_tolerance: float = 5e-2  # where it runs half precision in half precision


Attempt = Callable[[], np.ndarray]


def ours(
    model: Any, feeds: Arrays, source: str, target: str, cotangent: np.ndarray
) -> Iterator[Attempt]:
    """Differentiate by onnxgrad and run on its NumPy backend, half precision in float32."""

    def attempt() -> np.ndarray:
        graph, given = og.vjp(og.load(model), [target], [source], allow_unused=True), feeds
        if is_narrow(feeds):
            graph = with_dtype(graph, np.dtype(np.float32))
            given = {k: a.astype(np.float32) if is_float(a) else a for k, a in feeds.items()}
        (seed,) = [v for v in graph.inputs if v.name == f"{target}.grad"]
        results = og.compile(graph).run(given | {seed.name: cotangent.astype(seed.dtype)})
        return np.asarray(results[f"{source}.grad"], np.float64)

    yield attempt


REFUSALS = (og.UnsupportedOpError, og.GradientError, NotImplementedError)
ONNXGRAD = Tool("onnxgrad", ours, REFUSALS, half_tolerance=0)
