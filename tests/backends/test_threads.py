"""Kernels on several cores: the bits of one, its errors, and no part of what others do."""

import os
import signal
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.sample import Sample
from prepared_samples import assert_same_bits, harmed, outcome, prepared, sizes

import onnxgrad as og
from onnxgrad.backends.interpreter import Interpreter
from onnxgrad.backends.kernels import activations, blocks, elementwise, threads
from onnxgrad.backends.numpy import Host

CHOSEN = {s.op: s for s in SAMPLES} | {
    str(s): s for s in SAMPLES if "Conv" in s.op or "Normalization" in s.op
}


@pytest.fixture
def tiny_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let even small arrays be split, on three cores."""
    for module in (blocks, elementwise, threads):
        monkeypatch.setattr(module, "PART_BYTES", 16)
    for module in (blocks, activations):
        monkeypatch.setattr(module, "BLOCK_BYTES", 32)
    for module in (elementwise, threads):
        monkeypatch.setattr(module, "core_count", lambda: 3)
    threads._pool.cache_clear()
    yield
    threads._pool.cache_clear()


@pytest.mark.parametrize("dtype", [np.float64, np.float16], ids=["double", "half"])
@pytest.mark.parametrize("sample", CHOSEN.values(), ids=str)
def test_every_operator_gives_the_bits_of_one_core(
    sample: Sample, dtype: Any, request: pytest.FixtureRequest
) -> None:
    found = prepared(sample, dtype)
    if found is None:
        return
    graph, given = found
    wanted = [outcome(Interpreter(graph, Host()).run, feeds) for feeds in given]
    request.getfixturevalue("tiny_parts")
    for feeds, results in zip(given, wanted, strict=True):
        assert_same_bits(outcome(Interpreter(graph, Host()).run, feeds), results)


UNARY = ["Abs", "Neg", "Exp", "Tanh", "Sign", "Floor", "Relu", "Sigmoid", "Gelu", "Reciprocal"]
BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Mod"]
INTEGERS = {"Abs", "Neg", "Sign", *BINARY}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
@pytest.mark.parametrize("seed", range(12))
def test_random_chains_give_the_bits_of_one_core(
    seed: int, dtype: str, request: pytest.FixtureRequest
) -> None:
    random = np.random.default_rng([seed, len(dtype)])
    b = og.Builder("chain")
    full = tuple(random.choice([0, 1, 2, 3, 5, 8], size=3, p=[0.04, 0.16, 0.2, 0.2, 0.2, 0.2]))
    held = [b.input("x0", dtype, full)]
    for k in range(1, 4):
        shape = [int(n) if random.random() < 0.6 else 1 for n in full][random.integers(0, 3) :]
        held.append(b.input(f"x{k}", dtype, shape))
    held.append(b.op.Transpose(b.op.Transpose(held[0], perm=[2, 0, 1]), perm=[1, 2, 0]))
    for _ in range(12):
        one, other = (held[random.integers(len(held))] for _ in range(2))
        name = str(random.choice(UNARY + BINARY))
        if dtype == "int32" and name not in INTEGERS:
            continue
        if name in BINARY:
            fmod = {"fmod": 1} if name == "Mod" else {}
            held.append(getattr(b.op, name)(one, other, **fmod))
        else:
            held.append(getattr(b.op, name)(one))
        held.append(b.op.Where(b.op.Greater(one, other), one, held[-1]))
    for k, y in enumerate(held[5:]):
        b.output(y, f"y{k}")
    graph = b.build()
    feeds = {v.name: (random.normal(size=sizes(v.type)) * 9).astype(dtype) for v in graph.inputs}
    for array in feeds.values():
        if dtype == "int32":
            array[array == 0] = 3  # what an integer divided by 0 is nobody says
    given = [feeds] if dtype == "int32" else [feeds, harmed(feeds)]
    wanted = [outcome(og.compile(graph).run, each) for each in given]
    request.getfixturevalue("tiny_parts")
    for each, results in zip(given, wanted, strict=True):
        assert_same_bits(outcome(og.compile(graph).run, each), results)


@pytest.mark.parametrize("op", ["Add", "Relu", "Gelu", "Conv", "BatchNormalization"])
def test_parts_run_on_other_threads(
    op: str, tiny_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def submit(*work: Any) -> Any:
        sent.append(work)
        return given(*work)

    given = threads._pool().submit
    monkeypatch.setattr(threads._pool(), "submit", submit)
    for found in (prepared(s, np.float64) for s in SAMPLES if s.op == op):
        assert found is not None
        Interpreter(found[0], Host()).run(found[1][0])
    assert sent


def test_an_error_in_any_part_is_raised_when_all_have_ended(tiny_parts: None) -> None:
    for bad in range(3):
        ended: list[int] = []

        def work(start: int, stop: int, bad: int = bad, ended: list[int] = ended) -> None:
            if start == bad:
                raise ValueError(f"part {bad}")
            ended.append(start)

        with pytest.raises(ValueError, match=f"part {bad}"):
            threads.in_parts(np, work, 3, 1000)
        assert sorted(ended) == sorted({0, 1, 2} - {bad})


def test_parts_are_as_quiet_as_the_rest(tiny_parts: None) -> None:
    b = og.Builder("g")
    b.output(b.op.Log(b.input("x", "float32", (6, 8))), "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = og.compile(b.build())(x=-np.ones((6, 8), np.float32))["y"]
    assert np.isnan(y).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_process_has_threads_of_its_own(tiny_parts: None) -> None:
    def is_copied() -> bool:
        y = np.zeros((6, 8))
        blocks.copy_into(np, y, np.ones((6, 8)))
        return bool((y == 1).all())

    assert is_copied()
    ours = threads._pool()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork, from 3.12 on
        child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(0 if threads._pool() is not ours and is_copied() else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(("asked", "most"), [("1", 1), ("", 99), ("none", 99), ("0", 99)])
def test_the_environment_limits_the_cores(
    asked: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    threads.core_count.cache_clear()
    assert 1 <= threads.core_count() <= most
    threads.core_count.cache_clear()


@pytest.mark.usefixtures("tiny_parts")
def test_one_thread_does_it_all_where_python_is_about_to_end() -> None:
    done: list[tuple[int, int]] = []
    threads._pool().shutdown()  # as Python does before it ends, while other threads still run
    threads.in_parts(np, lambda start, stop: done.append((start, stop)), 10, 1 << 10)
    assert done == [(0, 3), (3, 6), (6, 10)]
