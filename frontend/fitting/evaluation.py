"""How good a model is on data that training does not see."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.passes.let_vary import let_vary
from onnxgrad.compiler.passes.pipeline import clean_up

from ..losses import check_labels
from ..parallel import ALONE, Group
from ..running import compile
from ..selection import copied
from .data import Data, count

Arrays = Mapping[str, np.ndarray]
Metric = Callable[[Arrays, Arrays], float]
"""What a batch's outputs and feeds score, as a mean over its examples."""


class Evaluation:
    """A graph with open parameters, which is run on data after each epoch.

    Args:
        graph: the model with its loss; it stays as it is.
        loss: the name of a float output of one element, a mean over a batch's examples.
        metric: scores a batch, None for the loss alone.
        parameters: what a state holds of the graph, by name.
        data: in batches; the order does not count.
        backend: where it runs.
        group: the processes that share the examples.
    """

    def __init__(
        self,
        graph: Graph,
        loss: str,
        metric: Metric | None,
        parameters: Sequence[str],
        data: Data,
        backend: str,
        group: Group = ALONE,
    ) -> None:
        copy, _ = copied(graph)
        self._loss = loss
        self._metric = metric
        self._data = data
        self._parameters = parameters
        self._group = group
        if metric is None:
            copy.outputs = [copy.find(loss)]
        varied = [copy.find(name) for name in parameters]
        let_vary(copy, varied)
        copy.inputs.extend(v for v in varied if v not in copy.inputs)
        clean_up(copy)
        self._graph = copy
        self._compiled = compile(copy, backend)

    def __call__(self, state: Arrays) -> tuple[float, float | None]:
        """Give the mean loss and the mean metric over all examples, None without a metric.

        Args:
            state: arrays by name, those of the parameters among them.

        Raises:
            GraphError: a batch does not fit, a label is not a class, or there are no examples.
        """
        held = {name: state[name] for name in self._parameters}
        sums = np.zeros(3)
        for feeds in self._data.epoch(0):
            if not (examples := count(feeds)):
                continue  # another process has all of this batch
            check_labels(self._graph, feeds)
            outputs = self._compiled.run({**held, **feeds})
            loss = float(np.reshape(outputs[self._loss], ()))  # its one element may have axes
            score = 0.0 if self._metric is None else float(self._metric(outputs, feeds))
            sums += examples * np.array([1.0, loss, score])
        self._group.all_reduce(sums)
        if not sums[0]:
            raise GraphError("the validation data hold no examples")
        _, loss, score = (sums / sums[0]).tolist()
        return loss, None if self._metric is None else score


def accuracy(of: str, label: str) -> Metric:
    """Give the metric "how many labels are right": the largest of the last axis counts as chosen.

    Args:
        of: an output, (..., classes) of floats.
        label: the input it is compared with, (...) of integers; negative ones are passed over.

    The metric raises GraphError where the shapes do not fit.
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
