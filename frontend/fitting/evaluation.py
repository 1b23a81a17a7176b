"""How good a model is on data that training does not see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxgrad.backends.feeds import check_feeds
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import is_static
from onnxgrad.compiler.passes.let_vary import let_vary

from ..losses import check_labels
from ..parallel import ALONE, Group
from ..running import Compiled, compile
from ..selection import copied
from ..training.parting import PartedLoss, extract, part_as_mean, part_loss
from .data import Data, Feeds, count
from .sums import add_over_processes, doubled, run_on, zeros_of

Arrays = Mapping[str, np.ndarray]
Metric = Callable[[Arrays, Arrays], float | tuple[float, float]]
"""What a batch's outputs and feeds score: a mean over its examples, or a mean and over how many."""


class Evaluation:
    """A graph with open parameters, which is run on data after each epoch.

    The loss is that of all examples together, whatever batches they come in. Where it cannot be
    taken in parts, since it compares the examples of a batch or batches have one size, it is the
    mean over batches, weighted by how many examples they have.

    Args:
        graph: the model with its loss; it stays as it is.
        loss: the name of a float output of one element.
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
        self._metric = metric
        self._data = data
        self._parameters = parameters
        self._group = group
        copy, _ = copied(graph)
        let_vary(copy, [copy.find(name) for name in parameters])
        self._graph = copy
        self._scored = [loss] if metric is None else [v.name for v in copy.outputs]
        self._needed = copy.upstream(copy.find(name) for name in [loss, *self._scored])
        self._inputs = [v for v in copy.inputs if v.name not in parameters]
        parted = self._parted(copy.find(loss))
        held = [parted.graph.find(name) for name in parameters]
        rounds = parted.rounds(parted.sums)
        wanted = [[s.part for s in sums] for sums in rounds] or [[]]
        if metric is not None or not rounds:
            wanted[-1] += [parted.graph.find(name) for name in self._scored]
        self._rounds = [compile(extract(parted.graph, v, held), backend) for v in wanted]
        mapping: dict[Value, Value] = {}
        last = parted.of_sums(mapping)
        self._last = compile(extract(last, last.outputs, [mapping[v] for v in held]), backend)
        self._sums = {s.part.name: s.whole for sums in rounds for s in sums}
        self._examples = parted.parted.examples.name

    def _parted(self, loss: Value) -> PartedLoss:
        """Give the loss as one of sums over examples, else as a mean over them.

        A sum whose sizes differ from batch to batch is none over all of them.
        """
        try:
            parted = self._copied(part_loss, loss)
        except GraphError:
            return self._copied(part_as_mean, loss)
        alike = all(is_static(s.part.shape) for s in parted.sums)
        return parted if alike else self._copied(part_as_mean, loss)

    def _copied(self, part: Callable[..., PartedLoss], loss: Value) -> PartedLoss:
        mapping: dict[Value, Value] = {}
        copy = self._graph.copy(mapping)
        return part(copy, mapping[loss], [mapping[v] for v in self._inputs])

    def __call__(self, state: Arrays) -> tuple[float, float | None]:
        """Give the loss of all examples and the mean metric, None without a metric.

        Args:
            state: arrays by name, those of the parameters among them.

        Raises:
            GraphError: a batch does not fit, a label is not a class, or there are no examples.
        """
        known = {name: np.asarray(state[name]) for name in self._parameters}
        if any(v.name == self._examples for part in self._rounds for v in part.graph.inputs):
            known[self._examples] = np.array([sum(map(count, self._data.epoch(0)))])
            self._group.all_reduce(known[self._examples])
        scores = np.zeros(2)
        for part in self._rounds:
            scores = self._run(part, known)
        (loss,) = run_on(self._last, known).values()
        score, weight = scores.tolist()
        return (
            float(np.reshape(loss, ())),  # its one element may have axes
            None if self._metric is None else score / weight if weight else 0.0,
        )

    def _run(self, part: Compiled, known: Feeds) -> np.ndarray:
        """Run a graph on all batches and note sums over all of them; give what is scored.

        The score is multiplied by how much it counts, which comes with it.
        """
        summed = {v.name: v for v in part.graph.outputs if v.name in self._sums}
        sums, feeds = Feeds(), Feeds()
        examples, scores = np.zeros(1, np.int64), np.zeros(2)
        for feeds in self._data.epoch(0):
            if not (own := count(feeds)):
                continue  # another process has all of this batch
            check_labels(self._graph, feeds)
            read = [v for v in self._inputs if v in self._needed or v.name in feeds]
            check_feeds(read, feeds)
            outputs = run_on(part, known | feeds)
            for name in summed:
                array = doubled(outputs[name])
                sums[name] = np.add(sums[name], array, out=sums[name]) if name in sums else array
            if self._metric is not None and outputs.keys() >= set(self._scored):
                scores += self._scored_by(self._metric, outputs, feeds, own)
            examples += own
        self._group.all_reduce(examples)
        if not examples[0]:
            raise GraphError("the validation data hold no examples")
        sums = sums or {
            n: doubled(zeros_of(v, known | feeds, part.graph)) for n, v in summed.items()
        }
        add_over_processes(sums, self._group)
        self._group.all_reduce(scores)
        known |= {self._examples: examples, **{n: v for n, v in feeds.items() if not v.ndim}}
        known |= {self._sums[n].name: a.astype(self._sums[n].dtype) for n, a in sums.items()}
        return scores

    def _scored_by(self, metric: Metric, outputs: Feeds, feeds: Feeds, examples: int) -> np.ndarray:
        """Give a batch's score, times how much it counts, and that."""
        given = metric({name: outputs[name] for name in self._scored}, feeds)
        score, weight = given if isinstance(given, tuple) else (given, examples)
        return np.array([float(score) * float(weight), float(weight)])


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The metric "how many labels are right": the largest of the last axis counts as chosen.

    Args:
        of: an output, (..., classes) of floats.
        label: the input it is compared with, (...) of integers; negative ones are passed over.
    """

    of: str
    label: str

    def __call__(self, outputs: Arrays, feeds: Arrays) -> tuple[float, float]:
        """Give the share of right labels, and among how many.

        Raises:
            GraphError: the shapes do not fit.
        """
        chosen, right = outputs[self.of].argmax(-1), feeds[self.label]
        if chosen.shape != right.shape:
            raise GraphError(
                f"accuracy compares the largest of the last axis of '{self.of}', {chosen.shape}, "
                f"with '{self.label}', {right.shape}; the shapes differ"
            )
        counted = right >= 0
        share = float((chosen == right)[counted].mean()) if counted.any() else 0.0
        return share, float(counted.sum())
