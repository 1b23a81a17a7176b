"""How good a model is on data that training does not see."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.passes.let_vary import let_vary
from onnxgrad.compiler.passes.pipeline import clean_up

from ..running import compile
from ..selection import copied
from .data import Data

Arrays = Mapping[str, np.ndarray]
Metric = Callable[[Arrays, Arrays], float]
"""What a batch's outputs and feeds score, as a mean over its examples."""


class Evaluation:
    """A graph with open parameters, which is run on data after each epoch."""

    def __init__(
        self,
        graph: Graph,
        loss: str,
        metric: Metric | None,
        parameters: Sequence[str],
        data: Data,
        backend: str,
    ) -> None:
        copy, _ = copied(graph)
        self._loss = loss
        self._metric = metric
        self._data = data
        self._parameters = parameters
        if metric is None:
            copy.outputs = [copy.find(loss)]
        for value in map(copy.find, parameters):
            let_vary(copy, value)
            if value not in copy.inputs:
                copy.inputs.append(value)
        clean_up(copy)
        self._compiled = compile(copy, backend)

    def __call__(self, state: Arrays) -> tuple[float, float | None]:
        """Give the mean loss and the mean metric over all examples, None without a metric."""
        held = {name: state[name] for name in self._parameters}
        loss = score = 0.0
        examples = 0
        for feeds in self._data.epoch(0):
            count = max((len(a) for a in feeds.values() if a.ndim), default=1)
            outputs = self._compiled.run({**held, **feeds})
            loss += count * float(outputs[self._loss])
            if self._metric is not None:
                score += count * float(self._metric(outputs, feeds))
            examples += count
        if not examples:
            raise GraphError("the validation data hold no examples")
        return loss / examples, None if self._metric is None else score / examples


def accuracy(of: str, label: str) -> Metric:
    """Give the metric "how many labels are right": the largest of the last axis counts as chosen.

    Args:
        of: an output, (..., classes) of floats.
        label: the input it is compared with, integers; negative ones are passed over.
    """

    def measure(outputs: Arrays, feeds: Arrays) -> float:
        chosen, right = outputs[of].argmax(-1), feeds[label]
        if chosen.shape != right.shape:
            raise GraphError(
                f"accuracy compares the largest of the last axis of '{of}', {chosen.shape}, with "
                f"'{label}', {right.shape}; the shapes differ"
            )
        counted = right >= 0
        return float((chosen == right)[counted].mean()) if counted.any() else 0.0

    return measure
