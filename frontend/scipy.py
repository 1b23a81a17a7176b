"""Graphs as objectives of scipy.optimize: a scalar, its gradient and its Hessian times a vector."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxgrad.backends.feeds import check_feeds
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import as_array, optional_mapping, require_graph
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.names import suggestion, without_attribute
from onnxgrad.compiler.graph.types import dtype_name

from .bridges.function import function_of
from .running import Compiled, compile
from .selection import WRT, Selection, find_values
from .transforms import grad, hvp

Vector = np.ndarray


def objective(
    graph: Graph,
    of: str | Value,
    wrt: Selection,
    feeds: Mapping[str, Any] | None = None,
    *,
    backend: str = "numpy",
    allow_unused: bool = False,
    **options: Any,
) -> "Objective":
    """Give a scalar of a graph as what `scipy.optimize.minimize` asks for: fun, jac and hessp.

    All of `wrt` together are one vector of float64, one after the other, each by rows.

    Args:
        graph: any graph.
        of: a float tensor of one element.
        wrt: inputs and initializers that the minimizer moves.
        feeds: arrays for the other inputs; for inputs among `wrt` the start and the shape.
        backend: see `compile`, which takes the other options too.
        allow_unused: take zeros for a `wrt` that `of` does not depend on, instead of an error.

    Raises:
        GraphError: an input has no array or one that does not fit, or one of `wrt` has no known
            shape.
        GradientError: `of` is not a scalar, or does not depend on `wrt`.

    Example:
        >>> o = og.scipy.objective(g, "loss", "x", {"x": np.zeros(8), "target": target})
        >>> found = scipy.optimize.minimize(o.fun, o.x0, jac=o.jac, hessp=o.hessp)
        >>> o.unpack(found.x)["x"]
    """
    values = find_values(require_graph(graph), wrt, WRT).values
    held = [v for v in values if v not in graph.inputs]
    function, defaults = function_of(graph, [of], held or None, backend, options, kept=values)
    names = [v.name for v in values]
    given = {**defaults, **optional_mapping(feeds, "feeds")}
    inputs = {v.name: v for v in function.inputs}
    known = {v.name for v in graph.inputs} | inputs.keys()
    for name in given:
        if name not in known:
            raise GraphError(f"feeds: there is no input '{name}'{suggestion(name, known)}")
    given = {name: array for name, array in given.items() if name in inputs}
    if missing := [n for n in inputs if n not in given and n not in names]:
        raise GraphError(f"feeds lacks {', '.join(missing)}, which `wrt` does not name")
    moved = [inputs[name] for name in names]
    # a start may come in the float64 of minimizers, whatever its input is
    given |= {v.name: as_array(given[v.name], v.dtype) for v in moved if v.name in given}
    fed = [v for v in function.inputs if v.name in given]
    given = {v.name: a for v, a in zip(fed, check_feeds(fed, given), strict=True)}
    return Objective(function.graph, moved, given, backend, options, allow_unused)


class Objective:
    """A scalar as a function of one vector, with its derivatives."""

    def __init__(
        self,
        graph: Graph,
        moved: Sequence[Value],
        given: Mapping[str, Any],
        backend: str,
        options: Mapping[str, Any],
        allow_unused: bool = False,
    ) -> None:
        self._graph = graph
        self._moved = moved
        self._start = {v.name: given[v.name] for v in moved if v.name in given}
        self._fixed = {name: a for name, a in given.items() if name not in [v.name for v in moved]}
        self._compile: Callable[[Graph], Compiled] = lambda g: compile(g, backend, **options)
        self._shapes = {v.name: self._shape(v) for v in moved}
        self._of = graph.outputs[0].name
        names = list(self._shapes)
        self._gradient = self._compile(grad(graph, self._of, names, allow_unused=allow_unused))
        self._at: Vector | None = None
        self._results: dict[str, Any] = {}
        self._backend = backend

    def __repr__(self) -> str:
        moved = ", ".join(f"{v.name!r}: {v.type}" for v in self._moved)
        return f"Objective({self._of!r} by {moved}, on {self._backend})"

    @property
    def x0(self) -> Vector:
        """The start as one vector: what `feeds` has for `wrt`, and the arrays of parameters."""
        if missing := [name for name in self._shapes if name not in self._start]:
            raise GraphError(f"feeds has no start for {', '.join(missing)}")
        return self._packed(self._start[name] for name in self._shapes)

    def fun(self, x: Vector) -> float:
        """Give the scalar at a vector."""
        return float(np.asarray(self._run(x)[self._of]).reshape(()))

    def jac(self, x: Vector) -> Vector:
        """Give the gradient at a vector."""
        results = self._run(x)
        return self._packed(results[f"{name}.grad"] for name in self._shapes)

    def hessp(self, x: Vector, p: Vector) -> Vector:
        """Give the Hessian at a vector times another one."""
        directions = {f"{name}.tangent": array for name, array in self.unpack(p).items()}
        results = self._product.run({**self._fixed, **self.unpack(x), **directions})
        return self._packed(results[f"{name}.hvp"] for name in self._shapes)

    def unpack(self, x: Vector) -> dict[str, np.ndarray]:
        """Give the arrays that a vector stands for, by name."""
        x = as_array(x)
        if x.dtype.kind not in "iuf":
            raise GraphError(f"a vector of numbers is wanted, not of {dtype_name(x.dtype)}")
        sizes = [int(np.prod(shape)) for shape in self._shapes.values()]
        if x.ndim != 1 or -1 not in sizes and x.size != sum(sizes):
            raise GraphError(f"a vector of {sum(sizes)} numbers is wanted, got the shape {x.shape}")
        parts = np.split(x, np.cumsum(sizes)[:-1])
        return {
            v.name: part.reshape(self._shapes[v.name]).astype(v.dtype)
            for v, part in zip(self._moved, parts, strict=True)
        }

    def _run(self, x: Vector) -> dict[str, Any]:
        """Run once for the scalar and the gradient: minimizers ask for both, one by one."""
        if self._at is None or not np.array_equal(self._at, x):
            self._results = self._gradient.run({**self._fixed, **self.unpack(x)})
            self._at = np.array(x)
        return self._results

    @cached_property
    def _product(self) -> Compiled:
        return self._compile(hvp(self._graph, self._of, list(self._shapes), allow_unused=True))

    def _shape(self, value: Value) -> tuple[int, ...]:
        """Give the shape of what is moved; that of the start where the graph leaves it open."""
        if value.name in self._start:
            return self._start[value.name].shape
        sizes = [d if isinstance(d, int) else -1 for d in value.shape or (-1, -1)]
        if sizes.count(-1) > (len(self._moved) == 1):
            raise GraphError(f"'{value.name}' is {value.type}: give an array of its size in feeds")
        return tuple(sizes)

    @staticmethod
    def _packed(arrays: Iterable[Any]) -> Vector:
        return np.concatenate([np.asarray(a).ravel() for a in arrays]).astype(np.float64)


if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
