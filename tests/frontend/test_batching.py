"""vmap, jacobian and hessian against closed forms, and their compositions."""

import numpy as np
import pytest

import onnxgrad as og

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 3))
BACKENDS = ["numpy", "onnxruntime"]


def quadratic(dtype: str = "float64") -> og.Graph:
    """y = Ax and q = xᵀAx"""
    b = og.Builder("quadratic")
    x = b.input("x", dtype, (3,))
    a = b.parameter("A", A.astype(dtype))
    y = a @ x
    b.output(y, "y")
    b.output(b.op.ReduceSum(x * y, keepdims=0), "q")
    return b.build()


@pytest.mark.parametrize("mode", ["reverse", "forward", None])
@pytest.mark.parametrize("backend", BACKENDS)
def test_jacobian_of_a_linear_map_is_its_matrix(mode: str | None, backend: str) -> None:
    f = og.compile(og.jacobian(quadratic("float32"), "y", "x", mode=mode), backend)
    result = f(x=np.array([1, 2, 3], np.float32))["y.jacobian.x"]
    np.testing.assert_allclose(result, A, rtol=1e-6)


def test_jacobian_by_a_matrix_has_the_shapes_of_both() -> None:
    x = rng.normal(size=3)
    result = og.compile(og.jacobian(quadratic(), "y", ["A", "x"]))(x=x)
    expected = np.einsum("ik,j->ikj", np.eye(3), x)
    np.testing.assert_allclose(result["y.jacobian.A"], expected)
    np.testing.assert_allclose(result["y.jacobian.x"], A)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_jacobian_by_what_a_loop_captures(mode: str, backend: str) -> None:
    """y = x·(2w)³ by three steps"""
    b = og.Builder("power")
    x, w = b.input("x", "float64", (2,)), b.input("w", "float64", (2,))
    step = b.subgraph(lambda i, keep, t: (keep, t * (w * 2.0)), ("int64", ()), ("bool", ()), x)
    b.output(b.op.Loop(3, None, x, body=step), "y")
    f = og.compile(og.jacobian(b.build(), "y", ["x", "w"], mode=mode), backend)
    at = {"x": np.array([0.5, -2.0]), "w": np.array([1.5, 0.25])}
    result = f.run(at)
    np.testing.assert_allclose(result["y"], at["x"] * 8 * at["w"] ** 3)
    np.testing.assert_allclose(result["y.jacobian.x"], np.diag(8 * at["w"] ** 3))
    np.testing.assert_allclose(result["y.jacobian.w"], np.diag(24 * at["x"] * at["w"] ** 2))


@pytest.mark.parametrize("backend", BACKENDS)
def test_hessian_of_a_quadratic_is_constant(backend: str) -> None:
    f = og.compile(og.hessian(quadratic("float32"), "q", "x"), backend)
    result = f(x=np.array([1, 2, 3], np.float32))["q.hessian.x.x"]
    np.testing.assert_allclose(result, A + A.T, rtol=1e-5)


def test_hessian_blocks_mix_inputs() -> None:
    """∂²(xᵀAx)/∂x_i∂A_jk = δ_ij x_k + δ_ik x_j"""
    x = rng.normal(size=3)
    result = og.compile(og.hessian(quadratic(), "q", ["x", "A"]))(x=x)
    mixed = np.einsum("ij,k->ijk", np.eye(3), x) + np.einsum("ik,j->ijk", np.eye(3), x)
    np.testing.assert_allclose(result["q.hessian.x.A"], mixed)
    np.testing.assert_allclose(result["q.hessian.A.x"], mixed.transpose(1, 2, 0))
    np.testing.assert_allclose(result["q.hessian.A.A"], np.zeros((3, 3, 3, 3)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_vmap_of_a_gradient_gives_each_examples_own(backend: str) -> None:
    graph = og.vmap(og.grad(quadratic("float32"), "q", ["x", "A"]))
    assert graph.inputs[0].shape == ("batch", 3)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    result = og.compile(graph, backend)(x=x)
    np.testing.assert_allclose(result["x.grad"], x @ (A + A.T), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result["A.grad"], np.einsum("ni,nj->nij", x, x), rtol=1e-5)


def test_an_operator_without_a_rule_runs_in_a_loop() -> None:
    b = og.Builder("det")
    x = b.input("x", "float32", (3, 3))
    b.output(b.op.Det(x), "y")
    graph = og.vmap(b.build())
    assert [n.op_type for n in graph.nodes() if n.subgraphs] == ["Loop"]
    x_batch = rng.normal(size=(4, 3, 3)).astype(np.float32)
    for backend in BACKENDS:
        result = og.compile(graph, backend)(x=x_batch)["y"]
        np.testing.assert_allclose(result, np.linalg.det(x_batch), rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("batched", ["w", "c", "wc", "xc"])
def test_convolution_by_each_examples_weights(batched: str, group: int, backend: str) -> None:
    b = og.Builder("weights")
    x, w = b.input("x", "float32", (2, 4, 5, "W")), b.input("w", "float32", (6, 4 // group, 2, 3))
    y = b.op.Conv(x, w, b.input("c", "float32", (6,)), group=group, strides=[2, 1])
    b.output(y, "y")
    single, graph = og.compile(b.build()), og.vmap(b.build(), list(batched))
    assert not any(n.subgraphs for n in graph.nodes())
    whole = og.compile(graph, backend)
    shapes = {"x": (2, 4, 5, 6), "w": (6, 4 // group, 2, 3), "c": (6,)}
    drawn = {n: rng.normal(size=(3, *s)).astype(np.float32) for n, s in shapes.items()}
    feeds = {n: a if n in batched else a[0] for n, a in drawn.items()}
    each = [
        single.run({n: a[k] if n in batched else a for n, a in feeds.items()}) for k in range(3)
    ]
    np.testing.assert_allclose(whole.run(feeds)["y"], [r["y"] for r in each], rtol=1e-4, atol=1e-5)
    nothing = {n: a[:0] if n in batched else a for n, a in feeds.items()}
    assert whole.run(nothing)["y"].shape == (0, *each[0]["y"].shape)


def test_vmap_refuses_what_is_no_input() -> None:
    with pytest.raises(og.GraphError, match="no input z"):
        og.vmap(quadratic(), ["z"])


@pytest.mark.parametrize("inputs", [[], ["x", "x"]])
def test_vmap_refuses_no_input_and_one_twice(inputs: list[str]) -> None:
    with pytest.raises(og.GraphError, match="name each input that gets the axis once"):
        og.vmap(quadratic(), inputs)


def test_a_batch_of_batches_has_two_sizes() -> None:
    graph = og.vmap(og.vmap(quadratic()))
    assert graph.inputs[0].shape == ("batch1", "batch", 3)
    x = rng.normal(size=(2, 5, 3))
    np.testing.assert_allclose(og.compile(graph)(x=x)["y"], x @ A.T)


def test_jacobian_needs_numbers() -> None:
    b = og.Builder("symbolic")
    x = b.input("x", "float32", ("N",))
    b.output(x * x, "y")
    with pytest.raises(og.GraphError, match="shape in numbers"):
        og.jacobian(b.build(), "y", "x")
