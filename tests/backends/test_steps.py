"""The first run goes step by step, later ones through one function: the same bits and errors."""

from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.sample import Sample
from prepared_samples import assert_same_bits, outcome, prepared

import onnxgrad as og
from onnxgrad.backends.interpreter import Interpreter
from onnxgrad.backends.kernels.registry import KERNELS, KernelDoesNotApply
from onnxgrad.backends.numpy import Host
from onnxgrad.backends.steps import Step, Steps, whole
from onnxgrad.compiler.graph.ir import Node, Value
from onnxgrad.compiler.graph.types import TensorType


class Unbound(Host):
    """A host that calls every kernel with all that it was registered with."""

    binds = False


BOUND = {op for domain, op in KERNELS if KERNELS[domain, op].bind}
CHOSEN = {s.op: s for s in SAMPLES} | {str(s): s for s in SAMPLES if s.op in BOUND}


@pytest.mark.parametrize("dtype", [np.float64, np.float16], ids=["double", "half"])
@pytest.mark.parametrize("sample", CHOSEN.values(), ids=str)
def test_every_run_of_every_operator_gives_the_same_bits(sample: Sample, dtype: Any) -> None:
    found = prepared(sample, dtype)
    if found is None:
        return
    graph, (feeds, bad) = found
    plain, interpreter = Interpreter(graph, Unbound()), Interpreter(graph, Host())
    for given in (feeds, feeds, bad):
        assert_same_bits(outcome(interpreter.run, given), outcome(plain.run, given))


def test_an_error_is_told_alike_at_the_first_run_and_later() -> None:
    b = og.Builder("g")
    x, shape = b.input("x", "float32", ("N",)), b.input("shape", "int64", (2,))
    b.output(b.op.Neg(b.op.Expand(b.op.Abs(x), shape, name="stretch")), "y")
    compiled = og.compile(b.build())
    wrong = {"x": np.ones(5, "f4"), "shape": np.array([2, 2])}
    told = []
    for _ in range(3):
        with pytest.raises(og.GraphError) as caught:
            compiled.run(wrong)
        told.append(str(caught.value))
        compiled(x=np.ones(2, "f4"), shape=np.array([2, 2]))
    assert "while running Expand 'stretch' on (float32[5], int64[2]): operands" in told[0]
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
