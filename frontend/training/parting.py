"""A scalar of a batch that comes in parts: the graphs by which it is that of the whole batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.dims import is_name, symbols
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import ANONYMOUS, TensorType
from onnxgrad.compiler.parting import PREFIX, Parted, Sum, Total, part_batch
from onnxgrad.compiler.passes.pin_sizes import put_sizes
from onnxgrad.compiler.passes.pipeline import clean_up


@dataclass(frozen=True)
class PartedLoss:
    """A graph with a scalar, and the sums over examples that it is computed of.

    Args:
        parted: the graph, which reads the sums of the whole batch.
        loss: the scalar of the whole batch, which reads nothing of a part.
    """

    parted: Parted
    loss: Value

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self.parted.graph

    @property
    def sums(self) -> list[Sum]:
        """The sums that the loss and its parts are computed of."""
        return self.parted.sums

    def of_sums(self, mapping: dict[Value, Value]) -> Graph:
        """Give a copy in which the loss reads sums alone; `mapping` gains where each value went."""
        copy = self.graph.copy(mapping)
        copy.outputs = [mapping[self.loss]]
        for value, told in self.parted.alike.items():
            copy.replace_uses(mapping[value], mapping[told])
        needed = copy.upstream(copy.outputs)
        assert not any(mapping[v] in needed for v in self.parted.rows)
        return copy

    def needed_by(self, values: Iterable[Value]) -> list[Sum]:
        """Give the sums that must be known of the whole batch before values are computed."""
        needed = self.graph.upstream(values)
        return [s for s in self.sums if s.whole in needed]

    def rounds(self, sums: Sequence[Sum]) -> list[list[Sum]]:
        """Put sums in the order in which they can be known, those together that need no other."""
        found: list[list[Sum]] = []
        for one in sums:
            before = self.needed_by([one.part])
            level = sum(any(s in known for s in before) for known in found)
            found[level : level + 1] = [[*(found[level] if level < len(found) else []), one]]
        return found


def part_loss(
    graph: Graph, loss: Value, fed: Iterable[Value], trained: Iterable[Value] = ()
) -> PartedLoss:
    """Part a graph's batch, in place.

    Args:
        graph: any graph.
        loss: a scalar of it.
        fed: the inputs that data are fed to; all but single numbers have an example in each place
            of their first axis.
        trained: what gradients are wanted by.

    Raises:
        GraphError: the loss is not computed of examples one by one and of sums over them.
    """
    chosen = [v for v in fed if v.constant is None and _has_axes(v)]
    if not chosen:
        raise GraphError("no input has examples along a first axis, of which a batch is parted")
    symbol = _count_by_name(graph, chosen)
    parted = part_batch(graph, chosen, symbol, loss, trained)
    if loss in parted.rows:
        raise GraphError(f"'{loss.name}' is of one example, not of a batch")
    return _whole(parted, loss)


def part_as_mean(graph: Graph, loss: Value, fed: Iterable[Value]) -> PartedLoss:
    """Take a loss for a mean over examples, whatever it is, in place; arguments as in `part_loss`.

    Raises:
        GraphError: an input has no known rank.
    """
    counted = next((v for v in fed if v.constant is None and _has_axes(v)), None)
    parted = Parted(graph, counted)
    parted.note_total(loss, Total.MEAN)
    return _whole(parted, loss)


def _whole(parted: Parted, loss: Value) -> PartedLoss:
    whole = Ops(parted.graph, prefix=PREFIX).Identity(parted.whole(loss))
    parted.set_apart(whole)
    return PartedLoss(parted, whole)


def extract(graph: Graph, outputs: Iterable[Value], fed: Sequence[Value] = ()) -> Graph:
    """Give the part of a graph that computes some values, under their names.

    Args:
        graph: any graph; it stays as it is.
        outputs: values of it.
        fed: values without a node that become inputs where they are needed.
    """
    mapping: dict[Value, Value] = {}
    copy = graph.copy(mapping)
    copy.outputs = [mapping[v] for v in outputs]
    needed = copy.upstream(copy.outputs)
    possible = dict.fromkeys([*copy.inputs, *(mapping[v] for v in fed)])
    copy.inputs = [v for v in possible if v in needed]
    clean_up(copy)
    return copy


def _has_axes(value: Value) -> bool:
    if not isinstance(value.type, TensorType) or value.shape is None:
        raise GraphError(
            f"'{value.name}' is {value.type}: where its examples are is not known, so a batch of "
            "it cannot be parted; load the model with shapes={…}"
        )
    return bool(value.shape)


def _count_by_name(graph: Graph, inputs: Sequence[Value]) -> str:
    """Give the number of examples one name, wherever it stands in the graph."""
    others = {s for v in graph.values() for d in _dims(v) for s in symbols(d)}
    name = "examples"
    while name in others:
        name += "_"
    counts = {v: _dims(v)[0] for v in inputs}
    for value, count in counts.items():
        if isinstance(count, int):
            raise GraphError(
                f"batches of '{value.name}', {value.type}, have one size, so they cannot be parted "
                "among processes; make the first size of the inputs a symbol"
            )
        elsewhere = {s for v in inputs for d in _dims(v)[1:] for s in symbols(d)}
        if count in elsewhere or not (is_name(count) or ANONYMOUS in count):
            raise GraphError(
                f"'{value.name}' is {value.type}, whose first size must be a name that no other "
                "size has, so that batches can be parted among processes"
            )
    put_sizes(graph, dict.fromkeys(map(str, counts.values()), name))
    return name


def _dims(value: Value) -> tuple[int | str, ...]:
    return value.type.shape or () if isinstance(value.type, TensorType) else ()
