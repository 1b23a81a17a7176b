"""Values by pattern: what matches and matters is taken, and what was misspelt is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og


def network() -> og.Graph:
    """loss = Σ (x·fc.weight + fc.bias)²; k, floor and other.weight have nothing to do with it."""
    b = og.Builder("net")
    x = b.input("x", "float32", (2, 3))
    w = b.parameter("fc.weight", np.arange(6, dtype=np.float32).reshape(3, 2))
    y = x @ w + b.parameter("fc.bias", np.ones(2, np.float32))
    b.output(y, "y")
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    b.output(-b.parameter("other.weight", np.ones(2, np.float32)), "other")
    b.output(b.op.Floor(x, name="down"), "floor")
    b.output(b.input("k", "int64", ()) + 1, "next")
    return b.build()


def backwards(graph: og.Graph, of: Any, wrt: Any) -> og.Graph:
    return og.jvp(graph, of, wrt)


def added(graph: og.Graph) -> list[str]:
    before = network()
    known = {v.name for v in (*before.inputs, *before.outputs)}
    return [v.name for v in (*graph.inputs, *graph.outputs) if v.name not in known]


FOUND: list[tuple[Callable[..., og.Graph], Any, Any, list[str]]] = [
    (og.grad, "loss", "*", ["x.grad", "fc.weight.grad", "fc.bias.grad"]),
    (og.grad, "lo*", "*.weight", ["fc.weight.grad"]),
    (og.grad, "loss", ["*.weight", "x", "fc.w?ight"], ["fc.weight.grad", "x.grad"]),
    (og.vjp, "*", "fc.bias", ["y.grad", "loss.grad", "fc.bias.grad"]),
    (og.vjp, ["y", "o*"], "*s", ["y.grad", "fc.bias.grad"]),
    (
        backwards,
        "*",
        "*.weight",
        [
            *("fc.weight.tangent", "other.weight.tangent"),
            *("y.tangent", "loss.tangent", "other.tangent"),
        ],
    ),
    (backwards, "y", "*s", ["fc.bias.tangent", "y.tangent"]),
    (backwards, "y", "*", ["x.tangent", "fc.weight.tangent", "fc.bias.tangent", "y.tangent"]),
    (backwards, "*", "x", ["x.tangent", "y.tangent", "loss.tangent"]),
    (og.hvp, "loss", "*.b*", ["fc.bias.tangent", "fc.bias.hvp"]),
    (og.jacobian, "y", "*.weight", ["y.jacobian.fc.weight"]),
    (og.hessian, "loss", "*s", ["loss.hessian.fc.bias.fc.bias"]),
]


@pytest.mark.parametrize(("transform", "of", "wrt", "names"), FOUND)
def test_patterns_find_what_matters(
    transform: Callable[..., og.Graph], of: Any, wrt: Any, names: list[str]
) -> None:
    assert added(transform(network(), of, wrt)) == names


def test_zeros_of_what_a_pattern_finds() -> None:
    graph = og.grad(network(), "loss", "*", allow_unused=True)
    assert "other.weight.grad" in added(graph)


def test_patterns_of_parameters_are_weights() -> None:
    """x and what the loss does not read are none."""
    step = og.train_step(network(), "loss", og.optim.SGD(0.1), "*")
    assert added(step) == ["fc.weight", "fc.bias", "fc.weight.new", "fc.bias.new"]
    with pytest.raises(og.GraphError, match=r"nothing matches 'x\*'; there are fc.weight"):
        og.train_step(network(), "loss", og.optim.SGD(0.1), "x*")


def test_a_check_by_pattern() -> None:
    report = og.check_gradients(network(), "l*", "*", backends=["numpy"])
    checked = {c.value for c in report.comparisons}
    assert report and checked == {"x.grad", "fc.weight.grad", "fc.bias.grad"}


def test_a_name_may_look_like_a_pattern() -> None:
    b = og.Builder()
    b.output(b.input("x*", "float32", ()) * b.input("x1", "float32", ()), "y")
    assert [v.name for v in og.grad(b.build(), "y", "x*").outputs] == ["y", "x*.grad"]


@pytest.mark.parametrize("transform", [og.grad, og.vjp, og.hvp, og.jacobian, og.hessian, backwards])
@pytest.mark.parametrize(
    ("of", "wrt", "message"),
    [
        ("loss", "*.wieght", "wrt: nothing matches .*; did you mean 'fc.weight' or 'other.weight'"),
        (
            "loss",
            "zzz*",
            "wrt: nothing matches 'zzz.'; there are x, fc.weight, fc.bias, other.weig",
        ),
        ("z*", "x", "of: nothing matches 'z.'; there are y, loss, other, floor"),
        ("loss", "other.*", "'loss' does not depend on 'other.weight'"),
        ("loss", ["x", "other.weight"], "'loss' does not depend on 'other.weight'"),
        ("loss", "fc.wieght", "no value 'fc.wieght'; did you mean 'fc.weight'"),
        ("loss", [], "wrt is an empty list"),
        ("loss", None, "wrt: a value goes by its name or as a Value, not as None"),
        ("loss", ["x", "*", "x"], "wrt: 'x' is named twice"),
    ],
)
def test_what_a_pattern_does_not_find(
    transform: Callable[..., og.Graph], of: Any, wrt: Any, message: str
) -> None:
    if transform is backwards and wrt == ["x", "other.weight"]:
        return  # of several directions one may move nothing
    with pytest.raises(og.OnnxgradError, match=message):
        transform(network(), of, wrt)


@pytest.mark.parametrize("transform", [og.vjp, og.jvp, og.jacobian])
def test_what_holds_no_floats_is_told_with_what_gives_it(transform: Callable[..., Any]) -> None:
    b = og.Builder("best")
    x = b.input("x", "float32", (3,))
    b.output(b.op.ArgMax(x, axis=0), "best")
    b.output(b.op.Relu(x), "y")
    g = b.build()
    for of, wrt, role in (("best", "x", "of"), ("y", "best", "wrt")):
        with pytest.raises(
            og.GradientError, match=rf"^{role}='best' is int64\[1\], which ArgMax 'best' gives; "
        ):
            transform(g, of, wrt)
    with pytest.raises(og.GradientError, match=r"of='y' is float32\[3\], which Relu 'y' gives: "):
        og.grad(g, "y", "x")


def test_one_value_by_pattern() -> None:
    with pytest.raises(og.GraphError, match="of is 4 values where one is wanted: y, loss"):
        og.grad(network(), "*", "x")


def resized(mode: str, fed: bool) -> og.Graph:
    """As torch exports Upsample: the scales are an initializer; `w` and `power` are two more."""
    b = og.Builder("resized")
    x = b.input("x", "float32", (1, 3, 4, 4))
    w = b.parameter("w", np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32))
    numbers = np.array([1, 1, 2, 2], np.float32)
    scales = b.input("scales", "float32", (4,)) if fed else b.parameter("scales", numbers)
    up = b.op.Resize(b.op.Conv(x, w, pads=[1, 1, 1, 1]), None, scales, mode=mode)
    power = b.parameter("power", np.float32(2))
    b.output(b.op.ReduceMean(b.op.Pow(up, power), keepdims=0), "loss")
    return b.build()


@pytest.mark.parametrize("fed", [False, True])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_pattern_does_not_mean_settings(mode: str, fed: bool) -> None:
    """Scales cannot be moved by a little: the sizes that follow are those of other weights."""
    g = resized(mode, fed)
    assert [v.name for v in og.grad(g, "loss", "*").outputs] == ["loss", "x.grad", "w.grad"]
    feeds = {"scales": np.array([1, 1, 2, 2], np.float32)} if fed else None
    report = og.check_gradients(g, "loss", "*", feeds, ["numpy"])
    assert report and {c.value for c in report.comparisons} == {"x.grad", "w.grad"}


def test_settings_go_by_their_names() -> None:
    g = resized("linear", fed=False)
    named = og.grad(g, "loss", ["power", "scales"])
    assert [v.name for v in named.outputs] == ["loss", "power.grad", "scales.grad"]
    only = r"wrt: 's\*' matches no input or weight, only 'scales' \(constant: scales of Resize"
    with pytest.raises(og.GraphError, match=only):
        og.grad(g, "loss", "s*")


def test_an_exponent_that_is_fed_is_meant() -> None:
    b = og.Builder("power")
    x, p = b.input("x", "float32", (3,)), b.input("p", "float32", ())
    b.output(b.op.ReduceSum(b.op.Pow(x, p), keepdims=0), "loss")
    assert [v.name for v in og.grad(b.build(), "loss", "*").outputs][1:] == ["x.grad", "p.grad"]
