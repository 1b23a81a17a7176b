"""The report on what a graph costs, counted and measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refusal, run

import onnxgrad as og


def step(batch: int | str = 8) -> og.Graph:
    b = og.Builder("net")
    x, label = b.input("x", "float32", (batch, 16)), b.input("label", "int64", (batch,))
    w = b.parameter("w", np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32))
    b.output(b.op.SoftmaxCrossEntropyLoss(b.op.Relu(x) @ w, label), "loss")
    return og.train_step(b.build(), "loss", og.optim.SGD(0.1))


def test_counts_of_a_training_step() -> None:
    found = og.cost(step())
    products = {r.name: r for r in found.rows if r.operator in ("MatMul", "Gemm")}
    assert [r.flops for r in products.values()] == [2 * 8 * 16 * 4] * 2
    assert found.flops >= 2 * 2 * 8 * 16 * 4 and not found.unknown
    # x, label, w and w.new, loss
    assert found.least_bytes == 4 * 8 * 16 + 8 * 8 + 2 * 4 * 64 + 4
    assert found.peak is not None and found.peak > found.least_bytes - 4 * 64
    assert found.read == sum(r.read or 0 for r in found.rows)
    assert found.seconds is None and found.floor > 0
    assert "Gemm" in str(found) and "most at once" in str(found)
    assert json.loads(found.to_json())["flops"] == found.flops


def test_open_sizes_need_numbers() -> None:
    graph = step("N")
    with pytest.raises(og.GraphError, match=r'costs need numbers for N; .* shapes=\{"N": 8\}'):
        og.cost(graph)
    with pytest.raises(og.GraphError, match="shapes must be a dict"):
        og.cost(graph, [8])  # type: ignore[arg-type]
    with pytest.raises(og.GraphError, match="no input has a size 'Q'; there are N$"):
        og.cost(graph, {"Q": 8})
    with pytest.raises(og.GraphError, match="'8' is a text; give the number without quotes"):
        og.cost(graph, {"N": "8"})  # type: ignore[dict-item]
    assert og.cost(graph, {"N": 8}).flops == og.cost(step(8)).flops
    assert "N" in str(graph.find("x").type), "the argument stays what it is"


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_measured_operators(backend: str) -> None:
    found = og.cost(step("N"), {"N": 8}, measure=backend)
    assert found.backend == backend and found.seconds is not None and found.seconds > 0
    assert all(r.seconds is not None for r in found.rows)
    products = sum(r.flops or 0 for r in found.rows if r.operator in ("MatMul", "Gemm"))
    assert products in (2048, 2048 + 64), "the update may be the summand of a Gemm"
    assert "ms" in str(found)


def test_no_times_of_other_backends() -> None:
    with pytest.raises(og.GraphError, match="no backend 'nothing'"):
        og.cost(step(), measure="nothing")


def test_the_command(tmp_path: Path) -> None:
    og.save(step("N"), tmp_path / "step.onnx")
    facts = json.loads(run("info", tmp_path / "step.onnx", "--cost", "--shape", "N=8", "--json"))
    assert facts["cost"]["flops"] > 0 and facts["cost"]["seconds"] is None
    printed = run("info", tmp_path / "step.onnx", "--cost", "--measure", "numpy", "--shape", "N=8")
    assert "measured on numpy" in printed
    assert "with --shape N=8" in refusal("info", tmp_path / "step.onnx", "--cost")
    assert "go" in refusal("info", tmp_path / "step.onnx", "--measure", "numpy")
