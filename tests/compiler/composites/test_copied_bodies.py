"""Nodes that are alike get copies of one body: the file is what emitting each body anew gives."""

from collections.abc import Callable

import large_files
import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.composites.copied_bodies import CopiedBodies
from onnxgrad.compiler.composites.expand import expand_node
from onnxgrad.compiler.composites.registry import FORMS
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.interchange.exporter import to_onnx
from onnxgrad.compiler.standard.verifier import verify

Body = Callable[[Ops, Node], Value]
FLOATS = TensorType(np.dtype("float32"), ("N", 2))


@pytest.mark.parametrize("kind", ["convolutional", "branches", "loop"])
@pytest.mark.parametrize("opset", [13, 22])
def test_files_are_those_of_bodies_emitted_anew(
    kind: str, opset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = og.load(large_files.KINDS[kind](24))
    wrt = [v.name for v in model.values() if v.parameter and v.rank]
    gradient = og.vjp(model, "loss", wrt, allow_unused=True)
    copied = to_onnx(gradient, opset)
    monkeypatch.setattr(CopiedBodies, "expand", lambda self, *given: expand_node(*given))
    assert to_onnx(gradient, opset) == copied


def _graph(read: Callable[[Ops, int], Value], **attributes: int) -> Graph:
    """Give the sum of three calls of the composite Twice, each on what `read` gives."""
    graph = Graph()
    op = Ops(graph)
    results = []
    for k in range(3):
        results.append(op.composite("Twice", read(op, k), types=[FLOATS], **attributes))
    graph.outputs = [op.Sum(*results)]
    return graph


def _expand(graph: Graph) -> None:
    bodies = CopiedBodies()
    for node in graph.nodes():
        if node.op_type == "Twice":
            bodies.expand(graph, node, None)
    verify(graph)


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the composite Twice known; give the names of its nodes whose bodies were emitted."""
    names: list[str] = []

    def twice(op: Ops, node: Node) -> Value:
        names.append(node.title)
        x = node.first_input
        return op.Add(x, op.Mul(x, 1.0)) if x.constant is None else op.Add(x, op.like(1, x))

    monkeypatch.setitem(FORMS, "Twice", {"default": twice})
    return names


def _input(op: Ops, k: int) -> Value:
    value = op.graph.add_value(Value(f"x{k}", FLOATS))
    op.graph.inputs.append(value)
    return value


def test_one_body_serves_all_that_are_alike(emitted: list[str]) -> None:
    graph = _graph(_input)
    _expand(graph)
    assert emitted == ["Twice"]
    feeds = {f"x{k}": np.full((1, 2), k + 1, np.float32) for k in range(3)}
    (result,) = og.compile(graph).run(feeds).values()
    np.testing.assert_array_equal(result, np.full((1, 2), 12, np.float32))
    names = [n.outputs[0].name for n in graph.nodes() if n.outputs[0] is not None]
    assert names == [
        "Twice/Mul",
        "Twice",
        "Twice_1/Mul",
        "Twice_1",
        "Twice_2/Mul",
        "Twice_2",
        "Sum",
    ]


def test_other_constants_have_bodies_of_their_own(emitted: list[str]) -> None:
    _expand(_graph(lambda op, k: op.constant(np.full((1, 2), k % 2, np.float32))))
    assert emitted == ["Twice", "Twice_1"]


def test_other_types_have_bodies_of_their_own(emitted: list[str]) -> None:
    def read(op: Ops, k: int) -> Value:
        return op.Concat(_input(op, k), *[np.zeros((1, 2), np.float32)] * (k % 2), axis=0)

    _expand(_graph(read))
    assert emitted == ["Twice", "Twice_1"]


def test_a_size_that_only_run_time_tells_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[object] = []

    def kept(op: Ops, node: Node) -> Value:
        x, places = node.first_input, op.NonZero(node.first_input)
        sizes.append(places.shape)
        return op.Add(x, op.Cast(op.ReduceSum(places, keepdims=0), to="float32"))

    monkeypatch.setitem(FORMS, "Twice", {"default": kept})
    _expand(_graph(_input))
    assert len(sizes) == len(set(sizes)) == 3


def test_a_body_that_looks_beyond_its_node_is_emitted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    count = []

    def beyond(op: Ops, node: Node) -> Value:
        count.append(node)
        (inner,) = node.required(1)
        before = op.graph.producer(inner)
        assert before is not None
        return op.Add(inner, before.first_input)

    monkeypatch.setitem(FORMS, "Twice", {"default": beyond})
    _expand(_graph(lambda op, k: op.Tanh(_input(op, k))))
    assert len(count) == 3
