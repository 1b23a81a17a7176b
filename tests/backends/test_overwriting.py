"""State that steps write over: the same bits as runs by hand, and nobody else's arrays change."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.backends.interpreter import Interpreter, runs_as_it_is
from onnxgrad.backends.numpy import BACKEND, Host
from onnxgrad.backends.overwriting import MAKES_NEW, overwriting_order
from onnxgrad.backends.owning_stepper import OwningStepper
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.passes.prepare import prepare_for

LARGE = 300
"""A square matrix of it is updated in several blocks."""

X = np.random.default_rng(0).normal(size=(4, LARGE)).astype(np.float32)

OPTIMIZERS: dict[str, Any] = {
    "sgd": og.optim.SGD(0.1),
    "momentum": og.optim.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": og.optim.SGD("rate", momentum=0.9, nesterov=True),
    "adam": og.optim.Adam(og.optim.cosine(0.1, steps=9)),
    "adamw": og.optim.AdamW(0.01, weight_decay=0.1),
    "clipped": og.optim.clip_by_global_norm(og.optim.AdamW(0.01), 1.0),
    "accumulated": og.optim.accumulate(og.optim.Adam(0.01), 2),
    "averaged": og.optim.average_weights(og.optim.SGD(0.1, momentum=0.9)),
    "decayed": og.optim.decay_weights(og.optim.Adam(0.01), 0.1),
    "skipping": og.optim.skip_non_finite(og.optim.Adam(0.01)),
}


def model(dtype: str = "float32") -> og.Graph:
    b = og.Builder("model")
    x = b.input("x", dtype, ("N", LARGE))
    rng = np.random.default_rng(1)
    w1, w2, c = (
        b.parameter(name, (0.1 * rng.normal(size=shape)).astype(dtype))
        for name, shape in (("w1", (LARGE, LARGE)), ("w2", (LARGE, LARGE)), ("c", (LARGE,)))
    )
    h = b.op.Tanh(x @ w1 + c) @ b.op.Transpose(w2)
    b.output(h, "h")
    b.output(b.op.ReduceMean(h * h, keepdims=0), "loss")
    return b.build()


def by_hand(step: og.Graph, feeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run a step without a stepper, feeding back copies."""
    f, state, results = og.compile(step), og.initial_state(step), []
    for fed in feeds:
        found = f.run({**fed, **state})
        state = {name: found[f"{name}.new"].copy() for name in state}
        results.append({**found})
    return [*results, state]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_steps_have_the_bits_of_runs_by_hand(name: str, dtype: str) -> None:
    step = og.train_step(model(dtype), "loss", OPTIMIZERS[name])
    rate = {"rate": np.float32(0.1)} if name == "nesterov" else {}
    feeds = [{"x": (X * k).astype(dtype), **rate} for k in (1, 2, 3)]
    *expected, last = by_hand(step, feeds)
    before = og.initial_state(step)
    stepper, kept = og.compile(step).stepper(), []
    for fed in feeds:
        kept.append(stepper.run(fed))
    for found, wanted in zip(kept, expected, strict=True):  # later steps left them alone
        for output, array in found.items():
            np.testing.assert_array_equal(array, wanted[output])
    assert stepper.state().keys() == last.keys()
    for state, array in stepper.state().items():
        np.testing.assert_array_equal(array, last[state])
    for state, array in og.initial_state(step).items():  # the graph's own arrays
        np.testing.assert_array_equal(array, before[state])


@pytest.mark.parametrize("name", ["momentum", "adamw", "decayed"])
def test_kernels_have_the_bits_of_their_bodies(name: str) -> None:
    step = og.train_step(model(), "loss", OPTIMIZERS[name])
    bodies = prepare_for(step, BACKEND.native - {"AdamUpdate", "SgdUpdate"}, runs_as_it_is)
    assert not [n for n in bodies.nodes() if n.op_type.endswith("Update")]
    feeds = {"x": X, **og.initial_state(step)}
    found, wanted = og.compile(step).run(feeds), Interpreter(bodies, Host()).run(feeds)
    for output in wanted:
        np.testing.assert_array_equal(found[output], wanted[output])


def stepper_of(graph: og.Graph, state: dict[str, Any] | None = None) -> Any:
    return og.compile(graph).stepper(state)._stepper


def test_the_first_arrays_are_the_callers() -> None:
    step = og.train_step(model(), "loss", OPTIMIZERS["adamw"])
    first = og.initial_state(step)
    copies = {name: array.copy() for name, array in first.items()}
    stepper = stepper_of(step, first)
    assert isinstance(stepper, OwningStepper)
    taken = stepper.state()
    for _ in range(2):
        stepper.run({"x": X})
    held = {name: stepper._state[name] for name in ("w1", "w1.mean", "w1.square")}
    stepper.run({"x": X})
    assert all(stepper._state[name] is array for name, array in held.items()), "one set of state"
    assert not stepper._is_torn
    for name, array in copies.items():
        np.testing.assert_array_equal(first[name], array)
        np.testing.assert_array_equal(taken[name], array)


def updating(build: Callable[[Any, Any, Any, Any], dict[str, Any]]) -> og.Graph:
    """A graph of w, dw and what a test adds, with w.new = w − 0.5·dw as a composite."""
    b = og.Builder("update")
    w, x = b.parameter("w", np.ones((3, 2), np.float32)), b.input("x", "float32", (3, 2))
    b.output(b.op.ReduceSum(w * x, keepdims=0), "loss")
    step = og.train_step(b.build(), "loss", og.optim.SGD(0.5))
    more = og.Builder.extend(step)
    values = build(more, more.value("w"), more.value("x"), more.value("w.new"))
    for name, value in values.items():
        more.output(value, name)
    return more.build()


VIEWS: dict[str, Callable[[Any, Any, Any, Any], dict[str, Any]]] = {
    "itself": lambda b, w, x, new: {"y": b.op.Identity(w)},
    "transposed": lambda b, w, x, new: {"y": b.op.Transpose(w)},
    "sliced": lambda b, w, x, new: {"y": b.op.Reshape(w, [6])[1:4]},
    "after": lambda b, w, x, new: {"y": b.op.Exp(b.op.Transpose(w)) @ new},
    "in a branch": lambda b, w, x, new: {
        "y": b.op.If(
            b.op.ReduceSum(new, keepdims=0) < 0.0,
            then_branch=b.subgraph(lambda: new),
            else_branch=b.subgraph(lambda: w),
        )
    },
    "of the new one": lambda b, w, x, new: {"y": b.op.Transpose(new)},
}


@pytest.mark.parametrize("name", VIEWS)
def test_what_shows_the_old_state_is_right(name: str) -> None:
    graph = updating(VIEWS[name])
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    stepper, w, kept = og.compile(graph).stepper(), np.ones((3, 2), np.float32), []
    for _ in range(3):
        wanted = og.compile(graph).run({"x": x, "w": w.copy()})
        kept.append((stepper.run({"x": x})["y"], wanted["y"].copy()))
        w = wanted["w.new"]
    for found, expected in kept:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("swapped", [{"w1": "w2.new", "w2": "w1.new"}, {"w1": "w2.new"}], ids=str)
def test_state_may_go_elsewhere(swapped: dict[str, str]) -> None:
    """Two weights change places, or one output goes to both."""
    step = og.train_step(model(), "loss", OPTIMIZERS["momentum"])
    state = og.initial_state(step)
    feedback = {name: f"{name}.new" for name in state} | swapped
    stepper = og.compile(step).stepper(feedback=feedback)
    for _ in range(3):
        wanted = og.compile(step).run({"x": X, **state})
        state = {name: wanted[output].copy() for name, output in feedback.items()}
        stepper.run({"x": X})
        for name, array in stepper.state().items():
            np.testing.assert_array_equal(array, state[name])


def test_state_that_is_read_as_the_gradient_is_not_written_over() -> None:
    graph = Graph("twice")
    w, m, v = (
        graph.add_value(Value(name, TensorType(np.dtype(np.float32), (3,)))) for name in "wmv"
    )
    graph.inputs = [w, m, v]
    op = Ops(graph)
    gradient = op.Slice(m, [-1], [-4], [0], [-1])
    one = op.constant(np.float32(1))
    found = op.composite(
        "AdamUpdate", w, gradient, m, v, one, one, types=[w.type] * 3, b1=0.5, b2=0.5
    )
    for name, value in zip("wmv", found, strict=True):
        graph.rename(value, f"{name}.new")
        graph.outputs.append(value)
    state = {name: np.arange(k, k + 3, dtype=np.float32) for k, name in enumerate("wmv", 1)}
    stepper = og.compile(graph).stepper(state)
    for _ in range(3):
        wanted = og.compile(graph).run(stepper.state())
        stepper.run({})
        for name, array in stepper.state().items():
            np.testing.assert_array_equal(array, wanted[f"{name}.new"])


def test_gradients_are_freed_as_soon_as_their_update_has_run() -> None:
    step = og.train_step(model(), "loss", OPTIMIZERS["adamw"])
    graph = prepare_for(step, BACKEND.native, runs_as_it_is)
    outputs = {v.name: v for v in graph.outputs}
    pairs = {v: outputs[f"{v.name}.new"] for v in graph.inputs if f"{v.name}.new" in outputs}
    nodes, allowed = overwriting_order(graph, graph.nodes(), pairs)
    order = [n.op_type for n in nodes]
    updates = [k for k, n in enumerate(nodes) if n.op_type == "AdamUpdate"]
    assert len(allowed) == 3 and all(allowed[nodes[k]] == {0, 1, 2} for k in updates)
    assert any(op in ("MatMul", "Gemm") for op in order[updates[0] :]), "none comes before the last"
    assert sorted(map(id, nodes)) == sorted(map(id, graph.nodes()))


def test_a_failure_before_the_first_write_leaves_the_state() -> None:
    b = og.Builder("rows")
    table, rows = b.parameter("table", np.ones((3, 2), np.float32)), b.input("rows", "int64", (2,))
    b.output(b.op.ReduceSum(b.op.Gather(table, rows), keepdims=0), "loss")
    step = og.train_step(b.build(), "loss", og.optim.SGD(0.5, momentum=0.5))
    stepper = og.compile(step).stepper()
    with pytest.raises(Exception, match="index|rows|Gather"):
        stepper(rows=np.array([0, 9]))
    np.testing.assert_array_equal(stepper.state()["table"], 1)
    assert stepper(rows=np.array([0, 1]))["loss"] == 4


def test_a_failure_after_the_first_write_is_told() -> None:
    stepper = stepper_of(og.train_step(model(), "loss", OPTIMIZERS["adamw"]))

    def fails(feeds: Any) -> Any:
        stepper.begin_writing()
        raise MemoryError

    stepper._run = fails
    with pytest.raises(MemoryError):
        stepper.run({"x": X})
    for call in (stepper.state, lambda: stepper.run({"x": X})):
        with pytest.raises(og.GraphError, match="failed while it wrote"):
            call()


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.op in MAKES_NEW], ids=str)
def test_operators_that_make_new_arrays_do(sample: Sample) -> None:
    forward = graph_of(sample)
    feeds, names = feeds_of(forward, sample), float_outputs(forward)
    graph = og.vjp(forward, names, wrt_of(sample))
    fed = {v.name for v in graph.inputs}
    given = cotangents(og.compile(forward).run(feeds), names)
    feeds |= {name: array for name, array in given.items() if name in fed}
    interpreter, seen = BACKEND.prepare(graph), set()

    def watch(node: Node, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            found = function(*arguments)
            for result in found if isinstance(found, tuple) else (found,):
                if node.operator in MAKES_NEW and isinstance(result, np.ndarray):
                    seen.add(node.operator)
                    assert not any(
                        np.shares_memory(result, a)
                        for a in arguments
                        if isinstance(a, np.ndarray) and a.dtype.kind != "O"
                    )
            return found

        return run

    interpreter.watch(watch)
    interpreter.run(feeds)
    assert seen
