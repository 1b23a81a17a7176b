"""Repeated indices in onnxruntime: its ScatterND loses sums to racing threads, ours must not."""

import numpy as np
import pytest

import onnxgrad as og

ROWS, WIDTH, COUNT = 50, 64, 20000


def graph_of(operator: str) -> og.Graph:
    b = og.Builder(operator)
    x = b.input("x", "float32", (ROWS, WIDTH))
    if operator == "ScatterND":
        indices = b.input("indices", "int64", (COUNT, 1))
        updates = b.input("updates", "float32", (COUNT, WIDTH))
        b.output(b.op.ScatterND(x, indices, updates, reduction="add"), "y")
        return b.build()
    shape = (COUNT,) if operator == "Gather" else (COUNT, 1)
    b.output(getattr(b.op, operator)(x, b.input("indices", "int64", shape)), "y")
    return og.vjp(b.build(), ["y"], ["x"])


@pytest.mark.parametrize("operator", ["ScatterND", "Gather", "GatherND"])
def test_repeated_indices_add_up(operator: str) -> None:
    graph = graph_of(operator)
    generator = np.random.default_rng(0)
    indices = generator.integers(0, ROWS, COUNT)
    ones = np.ones((COUNT, WIDTH), np.float32)
    given = {
        "x": np.zeros((ROWS, WIDTH), np.float32),
        "indices": indices if operator == "Gather" else indices[:, None],
        "updates": ones,
        "y.grad": ones,
    }
    result = graph.outputs[-1].name
    runner = og.compile(graph, "onnxruntime")
    expected = np.repeat(np.bincount(indices, minlength=ROWS)[:, None], WIDTH, axis=1)
    for _ in range(10):
        actual = runner.run({v.name: given[v.name] for v in graph.inputs})[result]
        np.testing.assert_array_equal(actual, expected)
