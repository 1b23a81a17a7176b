"""A backend, an operator and a pass from a package of somebody else's, found as it is installed."""

import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

PACKAGE = Path(__file__).parents[1] / "fixtures/third_party"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the package on the path, with the entry points that an installation writes."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    ((group, points),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {place}" for name, place in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(PACKAGE)
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] == "tempered"]:
        del sys.modules[name]


def scores() -> og.Graph:
    softmax = import_module("tempered").softmax
    b = og.Builder()
    x = b.input("x", "float64", ("N", 3))
    b.output(softmax(b.op.Gelu(b.op.Neg(b.op.Neg(x))), temperature=2.0), "y")
    return b.build()


def test_the_backend_is_found_and_runs() -> None:
    assert og.available_backends()["counting"] is None
    x = np.random.default_rng(0).normal(size=(2, 3))
    graph = og.vjp(scores(), "y", "x")
    feeds = {"x": x, "y.grad": x + 1}
    compiled = og.compile(graph, "counting", warm=True)
    expected = og.compile(graph).run(feeds)
    for name, array in compiled.run(feeds).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12)
    executable: Any = compiled._executable  # nothing public shows what it counted
    assert executable.counts["warmed"] == 1 and "GeluGrad" not in executable.counts
    with pytest.raises(og.GraphError, match="'counting' takes no option cold; it takes warm"):
        og.compile(graph, "counting", cold=True)


def test_the_operator_has_the_derivatives_of_its_body() -> None:
    x = np.random.default_rng(1).normal(size=(2, 3))
    assert og.check_gradients(scores(), "y", "x", {"x": x})


def test_the_pass_runs_first_and_the_graph_is_checked() -> None:
    drop = import_module("tempered.passes").drop_double_negation
    graph = scores()
    assert "Neg" in [n.op_type for n in graph.nodes()]
    smaller = og.optimize(graph, passes=[drop])
    assert "Neg" not in [n.op_type for n in smaller.nodes()]

    def careless(graph: og.Graph) -> bool:
        graph.outputs = [og.Value("nowhere", graph.outputs[0].type)]
        return True

    assert "Neg" not in [n.op_type for n in og.optimize(graph, [partial(drop)]).nodes()]
    with pytest.raises(og.GraphError, match="after careless .* nothing computes .* 'nowhere'"):
        og.optimize(graph, passes=[careless])
    with pytest.raises(og.GraphError, match="passes is a list of functions"):
        og.optimize(graph, passes=drop)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda g: None, "what the pass <lambda> gives must be True or False, not None"),
        (lambda: True, "the pass <lambda> takes .*, but is called with 1 values"),
        (og.Graph, "the pass Graph must be a function"),
    ],
)
def test_what_is_no_pass_is_refused(step: Any, why: str) -> None:
    with pytest.raises(og.GraphError, match=why):
        og.optimize(scores(), passes=[step])


def test_a_graph_is_checked_whatever_its_pass_tells() -> None:
    def untrue(graph: og.Graph) -> bool:
        graph.outputs = [og.Value("nowhere", graph.outputs[0].type)]
        return False

    with pytest.raises(og.GraphError, match="after untrue"):
        og.optimize(scores(), passes=[untrue])
