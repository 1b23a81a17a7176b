"""Second and third derivatives of convolutions: the rules close over themselves."""

import numpy as np
import pytest
from finite_differences import finite_differences

import onnxgrad as og

Arrays = dict[str, np.ndarray]


def network(symbolic: bool, dtype: str) -> og.Graph:
    """Build a loss over a strided, dilated, grouped Conv and ConvTranspose."""
    b = og.Builder("net")
    shape = ("n", 4, "h", "w") if symbolic else (1, 4, 6, 5)
    x = b.input("x", dtype, shape)
    w = b.input("w", dtype, (4, 2, 3, 2))
    v = b.input("v", dtype, (4, 1, 2, 3))
    y = b.op.Conv(x, w, group=2, strides=[2, 1], dilations=[1, 2], pads=[1, 0, 2, 1])
    y = b.op.ConvTranspose(
        y * y * y, v, group=2, strides=[1, 2], dilations=[2, 1], pads=[0, 1, 1, 0]
    )
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    return b.build()


def draw() -> Arrays:
    rng = np.random.default_rng(11)
    shapes = {"x": (1, 4, 6, 5), "w": (4, 2, 3, 2), "v": (4, 1, 2, 3)}
    return {name: rng.uniform(-0.5, 0.5, shape) for name, shape in shapes.items()}


def derivatives(graph: og.Graph, order: int) -> tuple[og.Graph, Arrays]:
    """Differentiate `order` times, each time a projection of the gradients; give its directions."""
    rng = np.random.default_rng(order)
    arrays, seeds = draw(), {}
    of, wrt = ["loss"], list(arrays)
    for k in range(order):
        names = {n: f"{n}.{k}" for n in wrt} | {n: f"{n}.seed" for n in of}
        graph = og.vjp(graph, of, wrt, names=names)
        for name in of:
            shape = () if name == "loss" else arrays[name.split(".")[0]].shape
            seeds[f"{name}.seed"] = rng.uniform(0.5, 1.5, shape)
        of = [names[n] for n in wrt]
    return graph, seeds


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("order", [2, 3])
def test_derivative_is_the_finite_difference_of_the_one_before(order: int, symbolic: bool) -> None:
    lower, seeds = derivatives(network(symbolic, "float64"), order - 1)
    arrays = draw()
    higher, all_seeds = derivatives(network(symbolic, "float64"), order)
    rng = np.random.default_rng(99)
    directions = {n: rng.uniform(-1, 1, a.shape) for n, a in all_seeds.items()}
    compiled = og.compile(lower)
    ends = [f"{n}.{order - 2}" for n in arrays]

    def projected(moved: Arrays) -> float:
        fed = {k: v for k, v in moved.items() if k in arrays or k in seeds}
        results = compiled.run(fed)
        return float(sum((results[n] * directions[f"{n}.seed"]).sum() for n in ends))

    feeds = {**arrays, **directions}
    actual = og.compile(higher).run(feeds)
    for name in arrays:
        expected = finite_differences(projected, feeds, name)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            actual[f"{name}.{order - 1}"], expected, rtol=1e-5, atol=1e-6 * scale
        )


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("form", ["unfold", "derived", "taps"])
def test_exported_second_derivative_runs_in_onnxruntime(form: str, symbolic: bool) -> None:
    graph, seeds = derivatives(network(symbolic, "float32"), 2)
    feeds = {n: a.astype("float32") for n, a in (draw() | seeds).items()}
    expected = og.compile(graph).run(feeds)
    forms = {"ConvWeightGrad": form, "ConvInputGrad": "stuffed" if form == "taps" else "transposed"}
    exported = og.load(og.to_onnx(graph, forms=forms))
    actual = og.compile(exported, "onnxruntime").run(feeds)
    for name, array in expected.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(actual[name], array, rtol=1e-4, atol=1e-4 * scale)
