"""Backends are found by name, ours and third parties'; what is missing says how to get it."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og


class Entry:
    """An entry point as importlib.metadata gives it."""

    def __init__(self, name: str, found: Any) -> None:
        self.name = name
        self._found = found

    def load(self) -> Any:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


class Echo:
    """A third party's backend that gives its feeds as the outputs."""

    name = "echo"
    native: frozenset[str] = frozenset()

    def why_unavailable(self) -> str | None:
        return None

    def supports(self, node: og.Node) -> bool:
        return True

    def prepare(self, graph: og.Graph) -> Any:
        outputs = [v.name for v in graph.outputs]

        class Executable:
            def run(self, feeds: Any) -> Any:
                return dict(zip(outputs, feeds.values(), strict=False))

        return Executable()


class Missing(Echo):
    name = "missing"

    def why_unavailable(self) -> str | None:
        return "pip install missing"


@pytest.fixture(autouse=True)
def third_parties(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        Entry("echo", Echo()),
        Entry("missing", Missing()),
        Entry("broken", ImportError("no libbroken")),
    ]

    def entry_points(group: str, name: str | None = None) -> list[Entry]:
        assert group == "onnxgrad.backends"
        return [e for e in entries if name in (None, e.name)]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


def graph() -> og.Graph:
    b = og.Builder("g")
    b.output(b.op.Neg(b.input("x", "float32", (2,))), "y")
    return b.build()


def test_a_third_party_runs_graphs() -> None:
    x = np.ones(2, np.float32)
    compiled = og.compile(graph(), "echo")
    assert compiled(x=x)["y"] is x
    b = og.Builder("steps")
    b.output(b.op.Identity(b.input("w", "float32", (2,))), "w.new")
    step = og.compile(b.build(), "echo").stepper({"w": x})
    assert step() == {} and (step.state()["w"] == 1).all()


def test_all_are_listed_with_reasons() -> None:
    listed = og.available_backends()
    assert list(listed)[:5] == ["numpy", "numba", "onnxruntime", "openvino", "cupy"]
    assert listed["numpy"] is None and listed["echo"] is None
    assert listed["missing"] == "pip install missing"
    assert listed["broken"] == "ImportError: no libbroken"
    lines = str(listed).splitlines()
    assert lines[0].split() == ["numpy", "available"]
    assert lines[-1].endswith("no libbroken")


def test_what_cannot_run_is_refused() -> None:
    with pytest.raises(og.BackendUnavailableError, match="pip install missing"):
        og.compile(graph(), "missing")
    with pytest.raises(og.GraphError, match="no backend 'nunpy'; there are numpy"):
        og.compile(graph(), "nunpy")
