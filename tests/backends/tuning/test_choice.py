"""Forms chosen by a clock that the test moves: each run takes what the test says of its graph."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.numpy import BACKEND as NUMPY
from onnxgrad.backends.tuning import Cache, Tuning, tune
from onnxgrad.backends.tuning.choice import WORTH, winner
from onnxgrad.compiler.composites.form_choice import MOST_HELD

Price = Callable[[list[str]], float]


class Clocked:
    """A backend that runs graphs on NumPy and moves its clock by the price of their operators."""

    name = "clocked"
    native: frozenset[str] = frozenset()

    def __init__(self, price: Price, spoiled: str = "", refused: str = "") -> None:
        self.price = price
        self.now = 0.0
        self.prepared = 0
        self._spoiled = spoiled
        self._refused = refused

    def clock(self) -> float:
        return self.now

    def why_unavailable(self) -> str | None:
        return None

    def supports(self, node: og.Node) -> bool:
        return True

    def prepare(self, graph: og.Graph, *, threads: int | None = None) -> Any:
        self.prepared += 1
        operators = [n.op_type for n in graph.nodes()]
        if self._refused in operators:
            raise og.UnsupportedOpError(f"no {self._refused} here", [self._refused])
        return _Run(self, graph, self.price(operators), self._spoiled in operators)


class _Run:
    def __init__(self, backend: Clocked, graph: og.Graph, seconds: float, spoiled: bool) -> None:
        self._backend = backend
        self._run = NUMPY.prepare(graph).run
        self._seconds = seconds
        self._spoiled = spoiled

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self._backend.now += self._seconds
        return {n: a + self._spoiled for n, a in self._run(feeds).items()}


def convolutions(batch: int | str = 2, count: int = 1) -> og.Graph:
    """Build the gradients by weights that the graph feeds, all of one shape."""
    b = og.Builder("net")
    h = b.input("x", "float32", (batch, 4, 5, 5))
    for k in range(count):
        h = b.op.Conv(h, b.input(f"w{k}", "float32", (4, 4, 3, 3)), pads=[1] * 4)
    b.output(h, "y")
    return og.vjp(b.build(), "y", [f"w{k}" for k in range(count)])


def run(
    graph: og.Graph, backend: Clocked, folder: Path, **options: Any
) -> tuple[og.Graph, Tuning, list[str]]:
    told: list[str] = []
    lasting = options.pop("lasting", False)
    cache = Cache(folder, told.append)
    chosen, tuning = tune(graph, backend, options, cache, backend.clock, lasting)
    return chosen, tuning, told


def favouring(operator: str) -> Price:
    """Let a form that has an operator be ten times as fast as others."""
    return lambda operators: 0.01 if operator in operators else 0.1


def slices_taking(factor: float) -> Price:
    """Let forms with slices take so much of what others take."""
    return lambda operators: 0.1 * (factor if "Slice" in operators else 1.0)


def feeds_of(graph: og.Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = {v.name: [int(d) for d in v.shape or ()] for v in graph.inputs}
    return {n: rng.standard_normal(s, dtype=np.float32) for n, s in sizes.items()}


@pytest.mark.parametrize(
    ("has", "lacks", "form"), [("Gemm", "", "taps"), ("Conv", "MatMul", "derived")]
)
def test_the_fastest_form_is_put_in_place(has: str, lacks: str, form: str, tmp_path: Path) -> None:
    graph = convolutions()
    backend = Clocked(lambda found: 0.01 if has in found and lacks not in found else 0.1)
    chosen, tuning, told = run(graph, backend, tmp_path)
    (row,) = tuning.rows
    assert (row.operator, row.usual, row.form, row.count) == ("ConvWeightGrad", "unfold", form, 1)
    assert not row.from_cache and row.seconds[form] == min(row.seconds.values())
    assert told == [] and tuning.changed == [row]
    assert tuning.seconds == pytest.approx(backend.now)
    assert "ConvWeightGrad" not in [n.op_type for n in chosen.nodes()]
    feeds = feeds_of(graph)
    for name, expected in og.compile(graph).run(feeds).items():
        actual = og.compile(chosen).run(feeds)[name]
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_a_choice_is_read_back_whatever_the_clock_says_now(tmp_path: Path) -> None:
    graph = convolutions()
    first, tuning, _ = run(graph, Clocked(favouring("Gemm")), tmp_path)
    backend = Clocked(favouring("Slice"))
    again, read, told = run(graph, backend, tmp_path)
    assert backend.prepared == 0 and told == []
    assert read.rows[0].from_cache and read.rows[0].seconds == tuning.rows[0].seconds
    assert og.to_onnx(again).SerializeToString() == og.to_onnx(first).SerializeToString()
    assert "0 timed" in str(read) and "1 from the cache" in str(read)


def test_other_threads_are_another_choice(tmp_path: Path) -> None:
    graph = convolutions()
    run(graph, Clocked(favouring("Gemm")), tmp_path, threads=1)
    backend = Clocked(favouring("Slice"))
    run(graph, backend, tmp_path, threads=2)
    assert backend.prepared > 0 and len(list(tmp_path.iterdir())) == 4


def test_what_is_alike_is_timed_once(tmp_path: Path) -> None:
    few, many = (Clocked(favouring("Gemm")) for _ in range(2))
    run(convolutions(count=1), few, tmp_path / "few")
    chosen, tuning, _ = run(convolutions(count=3), many, tmp_path / "many")
    counts = {row.operator: row.count for row in tuning.rows}
    assert counts == {"ConvWeightGrad": 3, "ConvInputGrad": 2}
    assert not {"ConvWeightGrad", "ConvInputGrad"} & {n.op_type for n in chosen.nodes()}
    assert many.prepared - few.prepared == 3, "the forms of the gradient by the input"


def test_the_usual_form_stays_where_another_is_hardly_faster(tmp_path: Path) -> None:
    for factor, changed in ((WORTH + 0.02, 0), (WORTH - 0.02, 1)):
        backend = Clocked(slices_taking(factor))
        _, tuning, _ = run(convolutions(), backend, tmp_path / str(factor))
        assert len(tuning.changed) == changed


def test_what_is_faster_alone_must_be_faster_in_the_graph_too(tmp_path: Path) -> None:
    b = og.Builder("net")
    x, w = b.input("x", "float32", (2, 4, 5, 5)), b.input("w", "float32", (4, 4, 3, 3))
    b.output(b.op.Tanh(b.op.Conv(x, w)), "y")
    graph = og.vjp(b.build(), "y", "w")

    def price(operators: list[str]) -> float:
        fast, slow = (0.2, 0.1) if "Tanh" in operators else (0.01, 0.1)
        return fast if "Gemm" in operators else slow

    for _ in range(2):  # the second time from the cache
        _, tuning, _ = run(graph, Clocked(price), tmp_path)
        (row,) = tuning.rows
        assert row.form == row.usual == "unfold" and row.seconds["taps"] < row.seconds["unfold"]
        assert {name: round(s, 9) for name, s in tuning.whole.items()} == {"none": 0.1, "all": 0.2}
        assert "whole graph" in str(tuning) and tuning.changed == []


def test_forms_of_one_operator_are_tried_where_all_together_lose(tmp_path: Path) -> None:
    def price(operators: list[str]) -> float:
        whole = "Tanh" in operators
        if not whole:
            return 0.01 if {"Gemm", "Col2Im"} & set(operators) else 0.1
        return 0.1 - 0.05 * ("Col2Im" in operators) + 0.04 * ("Gemm" in operators)

    b = og.Builder("net")
    x, w = b.input("x", "float32", (2, 4, 5, 5)), b.input("w", "float32", (4, 4, 3, 3))
    b.output(b.op.Tanh(b.op.Conv(x, w)), "y")
    _, tuning, _ = run(og.vjp(b.build(), "y", ["w", "x"]), Clocked(price), tmp_path)
    assert {row.operator: row.form for row in tuning.changed} == {"ConvInputGrad": "columns"}
    assert set(tuning.whole) == {"none", "all", "ConvInputGrad", "ConvWeightGrad"}


def test_a_form_that_gives_other_numbers_or_is_refused_is_not_taken(tmp_path: Path) -> None:
    backend = Clocked(favouring("Slice"), spoiled="Slice", refused="Gemm")
    _, tuning, _ = run(convolutions(), backend, tmp_path)
    (row,) = tuning.rows
    assert row.form == "unfold" and "Slice" not in row.seconds
    assert any("other numbers" in why for why in row.refused.values())
    assert "not as" in str(tuning)


def test_open_sizes_and_integers_of_a_run_are_left_with_their_reason(tmp_path: Path) -> None:
    backend = Clocked(favouring("Gemm"))
    chosen, tuning, _ = run(convolutions("N"), backend, tmp_path)
    assert backend.prepared == 0 and tuning.rows == []
    (why,) = tuning.left.values()
    assert "float32[N, 4, 5, 5]" in why and "give its sizes numbers" in why
    assert "ConvWeightGrad" in [n.op_type for n in chosen.nodes()]
    assert "left in the usual form" in str(tuning)


def test_a_file_gets_no_form_with_branches(tmp_path: Path) -> None:
    b = og.Builder("relu")
    b.output(b.op.Relu(b.input("x", "float32", (64, 64))), "y")
    graph = og.vjp(b.build(), "y", "x")
    price = favouring("If")
    _, tuning, _ = run(graph, Clocked(price), tmp_path)
    assert [row.form for row in tuning.rows] == ["guarded"]
    _, tuning, _ = run(graph, Clocked(price), tmp_path, lasting=True)
    assert tuning.rows == []


def test_a_backend_with_kernels_of_its_own_has_nothing_to_choose(tmp_path: Path) -> None:
    chosen, tuning = tune(convolutions(), NUMPY, {}, Cache(tmp_path, print), Clocked(len).clock)
    assert tuning.rows == [] and "nothing to choose: numpy" in str(tuning)
    assert "ConvWeightGrad" in [n.op_type for n in chosen.nodes()]


def test_a_form_that_holds_much_gives_way_to_one_that_does_not() -> None:
    seconds = {"usual": 1.0, "heavy": 0.1, "light": 0.5}
    held = {"usual": 0, "heavy": MOST_HELD + 1, "light": 8}
    assert winner(seconds, held, "usual") == "light"
    assert winner(seconds, dict.fromkeys(held, MOST_HELD + 1), "usual") == "heavy"
