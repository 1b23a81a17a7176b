"""Graphs inside JAX; `make bridges` runs this, for JAX is not among what tests need."""

from collections.abc import Callable, Iterator
from typing import Any

import bridged
import numpy as np
import pytest

import onnxgrad as og

jax = pytest.importorskip("jax")
jnp = jax.numpy

Case = tuple[og.Graph, bridged.Arrays, list[str]]


@pytest.fixture
def wide() -> Iterator[None]:
    """Let JAX hold 64 bits."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def check(case: Case) -> None:
    """Let JAX compare first and second derivatives, in both modes, with differences."""
    check_grads = pytest.importorskip("jax.test_util").check_grads

    graph, feeds, wrt = case
    weights = [name for name in wrt if name not in feeds] or None
    f = og.jax.function(graph, parameters=weights)
    arrays = {n: jnp.asarray(a) for n, a in feeds.items()}

    def call(*moved: Any) -> Any:
        results = f(**{**arrays, **dict(zip(wrt, moved, strict=True))})
        listed = results if isinstance(results, tuple) else (results,)
        return [r for r in listed if jnp.issubdtype(r.dtype, jnp.floating)]

    moved = [arrays[n] if n in arrays else f.parameters[n] for n in wrt]
    check_grads(call, moved, order=2, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", bridged.OPERATORS)
def test_operators_pass_check_grads(name: str, wide: None) -> None:
    check(bridged.operator(name))


@pytest.mark.parametrize("model", bridged.MODELS)
def test_models_pass_check_grads(model: Callable[[], Case], wide: None) -> None:
    check(model())


def tanhs(dtype: str) -> og.Graph:
    b = og.Builder()
    x = b.input("x", dtype, ("N", 2))
    w = b.parameter("w", np.array([[1.0, -2.0], [0.5, 3.0]], dtype))
    b.output(b.op.ReduceSum(b.op.Tanh(x @ w) ** 3.0, keepdims=0), "y")
    b.output(b.op.Shape(x), "shape")
    return b.build()


def expected(x: Any, w: Any = ((1.0, -2.0), (0.5, 3.0))) -> Any:
    return jnp.sum(jnp.tanh(x @ jnp.asarray(w, x.dtype)) ** 3)


TRANSFORMS: list[Callable[[Any], Any]] = [
    jax.grad,
    jax.jit,
    lambda f: jax.jit(jax.grad(f)),
    lambda f: jax.grad(jax.jit(f)),
    lambda f: jax.grad(jax.checkpoint(f)),
    lambda f: jax.jit(jax.hessian(f)),
    lambda f: jax.jacrev(jax.jacrev(f)),
    lambda f: jax.jacfwd(jax.jacfwd(f)),
    lambda f: jax.jacrev(jax.jacfwd(f)),
    lambda f: jax.grad(lambda x: jnp.sum(jax.grad(f)(x) ** 2)),
    lambda f: lambda x: jax.vmap(jax.grad(f))(jnp.stack([x, 2 * x])),
    lambda f: lambda x: jax.jit(jax.vmap(f))(jnp.stack([x, 2 * x])),
    lambda f: lambda x: jax.vmap(f, in_axes=2)(jnp.stack([x, 2 * x], 2)),
    lambda f: jax.grad(lambda x: jnp.prod(jax.vmap(lambda c: f(c * x))(jnp.ones(3, x.dtype)))),
    lambda f: lambda x: jax.lax.scan(lambda c, k: (c + f(k * x), None), x[0, 0], x[0])[0],
    lambda f: lambda x: jax.vmap(jax.linearize(f, x)[1])(jnp.stack([x, 2 * x])),
]


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_jax_compose(transform: Callable[[Any], Any], wide: None) -> None:
    f = og.jax.function(tanhs("float64"), "y")
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)))
    np.testing.assert_allclose(transform(f)(x), transform(expected)(x), rtol=1e-10, atol=1e-12)


def test_a_batch_of_a_linear_function_is_transposed(wide: None) -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)))
    batch = jnp.stack([x, 2 * x])

    def transposed(f: Any) -> Any:
        return jax.linear_transpose(jax.vmap(jax.linearize(f, x)[1]), batch)(jnp.ones(2))[0]

    f = og.jax.function(tanhs("float64"), "y")
    np.testing.assert_allclose(transposed(f), transposed(expected), rtol=1e-10)


def test_wide_graphs_where_jax_is_narrow() -> None:
    f = og.jax.function(tanhs("float64"), parameters="w")
    x = jnp.asarray([[0.5, -1.0]], jnp.float32)
    y, shape = jax.jit(f)(x)
    assert y.dtype == jnp.float32 and shape.dtype == jnp.int32 and shape.tolist() == [1, 2]
    w = np.array([[1.0, -2.0], [0.5, 3.0]])
    found = jax.grad(lambda x, w: f(x, w=w)[0], (0, 1))(x, jnp.asarray(w, jnp.float32))
    tanh = np.tanh(np.asarray(x, np.float64) @ w)
    slopes = 3 * tanh**2 * (1 - tanh**2)
    np.testing.assert_allclose(found[0], slopes @ w.T, rtol=1e-5)
    np.testing.assert_allclose(found[1], np.asarray(x).T @ slopes, rtol=1e-5)


def test_wrong_arrays_are_refused() -> None:
    f = og.jax.function(tanhs("float32"))
    with pytest.raises(og.GraphError, match="got the shape"):
        jax.jit(f)(jnp.ones((2, 3)))
    with pytest.raises(og.GraphError, match="got int32; convert it with .astype"):
        f(jnp.ones((2, 2), jnp.int32))
    with pytest.raises(og.GraphError, match="'x' wants float32"):
        f("text")
    b = og.Builder()
    b.output(b.op.NonZero(b.input("x", "float32", ("N",))), "y")
    f = og.jax.function(b.build())
    with pytest.raises(og.GraphError, match="the shape of 'y' is known only once the graph runs"):
        jax.jit(f)(jnp.ones(3))
