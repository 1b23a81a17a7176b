"""Gradients through If, Loop and Scan, nested in each other, against finite differences."""

from typing import Any

import numpy as np
import onnx
import pytest
from control_flow_graphs import CASES, FEEDS, Case, Setting
from finite_differences import finite_differences

import onnxgrad as og
from onnxgrad.compiler.gradients import RULES

Arrays = dict[str, Any]
WRT = ["x", "w"]
BACKENDS = ["numpy", "onnxruntime"]

every_case = pytest.mark.parametrize(
    "case, count", [(c, n) for c in CASES for n in c.counts], ids=str
)


def directions(results: Arrays, names: list[str]) -> Arrays:
    """Draw a cotangent for each of the named results."""
    rng = np.random.default_rng(3)
    return {f"{n}.grad": rng.uniform(0.5, 1.5, np.shape(results[n])) for n in names}


def projection(compiled: og.Compiled, seeds: Arrays) -> Any:
    """Give the function of feeds that sums results times cotangents."""

    def loss(feeds: Arrays) -> float:
        results = compiled.run(feeds)
        return float(
            sum((results[name.removesuffix(".grad")] * dy).sum() for name, dy in seeds.items())
        )

    return loss


@every_case
def test_gradient_and_second_order(case: Case, count: int) -> None:
    graph, feeds = case.graph(), {**FEEDS, "n": np.array(count)}
    of = [v.name for v in graph.outputs]
    compiled = og.compile(graph)
    seeds = directions(compiled.run(feeds), of)
    first = og.vjp(graph, of, WRT, allow_unused=True)
    loss = projection(compiled, seeds)
    expected = {f"{n}.grad": finite_differences(loss, feeds, n) for n in WRT}
    feeds |= seeds
    for backend in BACKENDS:
        results = og.compile(first, backend).run(feeds)
        for name, array in expected.items():
            np.testing.assert_allclose(results[name], array, rtol=1e-6, atol=1e-6, err_msg=backend)

    compiled, gradients = og.compile(first), list(expected)
    moved = [*WRT, *seeds]
    seeds = directions(compiled.run(feeds), gradients)
    names = {n: f"{n}.second" for n in moved}
    second = og.vjp(first, gradients, moved, names=names, allow_unused=True)
    loss = projection(compiled, seeds)
    for backend in BACKENDS:
        results = og.compile(second, backend).run(feeds | seeds)
        for name in moved:
            array = finite_differences(loss, feeds, name)
            np.testing.assert_allclose(
                results[names[name]], array, rtol=1e-5, atol=1e-5, err_msg=backend
            )


@every_case
def test_forward_mode(case: Case, count: int) -> None:
    graph, feeds = case.graph(), {**FEEDS, "n": np.array(count)}
    of = [v.name for v in graph.outputs]
    compiled = og.compile(graph)
    tangents = {"x.tangent": np.array([[0.5, -1.2], [0.7, 0.3]]), "w.tangent": np.array([1.1, 0.4])}

    def moved(step: float) -> Arrays:
        return compiled.run(
            {**feeds, **{n: feeds[n] + step * tangents[f"{n}.tangent"] for n in WRT}}
        )

    ahead, behind = moved(1e-6), moved(-1e-6)
    forward = og.jvp(graph, of, WRT)
    for backend in BACKENDS:
        results = og.compile(forward, backend).run({**feeds, **tangents})
        for name in of:
            expected = (ahead[name] - behind[name]) / 2e-6
            np.testing.assert_allclose(
                results[f"{name}.tangent"], expected, rtol=1e-6, atol=1e-6, err_msg=backend
            )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_is_valid_onnx_that_loads_again(case: Case) -> None:
    graph = case.graph()
    first = og.vjp(graph, [v.name for v in graph.outputs], WRT, allow_unused=True)
    model = og.to_onnx(first)
    onnx.checker.check_model(model, full_check=True)
    onnx.checker.check_model(og.to_onnx(first, functions=True))
    again = og.load(og.to_onnx(first, functions=True))
    feeds = {**FEEDS, "n": np.array(case.counts[-1])}
    feeds |= directions(og.compile(graph).run(feeds), [v.name for v in graph.outputs])
    expected = og.compile(first).run(feeds)
    for name, array in og.compile(again).run(feeds).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-12)


def test_operators_inside_bodies_that_lack_a_rule_are_refused_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("Sin", "Cos"):
        monkeypatch.delitem(RULES, ("", name))
    b = og.Builder()
    x, n = b.input("x", "float32", (3,)), b.input("n", "int64", ())

    def step(i: og.Tensor, keep: og.Tensor, s: og.Tensor) -> Any:
        taken, other = b.subgraph(lambda: b.op.Cos(s)), b.subgraph(lambda: s)
        return keep, b.op.If(i > 1, then_branch=taken, else_branch=other)

    body = b.subgraph(step, ("int64", ()), ("bool", ()), x)
    b.output(b.op.Loop(n, None, b.op.Sin(x), body=body), "y")
    with pytest.raises(og.UnsupportedOpError) as refusal:
        og.vjp(b.build(), "y", "x")
    assert refusal.value.ops == ("Cos", "Sin")


def test_functions_inside_bodies_expand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, ("", "Mish"))
    b = og.Builder()
    x, n = b.input("x", "float64", (3,)), b.input("n", "int64", ())
    body = b.subgraph(lambda i, keep, s: (keep, b.op.Mish(s)), ("int64", ()), ("bool", ()), x)
    b.output(b.op.Loop(n, None, x, body=body), "y")
    feeds = {"x": np.array([-1.0, 0.5, 2.0]), "n": np.array(2)}
    loss = projection(og.compile(b.build()), {"y.grad": np.ones(3)})
    results = og.compile(og.vjp(b.build(), "y", "x")).run(feeds | {"y.grad": np.ones(3)})
    np.testing.assert_allclose(
        results["x.grad"], finite_differences(loss, feeds, "x"), rtol=1e-6, atol=1e-6
    )


def without_types(graph: og.Graph) -> onnx.ModelProto:
    """Write a graph whose bodies do not say of what shape their inputs and outputs are."""
    model = og.to_onnx(graph)
    for node in model.graph.node:
        for attribute in node.attribute:
            for info in (*attribute.g.input, *attribute.g.output):
                info.type.tensor_type.ClearField("shape")
    return model


def body_shapes(graph: og.Graph) -> list[Any]:
    (node,) = [n for n in graph.nodes() if n.subgraphs]
    return [v.shape for v in node.attributes["body"].inputs]


def test_sizes_that_every_step_keeps_are_found_on_import() -> None:
    loop, growing, scan = (
        next(c for c in CASES if c.name == name).graph()
        for name in ("loop", "loop_with_a_growing_state", "scan_in_scan")
    )
    assert body_shapes(og.load(without_types(loop))) == [(), (), (2, 2)]
    *_, grown = body_shapes(og.load(without_types(growing)))
    assert len(grown) == 2 and isinstance(grown[0], str) and grown[1] == 2
    assert body_shapes(og.load(without_types(scan))) == [(2,), (2,)]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_of_counts_is_each_example(case: Case, backend: str) -> None:
    """The examples take as many steps and the branches that each one's own numbers say."""
    setting = Setting()
    results = case.build(setting).values()
    sums = [setting.op.ReduceSum(setting.op.Sin(y), keepdims=0) for y in results]
    setting.b.output(setting.op.Sum(*sums), "total")
    graph = og.grad(setting.b.build(), "total", WRT, allow_unused=True)
    factors = np.array([1.0, 0.7, -0.4])
    batch = {n: np.stack([f * FEEDS[n] for f in factors]) for n in WRT}
    batch["n"] = np.array((case.counts * 3)[:3])
    single = og.compile(graph)
    each = [single.run({n: a[k] for n, a in batch.items()}) for k in range(3)]
    for name, array in og.compile(og.vmap(graph), backend).run(batch).items():
        np.testing.assert_allclose(array, [r[name] for r in each], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_jacobian_in_forward_mode(case: Case) -> None:
    graph, feeds = case.graph(), {**FEEDS, "n": np.array(max(case.counts))}
    compiled = og.compile(graph)
    for name in (v.name for v in graph.outputs):
        by = og.jacobian(graph, name, WRT, mode="forward", allow_unused=True)
        forward = og.compile(by).run(feeds)
        for wrt in WRT:
            for place in np.ndindex(*FEEDS[wrt].shape):
                step = np.zeros_like(FEEDS[wrt])
                step[place] = 1e-6
                ahead, behind = (
                    compiled.run({**feeds, wrt: feeds[wrt] + s}) for s in (step, -step)
                )
                actual = forward[f"{name}.jacobian.{wrt}"][(..., *place)]
                expected = (ahead[name] - behind[name]) / 2e-6
                np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
