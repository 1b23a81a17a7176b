"""A graph as a function of arrays by position; its derivatives are such functions, too."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.dims import evaluate
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType, is_float
from onnxgrad.compiler.passes.let_vary import let_vary
from onnxgrad.compiler.passes.pipeline import clean_up
from onnxgrad.compiler.passes.refine_types import refine_types, settle

from ..batching import vmap
from ..running import Compiled, compile, require_backend
from ..selection import OF, Selection, copied, find_values
from ..transforms import jvp, vjp

Mask = tuple[bool, ...]
"""For each input, or each output, whether it counts."""

Defaults = dict[str, np.ndarray]
"""What inputs are fed where nothing else is given: the arrays of parameters."""

Prepare = Callable[[Graph], Compiled]


class GraphFunction:
    """A graph as a function: arrays go in by the order of its inputs, come out by that of outputs.

    Its derivatives are made when they are first asked for, and kept. They take what it takes,
    compute its values again, and can be differentiated themselves.
    """

    def __init__(
        self,
        graph: Graph,
        prepare: Prepare,
        pushed: tuple["GraphFunction", Mask, Mask] | None = None,
    ) -> None:
        self.graph = graph
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)
        self.pushed = pushed
        """Of a function that `jvp` made: by which function, and of what."""
        self._prepare = prepare
        self._names = [v.name for v in self.inputs]
        self._derived: dict[tuple[str, Mask, Mask], GraphFunction] = {}

    @cached_property
    def compiled(self) -> Compiled:
        """The graph made ready to run, when it first runs."""
        return self._prepare(self.graph)

    def run(self, arrays: Sequence[Any]) -> list[Any]:
        """Run on arrays in the order of the inputs; give those of the outputs."""
        results = self.compiled.run(dict(zip(self._names, arrays, strict=True)))
        return [results[v.name] for v in self.outputs]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made again where it is wanted: no session fits into a file."""
        return {k: v for k, v in vars(self).items() if k != "compiled"} | {"_derived": {}}

    def vjp(self, wrt: Mask, of: Mask) -> "GraphFunction":
        """Give the function of (*inputs, *cotangents of `of`) that gives the gradients by `wrt`."""
        return self._kept("vjp", wrt, of)

    def jvp(self, wrt: Mask, of: Mask) -> "GraphFunction":
        """Give the function of (*inputs, *tangents of `wrt`) that gives the tangents of `of`."""
        return self._kept("jvp", wrt, of)

    def vmap(self, batched: Mask) -> "GraphFunction":
        """Give the function of a batch of some inputs; every output has the new axis, in front."""
        return self._kept("vmap", batched, ())

    def _kept(self, kind: str, inputs: Mask, outputs: Mask) -> "GraphFunction":
        key = (kind, inputs, outputs)
        if key not in self._derived:
            self._derived[key] = self._derive(kind, inputs, outputs)
        return self._derived[key]

    def _derive(self, kind: str, inputs: Mask, outputs: Mask) -> "GraphFunction":
        wrt = [v.name for v in chosen(self.inputs, inputs)]
        if kind == "vmap":
            return GraphFunction(vmap(self.graph, wrt), self._prepare)
        of = [v.name for v in chosen(self.outputs, outputs)]
        suffix = "grad" if kind == "vjp" else "tangent"
        fresh = self.graph.names.copy().fresh
        names = {name: fresh(f"{name}.{suffix}") for name in (*wrt, *of)}
        transform = vjp if kind == "vjp" else jvp
        graph = transform(self.graph, wrt=wrt, of=of, names=names, allow_unused=True)
        graph.outputs = graph.outputs[len(self.outputs) :]
        clean_up(graph)
        pushed = (self, inputs, outputs) if kind == "jvp" else None
        return GraphFunction(graph, self._prepare, pushed)

    def result_types(self, shapes: Sequence[tuple[int, ...]]) -> list[TensorType]:
        """Give the types of the outputs for inputs of these shapes.

        Raises:
            GraphError: the inputs cannot have these shapes, or an output's hangs on numbers.
        """
        sizes: dict[str, int] = {}
        for value, shape in zip(self.inputs, shapes, strict=True):
            _match(value, shape, sizes)
        graph = self.graph
        for pinned in (False, True):
            if pinned:
                graph = _pinned(self.graph, shapes)
            found = [_static(v, sizes) for v in graph.outputs]
            if types := [t for t in found if t is not None]:
                if len(types) == len(found):
                    return types
        unknown = next(v.name for v, t in zip(graph.outputs, found, strict=True) if t is None)
        raise GraphError(f"the shape of '{unknown}' is known only once the graph runs")


def chosen(items: Sequence[Any], mask: Mask) -> list[Any]:
    """Give the items that a mask lets through."""
    return [item for item, counts in zip(items, mask, strict=True) if counts]


def floats(values: Sequence[Value]) -> Mask:
    """Tell which values are floats, the others having no derivatives."""
    return tuple(is_float(v.dtype) for v in values)


def function_of(
    graph: Graph,
    of: Selection | None,
    parameters: Selection | None,
    backend: str,
    options: Mapping[str, Any],
    kept: Sequence[Value] = (),
) -> tuple[GraphFunction, Defaults]:
    """Give a graph as a function of its inputs, then of chosen parameters, and their arrays.

    Of the inputs it takes what the chosen outputs read, and those of `kept`.

    Raises:
        GraphError: something goes in or out that is not a tensor of numbers, or is not there.
        BackendUnavailableError: the backend cannot run here.
    """
    require_backend(backend, options.keys() - {"tune"})
    copy, mapping = copied(graph)
    if of is not None:
        copy.outputs = [mapping[v] for v in find_values(graph, of, OF).values]
        read = {*copy.upstream(copy.outputs), *(mapping[v] for v in kept)}
        copy.inputs = [v for v in copy.inputs if v in read]
    if parameters is not None:
        copy.inputs.extend([mapping[v] for v in _parameters(graph, parameters)])
    defaults = {v.name: v.constant for v in copy.inputs if v.constant is not None}
    held = [v for v in copy.inputs if v.constant is not None]
    let_vary(copy, held)
    for value in held:
        value.constant, value.parameter = None, False
    for k, value in enumerate(copy.outputs):
        if copy.producer(value) is None or value in copy.outputs[:k]:
            copy.outputs[k] = Ops(copy).Identity(value)
    for value in (*copy.inputs, *copy.outputs):
        if not isinstance(value.type, TensorType) or value.dtype.kind in "OUS":
            raise GraphError(f"'{value.name}' is {value.type}; only tensors of numbers cross over")
    clean_up(copy)
    return GraphFunction(copy, partial(compile, backend=backend, **options)), defaults


def _parameters(graph: Graph, given: Selection) -> list[Value]:
    weights = [v for v in graph.values() if v.parameter and is_float(v.dtype)]
    values = find_values(graph, given, "parameters", weights).values
    for value in values:
        if value.constant is None or graph.producer(value) is not None:
            kind = "an input" if value in graph.inputs else "computed"
            raise GraphError(f"parameters: '{value.name}' is {kind}; name initializers")
    return values


def _match(value: Value, shape: tuple[int, ...], sizes: dict[str, int]) -> None:
    """Note the sizes that an input's shape gives to its symbols."""
    if value.shape is None:
        return
    fits = len(shape) == len(value.shape)
    for dim, size in zip(value.shape, shape, strict=False):
        fits = fits and (dim if isinstance(dim, int) else sizes.setdefault(dim, size)) == size
    if not fits:
        raise GraphError(f"'{value.name}' wants {value.type}, got the shape {shape}")


def _static(value: Value, sizes: dict[str, int]) -> TensorType | None:
    if value.shape is None:
        return None
    dims = [d if isinstance(d, int) else evaluate(d, sizes) for d in value.shape]
    known = tuple(d for d in dims if d is not None)
    return TensorType(value.dtype, known) if len(known) == len(dims) else None


def _pinned(graph: Graph, shapes: Sequence[tuple[int, ...]]) -> Graph:
    """Copy a graph, its inputs of these shapes; give what inference tells then."""
    copy = graph.copy()
    for value, shape in zip(copy.inputs, shapes, strict=True):
        value.type = TensorType(value.dtype, shape)
    refine_types(copy)
    settle(copy)
    return copy


def bind(
    inputs: Sequence[Value],
    defaults: Mapping[str, Any],
    arrays: Sequence[Any],
    by_name: Mapping[str, Any],
) -> list[Any]:
    """Give what goes into each input, by position, by name or by default.

    Raises:
        GraphError: too many, unknown or missing arrays, or one that is given twice.
    """
    if len(arrays) == len(inputs) and not by_name:
        return list(arrays)
    names = [v.name for v in inputs]
    given = dict(zip(names, arrays, strict=False))
    wrong = [f"'{name}' is not an input" for name in by_name if name not in names]
    wrong += [f"'{name}' is given twice" for name in by_name if name in given]
    if len(arrays) > len(names):
        wrong.append(f"{len(arrays)} arrays are too many")
    given = {**defaults, **given, **by_name}
    wrong += [f"'{name}' is missing" for name in names if name not in given]
    if wrong:
        takes = ", ".join(f"{v.name}: {v.type}" for v in inputs) or "nothing"
        raise GraphError(f"{'; '.join(wrong)}. The function takes {takes}")
    return [given[name] for name in names]
