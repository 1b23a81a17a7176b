"""If, Loop, Scan and SequenceMap built by hand and run on NumPy and onnxruntime."""

from typing import Any

import numpy as np
import onnx
import pytest

import onnxgrad as og

Arrays = dict[str, Any]


@pytest.fixture(params=["numpy", "onnxruntime"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(graph: og.Graph, backend: str, **feeds: Any) -> Arrays:
    """Run a graph and what becomes of it by export and import; both must agree."""
    model = og.to_onnx(graph)
    onnx.checker.check_model(model, full_check=True)
    results = og.compile(graph, backend).run(feeds)
    again = og.compile(og.load(model), backend).run(feeds)
    for name, array in results.items():
        np.testing.assert_array_equal(again[name], array)
    return results


X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_if_returns_what_it_captures(backend: str) -> None:
    b = og.Builder()
    x, c = b.input("x", "float32", (2, 3)), b.input("c", "bool", ())
    zero = np.zeros((2, 3), np.float32)
    y = b.op.If(c, then_branch=b.subgraph(lambda: x), else_branch=b.subgraph(lambda: zero))
    b.output(y, "y")
    for condition in (True, False):
        y_run = run(b.build(), backend, x=X, c=np.array(condition))["y"]
        np.testing.assert_array_equal(y_run, X if condition else zero)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_loop_without_condition_with_scan_outputs_of_any_rank(backend: str, steps: int) -> None:
    b = og.Builder()
    x, n = b.input("x", "float32", (2, 3)), b.input("n", "int64", ())
    w = b.parameter("w", np.full(3, 2, np.float32))
    types = ("int64", ()), ("bool", ()), x
    body = b.subgraph(lambda i, keep, s: (keep, s * w, s, s[0, 1]), *types)
    for tensor, name in zip(b.op.Loop(n, None, x, body=body), "abc", strict=True):
        b.output(tensor, name)
    states = [X * 2**k for k in range(steps + 1)]
    results = run(b.build(), backend, x=X, n=np.array(steps))
    np.testing.assert_array_equal(results["a"], states[-1])
    np.testing.assert_array_equal(results["b"], np.reshape(states[:-1], (steps, 2, 3)))
    np.testing.assert_array_equal(results["c"], np.array([s[0, 1] for s in states[:-1]]))


def test_loop_stops_when_its_condition_fails(backend: str) -> None:
    b = og.Builder()
    x = b.input("x", "float32", ())
    body = b.subgraph(lambda i, keep, s: (s * 2 < 9, s * 2, i), ("int64", ()), ("bool", ()), x)
    last, counted = b.op.Loop(100, x < 9, x, body=body)
    b.output(last, "last")
    b.output(counted, "counted")
    results = run(b.build(), backend, x=np.float32(3))
    assert results["last"] == 12 and results["counted"].tolist() == [0, 1]
    assert run(b.build(), backend, x=np.float32(9))["counted"].tolist() == []


def test_growing_state(backend: str) -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("n", 3))
    types = ("int64", ()), ("bool", ()), ("float32", ("m", 3))
    body = b.subgraph(lambda i, keep, s: (keep, b.op.Concat(s, x, axis=0)), *types)
    b.output(b.op.Loop(2, None, x, body=body), "y")
    y = run(b.build(), backend, x=X)["y"]
    np.testing.assert_array_equal(y, np.tile(X, (3, 1)))


@pytest.mark.parametrize("backward", [0, 1])
@pytest.mark.parametrize("axis_in, axis_out", [(0, 0), (1, 1), (-1, -1), (2, -2)])
def test_scan_along_every_axis_in_both_directions(
    backend: str, backward: int, axis_in: int, axis_out: int
) -> None:
    b = og.Builder()
    tape = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = b.input("x", "float32", ("a", "b", "c"))
    shape = [d for k, d in enumerate("abc") if k != axis_in % 3]
    body = b.subgraph(lambda s, e: (s + 1, e * s), ("float32", ()), ("float32", shape))
    settings = {
        "scan_input_axes": [axis_in],
        "scan_output_axes": [axis_out],
        "scan_input_directions": [backward],
        "scan_output_directions": [1],
    }
    last, y = b.op.Scan(np.float32(1), x, body=body, num_scan_inputs=1, **settings)
    b.output(last, "last")
    b.output(y, "y")
    entries = list(np.moveaxis(tape, axis_in, 0))[:: -1 if backward else 1]
    expected = [e * (k + 1) for k, e in enumerate(entries)][::-1]
    results = run(b.build(), backend, x=tape)
    assert results["last"] == len(entries) + 1
    np.testing.assert_array_equal(results["y"], np.stack(expected, axis_out))


def test_nested_subgraphs_capture_from_every_level(backend: str) -> None:
    b = og.Builder()
    op, x = b.op, b.input("x", "float32", (3,))
    counter = ("int64", ()), ("bool", ())

    def outer(i: og.Tensor, keep: og.Tensor, s: og.Tensor) -> Any:
        def branch() -> og.Tensor:
            inner = b.subgraph(lambda j, k, t: (k, t + s * x), *counter, s)
            result: og.Tensor = op.Loop(i, None, s, body=inner)
            return result

        even = op.Equal(op.Mod(i, 2), 0)
        taken = op.If(even, then_branch=b.subgraph(branch), else_branch=b.subgraph(lambda: s))
        return keep, taken

    b.output(op.Loop(3, None, x, body=b.subgraph(outer, *counter, x)), "y")
    v = np.array([1, 2, 3], np.float32)
    np.testing.assert_array_equal(run(b.build(), backend, x=v)["y"], v + 2 * v * v)


def test_sequence_map_with_a_shared_tensor() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2, 3))
    rows = b.op.SplitToSequence(x, axis=0, keepdims=0)
    body = b.subgraph(lambda row, all_rows: all_rows @ row, ("float32", (3,)), x)
    b.output(b.op.ConcatFromSequence(b.op.SequenceMap(rows, x, body=body), axis=0, new_axis=1), "y")
    np.testing.assert_array_equal(og.compile(b.build())(x=X)["y"], (X @ X.T).T)


def test_a_tensor_of_a_finished_subgraph_is_refused() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (3,))
    kept = []
    b.subgraph(lambda: kept.append(x * 2) or x)  # type: ignore[func-returns-value]  # the side effect is meant
    with pytest.raises(og.GraphError, match="belongs to a subgraph"):
        b.output(kept[0] + 1)


def test_a_state_that_grows_against_its_type_is_refused() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2, 3))
    types = ("int64", ()), ("bool", ()), x
    body = b.subgraph(lambda i, keep, s: (keep, b.op.Concat(s, x, axis=0)), *types)
    with pytest.raises(og.GraphError, match="a name of its own"):
        b.op.Loop(2, None, x, body=body)


def test_a_certain_trip_count_is_a_size() -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("n", 3))
    body = b.subgraph(lambda i, keep, s: (keep, s, s), ("int64", ()), ("bool", ()), x)
    _, fixed = b.op.Loop(5, None, x, body=body)
    rows = b.op.Squeeze(b.op.Shape(x, end=1))
    body = b.subgraph(lambda i, keep, s: (keep, s, s), ("int64", ()), ("bool", ()), x)
    _, named = b.op.Loop(rows, None, x, body=body)
    assert fixed.shape == (5, "n", 3) and named.shape == ("n", "n", 3)
