"""Graphs as differentiable functions in JAX."""

from typing import TYPE_CHECKING, Any

from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.names import without_attribute

from .bridges.function import function_of
from .bridges.requirements import require
from .selection import Selection


def function(
    graph: Graph,
    of: Selection | None = None,
    *,
    parameters: Selection | None = None,
    backend: str = "numpy",
    **options: Any,
) -> Any:
    """Give a graph as a function of arrays that JAX differentiates, batches and compiles.

    The function takes arrays in the order of the graph's inputs, or by their names, and gives one
    array or a tuple of them. Under `jit` the graph runs as a callback on the host. jax.grad, jvp,
    vmap and what they make together are graphs of ours, made when they are first used. A
    derivative computes the values that it needs from the inputs, again. Without jax_enable_x64 JAX
    holds 64-bit numbers in 32 bits; the graph computes in its own.

    Args:
        graph: any graph whose inputs and outputs are tensors of numbers; the shapes of its outputs
            must follow from those of its inputs.
        of: the outputs, or other values, to give, from the inputs that they read; all without this.
        parameters: initializers that the function takes too, after the inputs, by name or pattern;
            the graph's arrays are used where none is given. `f.parameters` has them as arrays.
        backend: see `compile`, which takes the other options too.

    Raises:
        BackendUnavailableError: JAX or the backend is not installed.
        GraphError: what goes in or out is not a tensor, or a name is unknown.

    Example:
        >>> f = og.jax.function(og.load("model.onnx"), "loss")
        >>> jax.jit(jax.grad(f))(x)
    """
    require("jax", "og.jax")
    from .bridges.jax_primitive import JaxFunction  # it imports jax

    return JaxFunction(*function_of(graph, of, parameters, backend, options))


if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
