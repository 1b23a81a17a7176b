"""Operators and gradients of a user, and what is said where they are wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from registrations import CUBE, cube_with_body, cube_without_body, graph_of

import onnxgrad as og
from onnxgrad.compiler.standard.contrib import REGISTERED
from onnxgrad.compiler.standard.schemas import DOMAIN_VERSIONS, find_schema

X = np.array([[0.5, -1.0, 2.0], [1.5, -0.25, -2.0]])


@pytest.mark.parametrize("register", [cube_with_body, cube_without_body])
def test_derivatives_of_an_operator(register: Callable[[], Any]) -> None:
    graph = graph_of(register(), scale=2.0)
    dy = np.ones_like(X)
    first = og.compile(og.vjp(graph, "y", "x")).run({"x": X, "y.grad": dy})
    np.testing.assert_allclose(first["y"], 2 * X**3)
    np.testing.assert_allclose(first["x.grad"], 6 * X**2)
    forward = og.compile(og.jvp(graph, "y", "x")).run({"x": X, "x.tangent": dy})
    np.testing.assert_allclose(forward["y.tangent"], 6 * X**2)
    second = og.vjp(og.vjp(graph, "y", "x"), "x.grad", "x", names={"x": "twice"})
    found = og.compile(second).run({"x": X, "y.grad": dy, "x.grad.grad": dy})["twice"]
    np.testing.assert_allclose(found, 12 * X)
    batch = og.compile(og.vmap(og.vjp(graph, "y", "x"))).run(
        {"x": np.stack([X, 2 * X]), "y.grad": np.stack([dy, dy])}
    )
    np.testing.assert_allclose(batch["x.grad"], [6 * X**2, 24 * X**2])


def test_an_operator_with_a_body_is_saved_as_its_body_and_runs_anywhere() -> None:
    graph = graph_of(cube_with_body(), "float32")
    model = og.to_onnx(graph)
    onnx.checker.check_model(model, full_check=True)
    assert {n.op_type for n in model.graph.node} == {"Mul"}
    assert {n.op_type for n in og.to_onnx(graph, functions=True).graph.node} == {"Mul"}
    x = X.astype(np.float32)
    found = og.compile(graph, "onnxruntime").run({"x": x})["y"]
    np.testing.assert_allclose(found, x**3, rtol=1e-6)


def test_an_operator_without_one_is_saved_and_read_as_it_is() -> None:
    graph = graph_of(cube_without_body(), scale=2.0)
    model = og.to_onnx(graph)
    (node,) = model.graph.node
    assert (node.domain, node.op_type) == ("acme", "Cube")
    assert "acme" in {o.domain for o in model.opset_import}
    loaded = og.load(model)
    assert loaded.outputs[0].type == graph.outputs[0].type
    np.testing.assert_allclose(og.compile(loaded).run({"x": X})["y"], 2 * X**3)
    with pytest.raises(og.UnsupportedOpError, match="acme.Cube"):
        og.compile(graph, "onnxruntime")


def test_files_with_unknown_operators_say_how_to_make_them_known() -> None:
    model = og.to_onnx(graph_of(cube_without_body()))
    REGISTERED.pop(("acme", "Cube"))
    DOMAIN_VERSIONS.pop("acme")
    find_schema.cache_clear()
    with pytest.raises(og.UnsupportedOpError, match="acme.Cube .*og.register_operator"):
        og.load(model)


def test_several_inputs_and_outputs_some_omitted() -> None:
    both = og.register_operator(
        "acme.Both(x: T, shift?: T; axis!: int) -> total: T, shifted?: T where T: floats",
        shapes=lambda x, shift=None, *, axis: [x[:axis] + x[axis + 1 :], x],
    )

    @og.register_kernel("acme.Both")
    def kernel(xp: Any, x: Any, shift: Any = None, *, axis: int) -> Any:
        return x.sum(axis), x + (0 if shift is None else shift)

    @og.register_gradient("acme.Both", broadcasts=True)
    def gradient(op: Any, call: Any, dtotal: Any, dshifted: Any = None) -> Any:
        dx = op.Unsqueeze(dtotal, [call.attributes["axis"]]) + 0.0 * call.inputs[0]
        dx = dx if dshifted is None else dx + dshifted
        return [dx, dshifted][: len(call.inputs)]

    b = og.Builder()
    x, shift = b.input("x", "float64", ("N", 3)), b.input("shift", "float64", (3,))
    total, shifted = both(x, shift, axis=0, outputs=2)
    b.output(both(x, axis=1) + b.op.ReduceSum(total, keepdims=0), "a")
    b.output(shifted, "b")
    graph = b.build()
    feeds = {"x": X, "shift": np.ones(3), "a.grad": np.array([1.0, 2.0]), "b.grad": 10 + X}
    found = og.compile(og.vjp(graph, ["a", "b"], ["x", "shift"])).run(feeds)
    np.testing.assert_allclose(found["x.grad"], 13.0 + X + [[1.0], [2.0]])
    np.testing.assert_allclose(found["shift.grad"], (10 + X).sum(0))


def gradient_of_cube(rule: Any) -> Any:
    graph = og.vjp(graph_of(cube_without_body(rule)), "y", "x")
    return og.compile(graph).run({"x": X, "y.grad": np.ones_like(X)})


def raising(op: Any, call: Any, dy: Any) -> Any:
    raise KeyError("lost")


def forgetful(op: Any, call: Any, dy: Any) -> None:
    3.0 * call.inputs[0] * dy


WRONG_GRADIENTS: list[tuple[Any, str]] = [
    (lambda op, call, dy: [dy, dy], "gave 2 gradients for 1 inputs"),
    (lambda op, call, dy: [], "gave 0 gradients for 1 inputs"),
    (lambda op, call, dy: op.Cast(dy, to="float32"), r"gave float32\[N, 3\] for 'x', which is fl"),
    (lambda op, call, dy: op.ReduceSum(dy, [1], keepdims=0), r"gave float64\[N\] for 'x'"),
    (lambda op, call, dy: op.Concat(dy, dy, axis=1), r"gave float64\[N, 6\] for 'x'"),
    (lambda op, call, dy: op.Concat(dy, dy, axis=0), "gave another shape"),
    (lambda op, call, dy: op.ReduceSum(dy, [0]), "(gave another shape|gave float64)"),
    (lambda op, call, dy: "dy", "gave str; it gives tensors"),
    (lambda op, call, dy: op.Reluu(dy), "in the gradient .*did you mean 'Relu'|Relu"),
    (raising, "the gradient raising of acme.Cube failed: KeyError: 'lost'"),
    (forgetful, r"the gradient forgetful of acme.Cube returned nothing; .* \(None,\) where"),
    (lambda op, call: call.inputs[0], "the gradient .*lambda.* of acme.Cube failed: TypeError"),
]


@pytest.mark.parametrize(("rule", "message"), WRONG_GRADIENTS)
def test_a_wrong_gradient_is_named_when_it_is_used(rule: Any, message: str) -> None:
    with pytest.raises(og.OnnxgradError, match=message) as caught:
        gradient_of_cube(rule)
    assert "acme.Cube" in str(caught.value)


def test_what_is_registered_twice_is_refused() -> None:
    cube_without_body()
    for register in (og.register_gradient, og.register_kernel):
        with pytest.raises(og.GraphError, match="acme.Cube has a (gradient|kernel) already"):
            register("acme.Cube")
    anew = cube_without_body(lambda op, call, dy: 7.0 * dy, lambda xp, x, scale: 5 * x)
    found = og.compile(og.vjp(graph_of(anew), "y", "x")).run({"x": X, "y.grad": X})
    np.testing.assert_allclose(found["y"], 5 * X)
    np.testing.assert_allclose(found["x.grad"], 7 * X)


def test_a_missing_gradient_or_kernel_is_named() -> None:
    cube = og.register_operator(CUBE)
    message = "no gradient rule for acme.Cube.*og.register_gradient"
    with pytest.raises(og.UnsupportedOpError, match=message):
        og.vjp(graph_of(cube), "y", "x")
    with pytest.raises(og.UnsupportedOpError, match="acme.Cube .* has neither a body nor a kernel"):
        og.compile(graph_of(cube))


def test_a_file_of_an_operator_without_a_body_says_how_it_runs(tmp_path: Path) -> None:
    graph = graph_of(cube_without_body())
    with pytest.warns(UserWarning, match="give acme.Cube a body with og.register_operator"):
        og.save(graph, tmp_path / "cube.onnx")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda op, x, scale: op.Cast(x, to="int64"), "gave int64.* which its schema has as T"),
        (lambda op, x, scale: op.Cast(x, to="float32"), "gave float32.* which its schema has as T"),
        (lambda op, x, scale: (), "gave 0 outputs, not 1"),
        (lambda op, x, scale: (x, x), "gave 2 outputs, not 1"),
        (lambda op, x, scale: None, "returned nothing; it gives a tensor for each output"),
        (lambda op, x, scale: [None], "gave None for '.*', which is asked for"),
        (lambda op, x: x, "failed: TypeError"),
        (lambda op, x, scale: "x", "gave str; it gives tensors"),
    ],
)
def test_a_wrong_body_is_named_when_it_is_used(body: Any, message: str) -> None:
    cube = og.register_operator(CUBE, body)
    with pytest.raises(og.GraphError, match=message) as caught:
        graph_of(cube)
    assert "acme.Cube" in str(caught.value)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (lambda x, scale: 3, "gave 3; a shape is a tuple"),
        (lambda x, scale: [], "gave 0 shapes, not 1"),
        (lambda x, scale: [x, x], "gave 2 shapes, not 1"),
        (lambda x: x, "failed: TypeError"),
    ],
)
def test_wrong_shapes_are_named_when_they_are_used(shapes: Any, message: str) -> None:
    cube = og.register_operator(CUBE, shapes=shapes)
    with pytest.raises(og.GraphError, match=f"acme.Cube.* {message}"):
        graph_of(cube)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: og.register_operator("Relu(x: T) -> y: T"), "is no domain of yours"),
        (lambda: og.register_operator("ai.onnx.ml.A(x: T) -> y: T"), "is no domain of yours"),
        (lambda: og.register_operator("acme.Cube"), "is no schema; write one as"),
        (lambda: og.register_operator("acme.Cube(x) -> y"), "is no schema; write one as"),
        (lambda: og.register_operator(CUBE, "body"), "body must be a function, not 'body'"),  # type: ignore[arg-type]
        (lambda: og.register_gradient("acme.Nothing"), "no operator 'Nothing'"),
        (lambda: og.register_gradient("Relu"), "Relu has a gradient; og.custom_gradient"),
        (lambda: og.register_gradient("Floor"), "Floor has a gradient"),
        (lambda: og.register_kernel("Relu"), "Relu has a kernel of onnxgrad"),
        (lambda: cube_with_body()(3.0), "Cube is called on tensors of a builder"),
    ],
)
def test_wrong_registrations_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(og.OnnxgradError, match=message):
        call()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", r"there is no '\(…\) -> …' after a name"),
        ("acme.Foo(x: T)", r"there is no '\(…\) -> …' after a name"),
        ("acme.Foo(x T) -> y: T", "write 'name: type' in place of 'x T'"),
        ("acme.Foo() -> y: T", "write 'name: type' in place of ''"),
        ("acme.Foo(x: T) -> y: T where T floats", "write 'name: type' in place of 'T floats'"),
        (
            "acme.Foo(x: T; a!: banana) -> y: T",
            "the attribute 'a' is of a type int, .* not ban",
        ),
        ("acme.Foo(x: T; a=banana) -> y: T", "the default of 'a' is a number, .* not banana"),
        ("acme.Foo(x: T; a=[]) -> y: T", r"the default of 'a' is a number, .* not \[\]"),
        ("acme.Foo(x: T) -> y: T where T: cats", "there is no type 'cats'$"),
        ("acme.Foo(x: T, x: T) -> y: T", "two inputs have the same name"),
        ("acme.Foo(x: T; a=1, a=2) -> y: T", "two attributes have the same name"),
    ],
)
def test_what_is_wrong_in_a_row_is_told(row: str, message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.register_operator(row)


@pytest.mark.parametrize("register", [og.register_kernel, og.register_gradient])
def test_an_operator_is_registered_first(register: Callable[[str], Any]) -> None:
    advice = r"no operator 'Zip' in the domain 'acme'.*; og.register_operator\('acme.Zip\("
    with pytest.raises(og.UnsupportedOpError, match=advice):
        register("acme.Zip")


def test_registering_anew_replaces() -> None:
    og.register_operator(CUBE, lambda op, x, scale: x)
    graph = graph_of(cube_with_body())
    np.testing.assert_allclose(og.compile(graph).run({"x": X})["y"], X**3)
    cube_without_body()
    graph = graph_of(og.register_operator(CUBE, lambda op, x, scale: x))
    found = og.compile(og.vjp(graph, "y", "x")).run({"x": X, "y.grad": X})
    np.testing.assert_array_equal(found["x.grad"], X)
    assert og.register_operator("acme.Any(x: T) -> y: T").schema.name == "Any"


@pytest.mark.parametrize(("factor", "right"), [(3.0, True), (2.0, False)])
def test_a_gradient_beside_a_body_is_what_is_checked(factor: float, right: bool) -> None:
    graph = graph_of(cube_with_body(), "float32")
    og.register_gradient("acme.Cube")(lambda op, call, dy: factor * call.inputs[0] ** 2.0 * dy)
    report = og.check_gradients(graph, "y", "x", {"x": X.astype(np.float32)})
    assert bool(report) is right
    verdicts = {c.passed for c in report.comparisons if c.against == "finite differences"}
    assert verdicts == {right}


def test_an_operator_inside_a_loop() -> None:
    cube = cube_without_body()
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    body = b.subgraph(lambda i, keep, s: (keep, cube(s, scale=0.5)), ("int64", ()), ("bool", ()), x)
    b.output(b.op.Loop(2, None, x, body=body), "y")
    found = og.compile(og.vjp(b.build(), "y", "x")).run({"x": X[0], "y.grad": np.ones(3)})
    np.testing.assert_allclose(found["y"], 0.5 * (0.5 * X[0] ** 3) ** 3)
    np.testing.assert_allclose(found["x.grad"], 9 * 0.5**4 * X[0] ** 8)
