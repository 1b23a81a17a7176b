"""The collector is held back where nodes are made, and runs again afterwards."""

import gc

import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.collection import without_collection


def test_collection_runs_again_after_an_error_inside() -> None:
    with pytest.raises(ValueError), without_collection():
        assert not gc.isenabled()
        with without_collection():
            pass
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()


def test_whoever_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_large_graph_is_differentiated_without_a_walk_through_all_of_it() -> None:
    b = og.Builder("deep")
    x = b.input("x", "float32", (2,))
    h = x
    for _ in range(500):
        h = b.op.Tanh(h)
    b.output(b.op.ReduceSum(h, keepdims=0), "loss")
    graph = b.build()
    walks: list[int] = []

    def count(phase: str, info: dict[str, int]) -> None:
        walks.append(info["generation"])

    og.grad(graph, "loss", "x")  # the first call imports
    gc.collect()
    gc.callbacks.append(count)
    try:
        og.grad(graph, "loss", "x")
    finally:
        gc.callbacks.remove(count)
    assert len(walks) < 10
