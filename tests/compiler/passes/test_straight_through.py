"""Gradients that pass straight through quantization, against torch's and closed forms."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

import onnxgrad as og

CASES = np.load(Path(__file__).parents[2] / "fixtures" / "torch_quantization" / "cases.npz")
NAMES = sorted({key.rpartition(".")[0] for key in CASES})
BACKENDS = ["numpy", "onnxruntime"]


def pair(
    x: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, symbolic: bool = False, **how: Any
) -> og.Graph:
    """y = DequantizeLinear(QuantizeLinear(x)), with the integers as an output too."""
    b = og.Builder("pair")
    shape = [f"d{k}" for k in range(x.ndim)] if symbolic else x.shape
    inputs = b.input("x", x.dtype, shape), b.input("scale", scale.dtype, scale.shape)
    point = None if zero is None else b.constant(zero)
    q = b.op.QuantizeLinear(*inputs, point, **how)
    how = {k: v for k, v in how.items() if k in ("axis", "block_size")}
    b.output(b.op.DequantizeLinear(q, inputs[1], point, **how), "y")
    b.output(q, "q")
    return b.build()


def case(name: str) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, Any]]:
    """Give torch's arrays, the zero point and how to quantize."""
    dtype, axis = name.split(".")
    arrays = {key: CASES[f"{name}.{key}"] for key in ("x", "scale", "dy", "y", "dx", "dscale")}
    zero = CASES[f"{name}.zero_point"].astype(getattr(ml_dtypes, dtype, dtype))
    if int(axis) < 0:
        arrays |= {"scale": arrays["scale"][0], "dscale": arrays["dscale"][0]}
        return arrays, zero[0], {}
    return arrays, zero, {"axis": int(axis)}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("name", NAMES)
def test_the_pair_agrees_with_torch(name: str, symbolic: bool, backend: str) -> None:
    arrays, zero, how = case(name)
    x, scale = arrays["x"], np.asarray(arrays["scale"])
    plain = pair(x, scale, zero, symbolic, **how)
    through = og.straight_through(plain)
    feeds = {"x": x, "scale": scale}
    expected = og.compile(plain, backend).run(feeds)
    graph = og.vjp(through, "y", ["x", "scale"])
    onnx.checker.check_model(og.to_onnx(graph), full_check=True)
    results = og.compile(graph, backend).run(feeds | {"y.grad": arrays["dy"]})
    for key in ("y", "q"):
        np.testing.assert_array_equal(results[key], expected[key])
    np.testing.assert_allclose(results["y"], arrays["y"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results["x.grad"], arrays["dx"], rtol=1e-5)
    np.testing.assert_allclose(results["scale.grad"], arrays["dscale"], rtol=1e-4, atol=1e-4)


SMALL = ["int8", "uint8", "int16", "uint16", "int4", "uint4", "int2", "uint2"]
SMALL += ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn"]


@pytest.mark.parametrize("wide", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("dtype", SMALL)
def test_blocks_of_every_dtype(dtype: str, wide: str) -> None:
    """dx = dy inside, dscale = Σ dy·(q − zero − x/scale) inside and Σ dy·(q − zero) outside."""
    small, large = (np.dtype(getattr(ml_dtypes, d, d)) for d in (dtype, wide))
    rng = np.random.default_rng(2)
    info: Any = ml_dtypes.iinfo if "int" in dtype else ml_dtypes.finfo
    low, high = float(info(small).min), float(info(small).max)
    # by powers of two x/scale is exact in every dtype
    scale = (2.0 ** rng.integers(-3, -1, (2, 3))).astype(large)
    reach = 0.2 * (high - low)
    x = rng.uniform(-reach, reach, (2, 5)).astype(large)
    zero = None
    if "int" in dtype:
        zero = rng.integers(int(low // 2), int(high // 2), (2, 3)).astype(small)
    graph = pair(x, scale, zero, axis=1, block_size=2, output_dtype=onnx_number(small))
    graph = og.vjp(og.straight_through(graph), "y", ["x", "scale"])
    dy = rng.choice([-0.25, 0.25, 0.5], (2, 5)).astype(large)  # no sum overflows
    results = og.compile(graph).run({"x": x, "scale": scale, "y.grad": dy})
    every = np.repeat(np.float64(scale), 2, 1)[:, :5]
    point = 0.0 if zero is None else np.repeat(np.float64(zero), 2, 1)[:, :5]
    ratio, level = np.float64(x) / every, np.float64(results["q"]) - point
    steps = (np.round(ratio) if "int" in dtype else ratio) + point
    inside = (steps >= low) & (steps <= high)
    assert inside.any() and (dtype in ("int16", "uint16") or not inside.all())
    np.testing.assert_array_equal(
        np.float64(results["x.grad"]), np.where(inside, np.float64(dy), 0)
    )
    terms = np.float64(dy) * np.where(inside, level - ratio, level)
    expected = np.stack([terms[:, :2].sum(1), terms[:, 2:4].sum(1), terms[:, 4]], 1)
    tolerance = {"float32": 1e-4, "float16": 1e-3, "bfloat16": 1e-2}[wide] * np.abs(terms).max()
    np.testing.assert_allclose(np.float64(results["scale.grad"]), expected, atol=tolerance)


def onnx_number(dtype: np.dtype) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))


def test_without_it_rounding_has_the_derivative_zero() -> None:
    arrays, zero, how = case("uint8.-1")
    graph = pair(arrays["x"], np.asarray(arrays["scale"]), zero, **how)
    with pytest.raises(og.GradientError, match="does not depend on 'x'"):
        og.vjp(graph, "y", "x")


@pytest.mark.parametrize("name", ["uint8.-1", "int8.1"])
def test_the_second_order_is_that_of_the_line_between_the_bounds(name: str) -> None:
    """y is taken for x inside and (bound − zero)·scale outside: linear in x, scale and dy."""
    arrays, zero, how = case(name)
    x, scale = arrays["x"], np.asarray(arrays["scale"])
    first = og.vjp(og.straight_through(pair(x, scale, zero, **how)), "y", ["x", "scale"])
    names = {n: f"{n}.second" for n in ("x", "scale", "y.grad")}
    second = og.vjp(first, ["x.grad", "scale.grad"], list(names), names=names)
    u = np.random.default_rng(3).normal(size=x.shape).astype("f")
    seeds = {"x.grad.grad": u, "scale.grad.grad": np.zeros_like(scale)}
    feeds = {"x": x, "scale": scale, "y.grad": arrays["dy"]}
    results = og.compile(second).run(feeds | seeds)
    largest = np.abs(x).max() / scale.min() ** 2
    np.testing.assert_allclose(results["x.second"], 0, atol=1e-5 * largest)
    np.testing.assert_allclose(results["scale.second"], 0, atol=1e-5 * largest)
    inside = arrays["dx"] != 0
    np.testing.assert_allclose(results["y.grad.second"], np.where(inside, u, 0), rtol=1e-5)


def test_forward_mode_is_the_transpose() -> None:
    arrays, zero, how = case("int4.0")
    x, scale, dy = arrays["x"], arrays["scale"], arrays["dy"]
    graph = og.jvp(og.straight_through(pair(x, scale, zero, **how)), "y", ["x", "scale"])
    rng = np.random.default_rng(4)
    u, v = rng.normal(size=x.shape).astype("f"), rng.normal(size=scale.shape).astype("f")
    feeds = {"x": x, "scale": scale, "x.tangent": u, "scale.tangent": v}
    pushed = (og.compile(graph).run(feeds)["y.tangent"] * dy).sum()
    expected = (u * arrays["dx"]).sum() + (v * arrays["dscale"]).sum()
    np.testing.assert_allclose(pushed, expected, rtol=1e-4)


def test_vmap_keeps_it() -> None:
    arrays, zero, how = case("uint8.-1")
    x, scale = arrays["x"], np.asarray(arrays["scale"])
    through = og.straight_through(pair(x[0], scale, zero, **how))
    graph = og.vjp(og.vmap(through, ["x"]), "y", "x")
    results = og.compile(graph).run({"x": x, "scale": scale, "y.grad": arrays["dy"]})
    np.testing.assert_allclose(results["x.grad"], arrays["dx"], rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_only_moves_elements_lets_it_through(backend: str) -> None:
    arrays, zero, how = case("uint8.-1")
    x, scale = arrays["x"], np.asarray(arrays["scale"])
    b = og.Builder("moved")
    inputs = b.input("x", "float32", x.shape), b.input("scale", "float32", ())
    q = b.op.QuantizeLinear(*inputs, b.constant(zero))
    q = b.op.Reshape(b.op.Transpose(q, perm=[2, 0, 1]), np.array([5, 12]))
    left, right = b.op.Split(q, axis=1, num_outputs=2)
    q = b.op.Concat(right, left, axis=1)
    b.output(b.op.DequantizeLinear(q, inputs[1], b.constant(zero)), "y")
    graph = og.vjp(og.straight_through(b.build()), "y", ["x", "scale"])
    moved = arrays["dy"].transpose(2, 0, 1).reshape(5, 12)
    dy = np.concatenate([moved[:, 6:], moved[:, :6]], 1)
    results = og.compile(graph, backend).run({"x": x, "scale": scale, "y.grad": dy})
    np.testing.assert_allclose(results["x.grad"], arrays["dx"], rtol=1e-5)
    np.testing.assert_allclose(results["scale.grad"], arrays["dscale"], rtol=1e-4, atol=1e-4)


def dynamic(x: np.ndarray, product: str) -> og.Graph:
    """y = scale·product(q − zero, w), where all of q, scale and zero come from x."""
    b = og.Builder("dynamic")
    q, scale, zero = b.op.DynamicQuantizeLinear(b.input("x", "float32", x.shape))
    if product == "DequantizeLinear":
        b.output(b.op.DequantizeLinear(q, scale, zero), "y")
        return b.build()
    whole = getattr(b.op, product)(q, b.constant(WEIGHTS[product]), zero, b.constant(WEIGHT_ZERO))
    b.output(b.op.Cast(whole, to=onnx.TensorProto.FLOAT) * scale, "y")
    return b.build()


WEIGHT_ZERO = np.array(1, np.int8)
WEIGHTS = {
    "MatMulInteger": np.random.default_rng(5).integers(-9, 9, (4, 3)).astype(np.int8),
    "ConvInteger": np.random.default_rng(6).integers(-9, 9, (2, 4, 1)).astype(np.int8),
}


def spread_back(dy: np.ndarray, product: str) -> np.ndarray:
    """Give the gradient by what the product takes: its transpose applied to dy."""
    if product == "DequantizeLinear":
        return dy
    w = WEIGHTS[product].astype(np.float64) - 1
    return dy @ w.T if product == "MatMulInteger" else np.einsum("nol,oc->ncl", dy, w[..., 0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("top", [3.1, 2.61])
@pytest.mark.parametrize("product", ["DequantizeLinear", "MatMulInteger", "ConvInteger"])
def test_dynamic_quantization(product: str, top: float, backend: str) -> None:
    """Inside y is taken for x plus what the scale moves; a saturated element follows its bound."""
    rng = np.random.default_rng(7)
    shape = (2, 4, 5) if product == "ConvInteger" else (6, 4)
    x = rng.uniform(-1.3, top, shape).astype("f")
    x.flat[3], x.flat[7] = -1.3, top
    plain = dynamic(x, product)
    graph = og.vjp(og.straight_through(plain), "y", "x")
    y = og.compile(plain, backend).run({"x": x})["y"]
    dy = rng.normal(size=y.shape).astype("f")
    results = og.compile(graph, backend).run({"x": x, "y.grad": dy})
    np.testing.assert_array_equal(results["y"], y)
    g, x = spread_back(dy.astype(np.float64), product), x.astype(np.float64)
    least, most = x.min(), x.max()
    scale = (most - least) / 255
    zero, ratio = np.round(-least / scale), x / scale
    q = np.clip(np.round(ratio) + zero, 0, 255)
    inside = np.round(ratio) + zero == q
    by_scale = (g * np.where(inside, q - zero - ratio, q - zero + -least / scale)).sum()
    outside = g[~inside].sum()
    expected = np.where(inside, g, 0)
    expected[x == most] += by_scale / 255
    expected[x == least] += -by_scale / 255 + outside
    np.testing.assert_allclose(results["x.grad"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("branch", [True, False])
def test_in_a_branch(branch: bool) -> None:
    arrays, zero, _ = case("uint8.-1")
    x, scale = arrays["x"], np.asarray(arrays["scale"])
    b = og.Builder("branch")
    inputs = b.input("x", "float32", x.shape), b.input("scale", "float32", ())
    q = b.op.QuantizeLinear(*inputs, b.constant(zero))
    then = b.subgraph(lambda: b.op.DequantizeLinear(q, inputs[1], b.constant(zero)))
    other = b.subgraph(lambda: b.op.DequantizeLinear(q, inputs[1], b.constant(zero)) * 2)
    y = b.op.If(b.input("branch", "bool", ()), then_branch=then, else_branch=other)
    b.output(y, "y")
    graph = og.vjp(og.straight_through(b.build()), "y", "x")
    feeds = {"x": x, "scale": scale, "y.grad": arrays["dy"], "branch": np.array(branch)}
    expected = arrays["dx"] * (1 if branch else 2)
    np.testing.assert_allclose(og.compile(graph).run(feeds)["x.grad"], expected, rtol=1e-5)


def test_other_arithmetic_of_integers_is_refused() -> None:
    b = og.Builder("refused")
    x, one = b.input("x", "float32", (3,)), b.constant(np.array(1.0, "f"))
    q = b.op.QuantizeLinear(x, one, b.constant(np.array(0, np.uint8)))
    doubled = b.op.Add(q, q)
    b.output(b.op.DequantizeLinear(doubled, one), "y")
    b.output(b.op.Shape(q), "shape")  # reads no element
    with pytest.raises(og.UnsupportedOpError, match="nothing passes straight through Add"):
        og.straight_through(b.build())


def test_weights_of_unknown_rank_are_named() -> None:
    b = og.Builder("rank")
    one = b.constant(np.array(1.0, "f"))
    x, w = b.input("x", "float32", (1, 2, 5)), b.input("w", "float32", None)
    zero = b.constant(np.array(0, np.uint8))
    levels = b.op.QuantizeLinear(x, one, zero), b.op.QuantizeLinear(w, one, zero)
    b.output(b.op.Cast(b.op.ConvInteger(*levels, zero, zero, name="layer"), to="float32"), "y")
    with pytest.raises(og.UnsupportedOpError, match="straight through ConvInteger .*the rank of"):
        og.straight_through(b.build())


def test_weights_learn_through_their_quantization() -> None:
    """Least squares by a weight of four bits: straight through it comes close, else it stays."""
    rng = np.random.default_rng(8)
    x, w = rng.normal(size=(32, 4)).astype("f"), np.array([[0.5], [-0.25], [0.75], [0.0]], "f")
    b = og.Builder("learn")
    step, zero = b.constant(np.array(0.125, "f")), b.constant(np.array(0, ml_dtypes.int4))
    q = b.op.QuantizeLinear(b.parameter("w", np.full((4, 1), 0.3, "f")), step, zero)
    error = b.input("x", "float32", x.shape) @ b.op.DequantizeLinear(q, step, zero) - b.input(
        "y", "float32", (32, 1)
    )
    b.output(b.op.ReduceMean(error * error, keepdims=0), "loss")
    train = og.train_step(og.straight_through(b.build()), "loss", og.optim.SGD(0.1))
    stepper = og.compile(train).stepper()
    losses = [float(stepper(x=x, y=x @ w)["loss"]) for _ in range(60)]
    assert losses[0] > 0.1 and losses[-1] == 0
