"""The first run goes step by step, later ones through one function: the same bits and errors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.backends.interpreter import Interpreter, runs_as_it_is
from onnxgrad.backends.kernels.registry import KERNELS, KernelDoesNotApply
from onnxgrad.backends.numpy import BACKEND, Host
from onnxgrad.backends.steps import Step, Steps, whole
from onnxgrad.compiler.graph.ir import Node, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.passes.prepare import prepare_for
from onnxgrad.compiler.standard.randomness import is_random


class Unbound(Host):
    """A host that calls every kernel with all that it was registered with."""

    def bound(self, *_: Any) -> None:
        """Know no leaner way."""
        return None


def assert_same_bits(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert np.asarray(found[name]).dtype == np.asarray(array).dtype
        np.testing.assert_array_equal(found[name], array, strict=True)


def harmed(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Put NaN and infinities among the numbers."""
    bad = {}
    for name, array in feeds.items():
        bad[name] = array.copy()
        if array.dtype.kind == "f":
            for k, number in enumerate((np.nan, np.inf, -np.inf)):
                bad[name].reshape(-1)[k::5] = number
    return bad


BOUND = {op for domain, op in KERNELS if KERNELS[domain, op].bind}
CHOSEN = {s.op: s for s in SAMPLES} | {str(s): s for s in SAMPLES if s.op in BOUND}


@pytest.mark.parametrize("dtype", [np.float64, np.float16], ids=["double", "half"])
@pytest.mark.parametrize("sample", CHOSEN.values(), ids=str)
def test_every_run_of_every_operator_gives_the_same_bits(sample: Sample, dtype: Any) -> None:
    try:
        graph = graph_of(sample, dtype=dtype)
        of = float_outputs(graph)
        if of and wrt_of(sample):
            graph = og.vjp(graph, of, wrt_of(sample), allow_unused=True)
    except og.OnnxgradError:
        return  # no half precision, or no gradient
    if any(is_random(n) for n in graph.nodes()):
        return
    prepared = prepare_for(graph, BACKEND.native, runs_as_it_is)
    plain, interpreter = Interpreter(prepared, Unbound()), Interpreter(prepared, Host())
    shapes = {v.name: v.type.shape for v in graph.inputs if isinstance(v.type, TensorType)}
    ones = {
        n: np.ones([d if isinstance(d, int) else 1 for d in s or ()]) for n, s in shapes.items()
    }
    feeds = feeds_of(graph, sample)
    seeds = cotangents(ones, [n for n in ones if n not in feeds], suffix="")
    feeds |= {v.name: seeds[v.name].astype(v.dtype) for v in graph.inputs if v.name in seeds}
    for given in (feeds, feeds, harmed(feeds)):
        try:
            wanted = plain.run(given)
        except og.GraphError as error:
            with pytest.raises(og.GraphError) as caught:
                interpreter.run(given)
            assert str(caught.value) == str(error)
        else:
            assert_same_bits(interpreter.run(given), wanted)


def test_an_error_is_told_alike_at_the_first_run_and_later() -> None:
    b = og.Builder("g")
    x, shape = b.input("x", "float32", ("N",)), b.input("shape", "int64", (2,))
    b.output(b.op.Neg(b.op.Reshape(b.op.Abs(x), shape, name="fold")), "y")
    compiled = og.compile(b.build())
    wrong = {"x": np.ones(5, "f4"), "shape": np.array([2, 2])}
    told = []
    for _ in range(3):
        with pytest.raises(og.GraphError) as caught:
            compiled.run(wrong)
        told.append(str(caught.value))
        compiled(x=np.ones(4, "f4"), shape=np.array([2, 2]))
    assert "while running Reshape 'fold' on (float32[5], int64[2]): cannot" in told[0]
    assert len(set(told)) == 1


def test_a_kernel_may_leave_a_run_to_others_and_give_too_many_or_too_few() -> None:
    def moody(x: Any) -> Any:
        if x < 0:
            raise KernelDoesNotApply
        return x, x + 1, x + 2

    steps = Steps(
        [
            Step(whole(moody, 1, lambda: lambda x: -x), (1,), (2,), (1,), node("a")),
            Step(whole(moody, 2, lambda: lambda x: [-x]), (2,), (0, 3), (), node("b")),
            Step(whole(moody, 5, lambda: lambda x: ()), (2,), (4, 0, 5, 0, 6), (2,), node("c")),
        ],
        given=[1],
        wanted=[3, 4, 5, 6, 7],
        constants=[None] * 7 + ["seven"],
    )
    for x, wanted in ((3, [4, 3, 5, None, "seven"]), (-3, [4, 3, 5, None, "seven"])):
        assert steps.run([x]) == wanted


def node(name: str) -> Node:
    return Node("Op", (), (Value(name, TensorType(np.dtype("f4"), ())),))
