"""Build a graph by hand: inputs, parameters and every ONNX operator by its own name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from onnxgrad.compiler import composites  # noqa: F401  # operators beside ONNX's have their types
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError, locate
from onnxgrad.compiler.graph.arguments import (
    as_array,
    as_dim,
    require_function,
    require_graph,
    require_text,
)
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.names import is_text
from onnxgrad.compiler.graph.subgraphs import all_graphs
from onnxgrad.compiler.graph.types import Dim, TensorType, Type, as_dtype
from onnxgrad.compiler.standard.schemas import by_place, find_schema

from .arithmetic import PythonOperators
from .calling import put_in
from .indexing import index
from .numpy_calls import NumpyCalls
from .operators import TensorOps


class Tensor(PythonOperators, NumpyCalls):
    """A value of a graph under construction, with Python's operators and indexing."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: "Builder", value: Value) -> None:
        self.builder = builder
        self.value = value

    @property
    def name(self) -> str:
        """Name of the value."""
        return self.value.name

    @property
    def dtype(self) -> np.dtype:
        """Element dtype."""
        return self.value.dtype

    @property
    def shape(self) -> tuple[Dim, ...] | None:
        """Dimensions, symbols by name; None where the rank is unknown."""
        return self.value.shape

    @property
    def T(self) -> "Tensor":
        """The tensor with its axes in reverse order."""
        return self.builder.op.Transpose(self)

    def __bool__(self) -> bool:
        raise GraphError(f"'{self.name}' has no value yet; use op.If or op.Where")

    def __iter__(self) -> Iterator["Tensor"]:
        raise GraphError(
            f"'{self.name}' is one tensor, which Python cannot take apart: index it, or cut it by "
            "op.Split; of an operator with optional outputs ask for more, op.MaxPool(…, outputs=2)"
        )

    def __getitem__(self, key: Any) -> "Tensor":
        return index(self.builder.op, self, key if isinstance(key, tuple) else (key,))

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}: {self.value.type})"


class Builder:
    """Build a graph.

    Example:
        >>> b = Builder("net")
        >>> x = b.input("x", "float32", ("N", 4))
        >>> w = b.parameter("w", np.ones((4, 2), np.float32))
        >>> b.output(b.op.Relu(x @ w), "y")
        >>> g = b.build()
    """

    def __init__(self, name: str = "graph") -> None:
        if not (isinstance(name, str) and is_text(name)):
            raise GraphError(f"the name of a graph is a text, not {name!r}")
        self._graph = Graph(name)
        self._open = [self._graph]  # the graph and the subgraphs under construction, innermost last
        self._graphs = [self._graph]  # all of them, finished subgraphs too
        self._used: list[Graph] = []
        self._called: dict[Graph, dict[Value, Value]] = {}  # the parameters of each, and ours
        self.op: Any = TensorOps(self)

    def __repr__(self) -> str:
        return f"Builder({self._graph!r})"

    @classmethod
    def extend(cls, graph: Graph) -> "Builder":
        """Build on: start from a copy of a graph, such as a loaded model that lacks a loss.

        A `call` of the graph reads the parameters of this copy.
        """
        builder = cls(require_graph(graph).name)
        mapping: dict[Value, Value] = {}
        builder._graph = graph.copy(mapping)
        builder._called[graph] = {v: mapping[v] for v in graph.parameters}
        builder._open, builder._graphs = [builder._graph], list(all_graphs(builder._graph))
        return builder

    def value(self, name: str) -> Tensor:
        """Give a value of the graph by name."""
        return Tensor(self, self._graph.find(name))

    def input(self, name: str, dtype: Any, shape: Sequence[Dim] | None) -> Tensor:
        """Add an input: `shape` of numbers and names ("N"), None where the rank is unknown."""
        type_ = _type(f"input '{name}'", dtype, shape)
        value = self._add(Value(name, type_))
        self._graph.inputs.append(value)
        return Tensor(self, value)

    def subgraph(
        self, function: Callable[..., Any], *inputs: "Tensor | tuple[Any, Sequence[Dim] | None]"
    ) -> Graph:
        """Give the graph that a function of tensors builds: a branch of If, a body of Loop or Scan.

        Whatever the function builds by this builder's tensors and `op` lands in the subgraph; it
        may read tensors from outside. It returns a tensor or several: the outputs.

        Args:
            function: called once, with a tensor for each of `inputs`.
            inputs: for each input a tensor of the same type, or (dtype, shape); a dimension that
                changes from step to step of a Loop needs a name of its own.

        Example:
            >>> step = b.subgraph(lambda i, keep, s: (keep, s @ w), ("int64", ()), ("bool", ()), x)
            >>> y = b.op.Loop(5, None, x, body=step)
        """
        require_function(function, "the function of the subgraph", len(inputs))
        graph = Graph(getattr(function, "__name__", "").strip("<>") or "body", self._graph.names)
        self._graphs.append(graph)
        for type_ in [_type_of_input(v) for v in inputs]:
            value = Value(graph.names.fresh(f"{graph.name}.in"), type_)
            graph.inputs.append(graph.add_value(value))
        with self._inside(graph):
            results = function(*(Tensor(self, v) for v in graph.inputs))
            listed = results if isinstance(results, tuple | list) else [results]
            if not listed or any(r is None for r in listed):
                raise GraphError(f"the function of a subgraph returns tensors, not {results!r}")
            graph.outputs = [Ops(graph).value(self._value(r)) for r in listed]
        return graph

    @contextmanager
    def _inside(self, graph: Graph) -> Iterator[None]:
        self._open.append(graph)
        try:
            yield
        finally:
            self._open.pop()

    def call(self, graph: Graph, /, **inputs: Any) -> Any:
        """Put another graph in place, its inputs being tensors; give its output, or a tuple.

        Its parameters and nodes keep their names where these are free. A graph that is called again
        shares its parameters, and gradients sum over the calls; to have others call `graph.copy()`,
        which is another graph. Sizes that the graph calls by a name are those of the tensors.

        Args:
            graph: any graph; it stays as it is.
            inputs: a tensor, an array or a number for each of its inputs, by name.
        """
        types = {v.name: v.type for v in require_graph(graph).inputs}
        given = {name: self._given(v, types.get(name)) for name, v in inputs.items()}
        shared = self._called.setdefault(graph, {})
        found = put_in(self._graph, self._open[-1], graph, given, shared)
        known = set(self._graphs)
        self._graphs += [g for g in all_graphs(self._open[-1]) if g not in known]
        tensors = [Tensor(self, v) for v in found]
        return tensors[0] if len(tensors) == 1 else tuple(tensors)

    def _given(self, tensor: Any, type_: Type | None) -> Value:
        """Give the value that a called graph is to read; a number takes the input's dtype."""
        value = self._value(tensor)
        if isinstance(value, Value):
            return value
        if isinstance(type_, TensorType) and not isinstance(value, np.ndarray):
            return self.emitter().value(value, type_.dtype)
        return self.emitter().value(value)

    def parameter(self, name: str, array: Any) -> Tensor:
        """Add a weight that the graph owns and training changes."""
        try:
            data = as_array(array).copy()
        except GraphError as error:
            locate(error, f"parameter '{name}'")
            raise
        value = Value(name, TensorType(data.dtype, data.shape), data, parameter=True)
        return Tensor(self, self._add(value))

    def constant(self, array: Any, name: str | None = None, dtype: Any = None) -> Tensor:
        """Add a constant that training leaves alone; Python floats become float32."""
        data = as_array(array, None if dtype is None else as_dtype(dtype)).copy()
        if dtype is None and not isinstance(array, np.ndarray | np.generic):
            data = data.astype(np.float32) if data.dtype == np.float64 else data
        op = self.emitter()
        if name is None:
            return Tensor(self, op.constant(data))
        self._clear(require_text(name, "the name of a constant"))
        value = op.constant(data, name=name)
        self._graph.names.keep(value.name)
        return Tensor(self, value)

    def output(self, tensor: Tensor, name: str | None = None) -> None:
        """Make a tensor an output, under a name where one is given."""
        if not isinstance(tensor, Tensor):
            raise GraphError(
                f"an output is a Tensor, not {tensor!r}: one at a time, then its name; "
                "b.constant makes arrays tensors"
            )
        value = self._value(tensor)
        if name is not None and require_text(name, "the name of an output") != value.name:
            if self._is_named(value):
                value = Ops(self._graph).Identity(value)
            self._clear(name)
            self._graph.rename(value, name)
        elif value in self._graph.outputs:
            raise GraphError(f"'{value.name}' is an output already; give it another name")
        self._graph.names.keep(value.name)
        self._graph.outputs.append(value)

    def build(self) -> Graph:
        """Give the finished graph; what is built afterwards does not change it."""
        if not self._graph.outputs:
            raise GraphError(f"the graph '{self._graph.name}' has no output; call b.output(tensor)")
        return self._graph.copy()

    def emit(self, op_type: str, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
        """Add one operator; `op.Name(…)` is short for this."""
        domain = attributes.get("domain", "")
        schema = find_schema(op_type, domain) if isinstance(domain, str) else None
        inputs, attributes = by_place(schema, inputs, attributes)
        name = attributes.pop("name", None)
        for graph in attributes.values():
            if isinstance(graph, Graph):
                self._use(graph)
        ops = self.emitter()
        for given in inputs:
            if isinstance(given, list | tuple) and any(isinstance(v, Tensor) for v in given):
                raise GraphError(
                    f"{op_type} got a list with tensors in it: hand tensors over one by one, "
                    f"op.{op_type}(a, b); to make one of them is what op.Concat is for"
                )
        outputs = attributes.get("outputs")
        chosen = outputs if isinstance(outputs, list | tuple) else [name]
        for wish in chosen:
            self._clear(wish)
        results = ops.emit(op_type, *map(self._value, inputs), name=name, **attributes)
        for value in ops.emitted[-1].writes() if any(chosen) else ():
            self._graph.names.keep(value.name)
        if isinstance(results, Value):
            return Tensor(self, results)
        return tuple(None if v is None else Tensor(self, v) for v in results)

    def emitter(self) -> Ops:
        """Give what emits into the graph, or the innermost subgraph, under construction."""
        return Ops(self._open[-1])

    def _add(self, value: Value) -> Value:
        """Own an input or a parameter, whose name the user chose."""
        self._clear(value.name)
        self._graph.add_value(value)
        self._graph.names.keep(value.name)
        return value

    def _clear(self, name: Any) -> None:
        """Free a name that nobody chose, of an inner value, for the value that is to have it."""
        names = self._graph.names
        if not (isinstance(name, str) and names.is_made_up(name)):
            return
        public = [*self._graph.inputs, *self._graph.outputs]
        for graph in self._graphs:
            for value in graph.values():
                if value.name == name and value not in public:
                    graph.rename(value, names.fresh(name))

    def _use(self, subgraph: Graph) -> None:
        if subgraph.names is not self._graph.names:
            raise GraphError(f"the graph '{subgraph.name}' is not by b.subgraph of this builder")
        if any(subgraph is used for used in self._used):
            raise GraphError(f"the subgraph '{subgraph.name}' is in use already; build another one")
        self._used.append(subgraph)

    def _value(self, given: Any) -> Any:
        if not isinstance(given, Tensor | Value):
            return given
        value = given if isinstance(given, Value) else given.value
        if isinstance(given, Tensor) and given.builder is not self:
            raise GraphError(f"'{value.name}' belongs to another builder")
        if not self._reaches(value):
            raise GraphError(f"'{value.name}' belongs to a subgraph that is finished, or elsewhere")
        return value

    def _reaches(self, value: Value) -> bool:
        return any(graph.owns(value) for graph in self._open)

    def _is_named(self, value: Value) -> bool:
        graph = self._graph
        return graph.producer(value) is None or value in graph.outputs


def _type_of_input(given: Any) -> Type:
    if isinstance(given, Tensor):
        return given.value.type
    if not (isinstance(given, tuple) and len(given) == 2):
        raise GraphError(f"an input of a subgraph is a tensor or (dtype, shape), not {given!r}")
    return _type("an input of a subgraph", *given)


def _type(what: str, dtype: Any, shape: Any) -> TensorType:
    """Read a type; an error says whose it is."""
    try:
        found = as_dtype(dtype)
    except GraphError as error:
        locate(error, what)
        raise
    if shape is not None and not isinstance(shape, tuple | list):
        raise GraphError(f"{what}: {shape!r} is not a shape; use a tuple of numbers and names")
    return TensorType(found, None if shape is None else tuple(as_dim(what, d) for d in shape))
