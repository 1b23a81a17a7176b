"""Kernels of a user: what they may give, and what they must not touch."""

import sys
from typing import Any

import numpy as np
import pytest
from fake_cupy import make_fake_cupy
from registrations import cube_without_body, graph_of

import onnxgrad as og

X = np.array([[0.5, -1.0, 2.0], [1.5, -0.25, -2.0]])


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (lambda xp, x, scale: x.astype("f4"), r"gave float32\[2, 3\] for 'y', which is float64"),
        (lambda xp, x, scale: x[:, :2], r"gave float64\[2, 2\] for 'y'"),
        (lambda xp, x, scale: x[0], r"gave float64\[3\] for 'y'"),
        (lambda xp, x, scale: (), "gave 0 results, not 1"),
        (lambda xp, x, scale: (x, x), "gave 2 results, not 1"),
        (lambda xp, x, scale: None, "gave None for 'y', which is float64"),
        (lambda xp, x, scale: x.tolist(), "gave a list for 'y', which is float64"),
        (lambda xp, x, scale: 1.0, "gave a float for 'y', which is float64"),
        (lambda xp, x: x, "failed: TypeError: .*unexpected keyword argument 'scale'"),
        (lambda xp, scale: scale, "failed: TypeError"),
        (lambda xp, x, scale: 1 / 0, "failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_wrong_kernel_is_named_when_it_is_used(kernel: Any, message: str) -> None:
    cube = cube_without_body(kernel=kernel)
    with pytest.raises(og.GraphError, match=message) as caught:
        og.compile(graph_of(cube)).run({"x": X})
    assert "the kernel test_" in str(caught.value) or "the kernel <lambda>" in str(caught.value)
    assert "acme.Cube" in str(caught.value) and "on these arrays" not in str(caught.value)


def doubled_in_place(xp: Any, x: Any, scale: float) -> Any:
    x *= 2
    return x


def doubled_by_out(xp: Any, x: Any, scale: float) -> Any:
    return xp.multiply(x, 2, out=x)


def sorted_in_place(xp: Any, x: Any, scale: float) -> Any:
    x.sort()
    return x


def filled(xp: Any, x: Any, scale: float) -> Any:
    x[0] = 0
    return x.copy()


@pytest.mark.parametrize(
    "kernel", [doubled_in_place, doubled_by_out, sorted_in_place, filled], ids=lambda k: k.__name__
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_kernel_that_writes_to_its_input_is_refused(kernel: Any, inside: bool) -> None:
    cube, fed = cube_without_body(kernel=kernel), X.copy()
    b = og.Builder()
    x = b.input("x", "float64", (2, 3))
    b.output(cube(x + 0.0 if inside else x), "y")
    message = f"the kernel {kernel.__name__} of acme.Cube.*the inputs of a kernel are read-only"
    with pytest.raises(og.GraphError, match=message):
        og.compile(b.build()).run({"x": fed})
    np.testing.assert_array_equal(fed, X)


def test_a_kernel_that_writes_to_its_input_on_cupy_changes_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CuPy has no read-only arrays."""
    monkeypatch.setitem(sys.modules, "cupy", make_fake_cupy())

    def in_place(xp: Any, x: Any, scale: float) -> Any:
        x[...] = x + x
        return x

    cube = cube_without_body(kernel=in_place)
    b = og.Builder()
    inner = b.input("x", "float32", (3,)) + 1.0
    b.output(cube(inner), "y")
    b.output(inner * 1.0, "z")
    found = og.compile(b.build(), "cupy")(x=np.zeros(3, np.float32))
    np.testing.assert_array_equal(found["y"], [2, 2, 2])
    np.testing.assert_array_equal(found["z"], [1, 1, 1])


VIEWS: dict[str, Any] = {
    "itself": lambda xp, x, scale: x,
    "view": lambda xp, x, scale: x[:],
    "reversed": lambda xp, x, scale: x[::-1],
    "asarray": lambda xp, x, scale: xp.asarray(x),
}


@pytest.mark.parametrize("kernel", VIEWS.values(), ids=VIEWS)
def test_a_kernel_may_give_its_input_or_a_view_of_it(kernel: Any) -> None:
    cube, fed = cube_without_body(kernel=kernel), X.copy()
    b = og.Builder()
    x = b.input("x", "float64", (2, 3))
    inner = x + 1.0
    for name, value in {"fed": x, "inner": inner}.items():
        b.output(cube(value), f"{name}.cube")
    b.output(inner, "inner")
    found = og.compile(b.build()).run({"x": fed})
    expected = {"fed.cube": kernel(np, X, 1.0), "inner.cube": kernel(np, X + 1, 1.0)}
    for name, array in {**expected, "inner": X + 1}.items():
        np.testing.assert_array_equal(found[name], array)
        found[name] *= 0  # each has memory of its own
    np.testing.assert_array_equal(fed, X)


def test_a_state_that_a_kernel_passes_on_is_stepped() -> None:
    """What an update writes over next is no view of what the kernel was given."""
    cube = cube_without_body(lambda op, call, dy: dy, lambda xp, x, scale: x)
    b = og.Builder()
    w = b.parameter("w", np.ones((2, 3)))
    b.output(b.op.ReduceSum(cube(w) * b.input("x", "float64", (2, 3)), keepdims=0), "loss")
    b.output(cube(w), "seen")
    step = og.train_step(b.build(), "loss", og.optim.SGD(0.1, momentum=0.5))
    stepper, fed = og.compile(step).stepper(), X.copy()
    seen = [stepper.run({"x": fed})["seen"] for _ in range(3)]
    np.testing.assert_allclose(seen, [np.ones((2, 3)), 1 - 0.1 * X, 1 - 0.25 * X])
    np.testing.assert_array_equal(fed, X)
