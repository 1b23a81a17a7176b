"""A bounded run of the fuzzer, and that it finds and shrinks what is planted, law by law.

`make fuzz` runs it for as long as one likes.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fuzzing.builder_road import build
from fuzzing.evaluation import evaluate
from fuzzing.file_road import write
from fuzzing.judge import draw, judge
from fuzzing.laws import LAWS
from fuzzing.program import every_call
from fuzzing.shaken import shaken
from fuzzing.shrinking import shrink
from fuzzing.source import source
from fuzzing.verdict import FAILED, FAULTS, KILLED, RIGHT, WRONG
from fuzzing.workers import Worker

import onnxgrad as og
from onnxgrad.backends.kernels.registry import KERNELS, KernelEntry
from onnxgrad.compiler.batching.registry import BATCHING
from onnxgrad.compiler.differentiation.rules import RULES
from onnxgrad.compiler.emission import ops
from onnxgrad.compiler.graph.names import Names
from onnxgrad.compiler.passes import pipeline
from onnxgrad.compiler.standard import schemas

SEEDS = range(30)
"""The first programs of each law, the same at every run."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    found = Worker()
    yield found
    found.stop()


@pytest.mark.parametrize("letter", LAWS)
def test_the_first_programs_hold(worker: Worker, letter: str) -> None:
    verdicts = [worker.judge(letter, seed) for seed in SEEDS]
    assert not [v for v in verdicts if v.kind in FAULTS]
    kinds = Counter(v.kind for v in verdicts)
    assert kinds[RIGHT] > 0.75 * len(SEEDS), [v for v in verdicts if v.kind != RIGHT]


def test_draws_are_the_same_for_the_same_seed() -> None:
    first, second = (source(draw("A", 3)) for _ in range(2))
    assert first == second != source(draw("A", 4))


@pytest.mark.parametrize("seed", range(5))
def test_the_source_builds_the_same_graph(seed: int) -> None:
    program = draw("B", seed)
    names: dict[str, Any] = {}
    exec(source(program), names)
    by_source = og.compile(names["g"]).run(names["feeds1"])
    for name, value in zip(program.outputs(), evaluate(program, 1), strict=True):
        np.testing.assert_allclose(by_source[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_both_roads_give_one_graph(seed: int) -> None:
    program = draw("B", seed)
    feeds = {program.name(leaf.number): leaf.array(0) for leaf in program.inputs()}
    first, second = build(program), og.load(write(program))
    expected = og.compile(first).run(feeds)
    for name, array in og.compile(second).run(feeds).items():
        np.testing.assert_array_equal(array, expected[name])


def find(letter: str, op: str, kind: str) -> int:
    """Find the first fault among programs that call an operator; give its calls after shrinking."""
    for seed in range(400):
        program = draw(letter, seed)
        if any(call.op == op for call in every_call(program.block)):
            verdict = judge(letter, program)
            if verdict.kind == kind:
                small = shrink(program, verdict, lambda p: judge(letter, p), seconds=60)
                assert judge(letter, small).kind == kind
                return len(list(every_call(small.block)))
    raise AssertionError("not found")


def plant_in(
    monkeypatch: pytest.MonkeyPatch, table: dict[tuple[str, str], Any], op: str, function: Any
) -> None:
    """Put another function into the entry that a table has of an operator."""
    entry = table["", op]
    unbound = {"bind": None} if isinstance(entry, KernelEntry) else {}
    monkeypatch.setitem(table, ("", op), replace(entry, function=function, **unbound))


def sloppy(op: str) -> Callable[..., Any]:
    """Give an operator's rule with its gradients off by a thousandth."""
    right = RULES["", op].function

    def rule(ops: Any, node: Any, dy: Any) -> Any:
        found = right(ops, node, dy)
        entries = found if isinstance(found, list | tuple) else [found]
        return [None if e is None else ops.Mul(e, ops.like(1.001, e)) for e in entries]

    return rule


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plant_in(monkeypatch, KERNELS, "Sin", lambda xp, x: xp.sin(x) * xp.asarray(1.01, x.dtype))
    assert find("A", "Sin", WRONG) == 1


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plant_in(monkeypatch, RULES, "Tanh", sloppy("Tanh"))
    assert find("B", "Tanh", WRONG) == 1


def test_modes_that_are_no_transposes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward mode transposes what rules emit: that of ReduceSum emits Expand."""
    plant_in(monkeypatch, RULES, "Expand", sloppy("Expand"))
    assert find("C", "ReduceSum", WRONG) == 1


def test_a_wrong_rule_of_a_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of Sin emits Cos: first derivatives of Sin stay right."""
    plant_in(monkeypatch, RULES, "Cos", sloppy("Cos"))
    assert find("D", "Sin", WRONG) == 1


def test_a_wrong_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def drop_signs(graph: og.Graph) -> bool:
        found = [n for n in graph.nodes() if n.op_type == "Neg" and graph.consumers(n.output())]
        for node in found:
            graph.replace_uses(node.output(), node.required(1)[0])
        return bool(found)

    monkeypatch.setattr(pipeline, "simplify", drop_signs)
    assert find("E", "Neg", WRONG) <= 3


def test_a_wrong_batch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unshifted(batch: Any, node: Any, operands: Any) -> Any:
        return batch.op.Softmax(operands[0].value, **node.attributes)

    monkeypatch.setitem(BATCHING, ("", "Softmax"), unshifted)
    assert find("F", "Softmax", WRONG) == 1


def test_a_kernel_that_writes_into_its_input_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plant_in(monkeypatch, KERNELS, "Tanh", lambda xp, x: xp.tanh(x, out=x if x.ndim else None))
    assert find("G", "Tanh", WRONG) == 1


def test_names_of_one_process_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Names.fresh
    process = f"by {os.getpid()}"
    monkeypatch.setattr(Names, "fresh", lambda self, stem: fresh(self, stem + process))
    assert find("H", "MatMul", WRONG) <= 1


def test_another_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_call(*given: Any) -> None:
        try:
            schemas.check_call(*given)
        except og.GraphError as error:
            raise KeyError(str(error)) from error

    monkeypatch.setattr(ops, "check_call", check_call)
    assert find("I", "Concat", FAILED) <= 1


class Bomb:
    """Ends the process that it is sent to."""

    seed = 0

    def __reduce__(self) -> Any:
        return os._exit, (3,)


def test_the_end_of_a_process_is_a_verdict(worker: Worker) -> None:
    bomb: Any = Bomb()
    verdict = worker.judge("B", bomb)
    assert verdict.kind == KILLED and "ended with 3" in verdict.detail
    assert worker.judge("B", 0).kind == RIGHT


def test_a_shaken_graph_moves_by_last_bits_and_no_further() -> None:
    """Through a saturated Tanh the last bits of y move 1 − y² by far more of its own."""
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    y = b.op.Tanh(x)
    b.output(y, "y")
    b.output(b.constant(np.array(1.0)) - y * y, "slope")
    graph, feeds = b.build(), {"x": np.array([0.5, 10.0, 12.0])}
    exact = og.compile(graph).run(feeds)
    found = og.compile(shaken(graph, np.random.default_rng(0))).run(feeds)
    unit = np.finfo(np.float64).eps
    apart = {name: np.abs(found[name] - exact[name]) for name in exact}
    assert (apart["y"] > 0).all() and (apart["y"] < 10 * unit).all()
    assert (apart["slope"] < 50 * unit).all()
    assert (apart["slope"][1:] > 1e-8 * exact["slope"][1:]).all()
