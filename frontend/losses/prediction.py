"""What every loss does first and last: find the prediction, add the target, name the loss."""

from collections.abc import Iterable

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_count, require_graph, require_text
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import ANONYMOUS, Dim, TensorType, is_float

from ..advice import warn
from ..building.builder import Builder, Tensor
from ..selection import require_float
from .last_node import LOSS_OF, go_around, last_node


class Prediction:
    """A builder that extends a graph, and the output of it that a loss is about."""

    def __init__(self, graph: Graph, of: str | None, name: str) -> None:
        self.builder = Builder.extend(require_graph(graph))
        self.op = self.builder.op
        self._graph = graph
        self._name = require_text(name, "name")
        if any(v.name == name for v in graph.values()):
            raise GraphError(f"the graph has a '{name}' already; call the loss name='another'")
        self._found = _find(graph, of)
        require_float(graph, self._found, "of")
        if self._found.shape is None:
            raise GraphError(
                f"the rank of '{self._found.name}' is not known, so neither is that of its target; "
                "load the model with shapes={…}"
            )
        self.shape = self._found.shape
        self.name = self._found.name
        self.raw = self.builder.value(self.name)

    @property
    def tensor(self) -> Tensor:
        """The prediction in at least float32."""
        return self.widen(self.raw)

    def widen(self, x: Tensor) -> Tensor:
        """Give a tensor in at least float32."""
        return self.op.Cast(x, to="float32") if x.dtype.itemsize < 4 else x

    def before(self, *ends: str, axis: int | None = None) -> Tensor:
        """Give what a last node of these kinds reads in place of what it gives, with a warning.

        Args:
            ends: operators that the loss contains, such as Softmax.
            axis: the axis they must work along.

        Raises:
            GraphError: the node works along another axis, or belongs to another loss.
        """
        found = last_node(self._graph, self._found)
        if found is None:
            return self.tensor
        node, after = found
        if node.operator not in ends:
            raise GraphError(
                f"'{self.name}' comes from {node.label}; the loss for that is "
                f"og.losses.{LOSS_OF[node.operator]}"
            )
        logits = go_around(self.builder, node, after, axis)
        x = node.first_input.name
        warn(f"the loss is taken from before {node.label}, which it contains: from '{x}'")
        return self.widen(logits)

    def axis(self, axis: int | None, what: str) -> int:
        """Count an axis of the prediction from the front; None: the last, if there is no doubt."""
        rank = len(self.shape)
        if rank == 0:
            raise GraphError(
                f"'{self.name}' is {self.raw.value.type}, one number, which has no {what}; if it "
                f"is a loss already, train with loss='{self.name}'"
            )
        if axis is None and rank > 2:
            raise GraphError(
                f"'{self.name}' is {self.raw.value.type}: say where its {what} are, axis=-1 as in "
                "models of tokens, axis=1 as in models of images"
            )
        axis = -1 if axis is None else axis
        if not isinstance(axis, int | np.integer) or not -rank <= axis < rank:
            raise GraphError(f"'{self.name}' is {self.raw.value.type}, which has no axis {axis!r}")
        return int(axis) % rank

    def classes(self, axis: int | None) -> int:
        """Give the axis of the classes, as `axis` does; of one class alone there is no loss."""
        found = self.axis(axis, "classes")
        if self.shape[found] == 1:
            raise GraphError(
                f"'{self.name}' is {self.raw.value.type}, with one class, whose probability is "
                "always 1; for yes or no there is og.losses.binary_cross_entropy"
            )
        return found

    def target(self, name: str, dtype: np.dtype, shape: tuple[Dim, ...]) -> Tensor:
        """Add an input, or take the value of that name where the graph has a fitting one."""
        require_text(name, "the name of the target")
        known = next((v for v in self._graph.values() if v.name == name), None)
        if known is None:
            return self.builder.input(name, dtype, as_given(shape))
        if known is self._found:
            raise GraphError(f"'{name}' is the prediction itself, from which it never differs")
        wanted = TensorType(dtype, shape)
        kinds = "f" if is_float(dtype) else "iu"
        fits = isinstance(known.type, TensorType) and (
            is_float(known.dtype) if kinds == "f" else known.dtype.kind in kinds
        )
        if not fits or not _may_be(known.shape, shape):
            raise GraphError(f"'{name}' is {known.type}, but the loss needs {wanted}")
        tensor = self.builder.value(name)
        return tensor if tensor.dtype == dtype else self.op.Cast(tensor, to=dtype)

    def like(self) -> tuple[np.dtype, tuple[Dim, ...]]:
        """Give dtype and shape of a target that is compared with the prediction itself."""
        return self.raw.dtype, self.shape

    def mean(self, x: Tensor) -> Tensor:
        """Give the mean over everything."""
        return self.op.ReduceMean(x, keepdims=0)

    def spoil(self, x: Tensor, wrong: Tensor, by: float = np.nan) -> Tensor:
        """Make x NaN, or infinite, where something is wrong, and its gradient with it."""
        return x * self.op.Where(wrong, np.array(by, x.dtype), np.array(1, x.dtype))

    def finish(self, loss: Tensor) -> Graph:
        """Give the graph with the loss as a scalar output."""
        self.builder.output(loss, self._name)
        return self.builder.build()


def _may_be(known: tuple[Dim, ...] | None, shape: tuple[Dim, ...]) -> bool:
    """Tell whether a target fits element by element; a size of 1 would be spread over others."""
    if known is None:
        return True
    pairs = zip(known, shape, strict=False)
    numbers = all(a == b or 1 not in (a, b) and str in (type(a), type(b)) for a, b in pairs)
    return len(known) == len(shape) and numbers


def as_given(shape: Iterable[Dim]) -> list[Dim]:
    """Give a shape as a caller would: a size without a name as "?", which nothing else has."""
    return ["?" if isinstance(d, str) and ANONYMOUS in d else d for d in shape]


def require_positive(given: float, name: str) -> float:
    """Refuse what is not over zero."""
    if isinstance(given, int | float | np.number) and 0 < given < np.inf:
        return float(given)
    raise GraphError(f"{name} must be a number over 0, got {given!r}")


def require_index(given: int, name: str) -> int:
    """Refuse what is not an integer."""
    return require_count(given, name, -(2**63))


def _find(graph: Graph, of: str | None) -> Value:
    return graph.find(only_float_output(graph) if of is None else of)


def only_float_output(graph: Graph, argument: str = "of") -> str:
    """Give the output that a loss is about where nobody says it.

    Raises:
        GraphError: there are several, or none.
    """
    floats = [v for v in graph.outputs if isinstance(v.type, TensorType) and is_float(v.dtype)]
    if len(floats) == 1:
        return floats[0].name
    listed = ", ".join(f"'{v.name}'" for v in floats) or "none"
    scalar = next((v.name for v in floats if v.shape == ()), None)
    ready = "" if scalar is None else f"; '{scalar}' may be a loss already: loss='{scalar}'"
    raise GraphError(
        f"which output is the loss about? Name it with {argument}; of floats: {listed}{ready}"
    )
