"""Graphs as a primitive of JAX: how it runs, and how JAX differentiates, transposes and batches it.

One primitive has all rules, where custom_vjp would have reverse mode only and custom_jvp forward
mode only.
"""

# JAX is not installed where this is checked
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Value
from onnxgrad.compiler.graph.types import dtype_name

from .function import Defaults, GraphFunction, Mask, bind, chosen, floats


class JaxFunction:
    """A graph as a function of JAX's arrays: `f(x)`, `f(x, w=weight)`.

    Attributes:
        inputs: the names of what it takes, in order.
        outputs: the names of what it gives, in order; a single one is given as it is.
        parameters: the arrays of the parameters that it takes, as the graph has them.
    """

    def __init__(self, function: GraphFunction, defaults: Defaults) -> None:
        self._function = function
        self.inputs = [v.name for v in function.inputs]
        self.outputs = [v.name for v in function.outputs]
        self.parameters = {name: jnp.asarray(array) for name, array in defaults.items()}

    def __call__(self, *arrays: Any, **by_name: Any) -> Any:
        """Run on arrays by position or by name; give an array, or a tuple of them.

        Raises:
            GraphError: an array is missing or surplus, or of a wrong dtype or shape; or the shape
                of an output is known only once the graph runs.
        """
        given = bind(self._function.inputs, self.parameters, arrays, by_name)
        checked = map(_checked, self._function.inputs, given)
        results = call.bind(*checked, function=self._function)
        return results[0] if len(results) == 1 else tuple(results)


call = Primitive("onnxgrad")
call.multiple_results = True


def _run(*arrays: Any, function: GraphFunction) -> list[Any]:
    return [jnp.asarray(result) for result in _on_host(function, *arrays)]


def _on_host(function: GraphFunction, *arrays: Any) -> list[np.ndarray]:
    """Run the graph on what JAX holds; without 64 bits it holds wide numbers in narrow ones."""
    pairs = zip(function.inputs, arrays, strict=True)
    fed = [np.asarray(a).astype(v.dtype, copy=False) for v, a in pairs]
    return [r.astype(_held(r.dtype), copy=False) for r in function.run(fed)]


def _types(*types: Any, function: GraphFunction) -> list[Any]:
    found = function.result_types([tuple(t.shape) for t in types])
    return [ShapedArray(t.shape, _held(t.dtype)) for t in found]


call.def_impl(_run)
call.def_abstract_eval(_types)


def _lowered(*arrays: Any, function: GraphFunction) -> list[Any]:
    types = _types(*map(jax.typeof, arrays), function=function)
    wanted = [jax.ShapeDtypeStruct(t.shape, t.dtype) for t in types]
    return jax.pure_callback(partial(_on_host, function), wanted, *arrays)


mlir.register_lowering(call, mlir.lower_fun(_lowered, multiple_results=True))


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, function: GraphFunction
) -> tuple[list[Any], list[Any]]:
    """Bind the graph, and that of its tangents, in which these are linear."""
    results = call.bind(*primals, function=function)
    moved = [not isinstance(t, ad.Zero) for t in tangents]
    wrt = tuple(a and b for a, b in zip(floats(function.inputs), moved, strict=True))
    of = floats(function.outputs)
    pushed: Any = iter(())
    if any(wrt) and any(of):
        linear = function.jvp(wrt, of)
        pushed = iter(call.bind(*primals, *chosen(tangents, wrt), function=linear))
    zeros = [ad.Zero(jax.typeof(r).to_tangent_aval()) for r in results]
    out = [next(pushed, zero) if has else zero for has, zero in zip(of, zeros, strict=True)]
    return results, out


ad.primitive_jvps[call] = _jvp


def _transpose(cotangents: Sequence[Any], *arrays: Any, function: GraphFunction) -> list[Any]:
    """Bind the graph of the cotangents of what is linear."""
    linear = tuple(map(ad.is_undefined_primal, arrays))
    of = tuple(not isinstance(ct, ad.Zero) for ct in cotangents)
    arriving = chosen(cotangents, of)
    found = iter(_pulled_back(function, arrays, linear, of, arriving) if any(of) else ())
    out = []
    for array, wanted in zip(arrays, linear, strict=True):
        out.append(next(found, ad.Zero(array.aval)) if wanted else None)
    return out


def _pulled_back(
    function: GraphFunction, arrays: Sequence[Any], linear: Mask, of: Mask, arriving: list[Any]
) -> list[Any]:
    if function.pushed is not None:
        before, moved, outputs = function.pushed
        count = len(before.inputs)
        if not any(linear[:count]) and all(linear[count:]):
            spread = iter(of)
            reached = tuple(counts and next(spread) for counts in outputs)
            backward = before.vjp(moved, reached)
            return call.bind(*arrays[:count], *arriving, function=backward)
    # the gradient of what is linear does not hang on where it is taken
    pairs = zip(arrays, linear, strict=True)
    point = [jnp.zeros(a.aval.shape, a.aval.dtype) if moved else a for a, moved in pairs]
    return call.bind(*point, *arriving, function=function.vjp(linear, of))


ad.primitive_transposes[call] = _transpose


def _batched(
    arrays: Sequence[Any], axes: Sequence[int | None], *, function: GraphFunction
) -> tuple[list[Any], list[int]]:
    """Bind the graph of a batch."""
    batch = function.vmap(tuple(axis is not None for axis in axes))
    moved = [a if k is None else jnp.moveaxis(a, k, 0) for a, k in zip(arrays, axes, strict=True)]
    results = call.bind(*moved, function=batch)
    return results, [0 for _ in results]


batching.primitive_batchers[call] = _batched


def _held(dtype: np.dtype) -> np.dtype:
    """Give the dtype in which JAX holds one: without its flag jax_enable_x64 none of 64 bits."""
    return jax.dtypes.canonicalize_dtype(dtype)


def _checked(value: Value, given: Any) -> Any:
    """Give the array that goes into an input; numbers and lists become one."""
    if not hasattr(given, "dtype"):
        try:
            return jnp.asarray(given, _held(value.dtype))
        except (TypeError, ValueError) as error:
            raise GraphError(f"'{value.name}' wants {value.type}: {error}") from None
    if given.dtype not in (value.dtype, _held(value.dtype)):
        got = dtype_name(np.dtype(given.dtype))
        raise GraphError(f"'{value.name}' wants {value.type}, got {got}; convert it with .astype")
    return jnp.asarray(given)
