"""What runtimes say of a failure is passed on without the places in their source."""

import re

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.failures import words_of

SOURCE = r"\.(cc|h|cpp|hpp)\b|::|_src|\n"


def _require(backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")


@pytest.mark.parametrize("operator", ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
@pytest.mark.parametrize("backend", ["numpy", "onnxruntime", "openvino"])
def test_a_label_that_is_no_class(operator: str, backend: str) -> None:
    _require(backend)
    b = og.Builder()
    x, label = b.input("x", "float32", ("N", 3)), b.input("label", "int64", ("N",))
    b.output(getattr(b.op, operator)(x, label), "loss")
    executable = og.compile(og.grad(b.build(), "loss", "x"), backend)
    feeds = {"x": np.ones((2, 3), np.float32), "label": np.array([0, 7])}
    said = "out of bounds|Out of range|exceed data size"
    with pytest.raises(og.GraphError, match=said) as refused:
        executable.run(feeds)
    assert not re.search(SOURCE, str(refused.value))


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_shape_that_does_not_fit(backend: str) -> None:
    _require(backend)
    b = og.Builder()
    x, sizes = b.input("x", "float32", ("N", 3)), b.input("sizes", "int64", (2,))
    b.output(b.op.Reshape(x, sizes, name="fold"), "y")
    feeds = {"x": np.ones((2, 3), np.float32), "sizes": np.array([9, 2])}
    with pytest.raises(og.GraphError, match="eshape") as refused:
        og.compile(b.build(), backend).run(feeds)
    assert not re.search(SOURCE, str(refused.value))


@pytest.mark.parametrize("name", ["", "gate"])
def test_onnxruntime_names_the_node_that_fails(name: str) -> None:
    """It does not tell nodes without a name apart, nor those that a body is made of."""
    b = og.Builder()
    x, w = b.input("x", "float32", ("N", 3)), b.input("w", "float32", ("M", 3))
    b.output(b.op.Relu(b.op.Mul(x, w, **({"name": name} if name else {})), name="end"), "y")
    run = og.compile(b.build(), "onnxruntime").run
    with pytest.raises(og.GraphError, match=f"while running Mul '{name or 'Mul'}'"):
        run({"x": np.ones((2, 3), np.float32), "w": np.ones((4, 3), np.float32)})


TEXTS = {
    "/src/kernel.cc:12 void ns::run(const A*, int) [with T = long int; int = B] far": "far",
    "/src/kernel.h:9 ns::A<T>::A(const ns::A&, bool) a == b was false. Got (1) of f(2)": (
        "a == b was false. Got (1) of f(2)"
    ),
    "x.cc:1 void ns::B<T>::operator()(C, std::function<void(int)>) const [with T = D] no": "no",
    "x.cc:1 ns::f(int)::<lambda(int*)> [with T = E] no (at all)": "no (at all)",
    "x.cc:1 ns::f(int)::<lambda(int*)> no": "no",
    "Exception from src/core.cpp:134:\nCheck 'n == 1' failed at src/infer.cpp:8:\nno": (
        "Check 'n == 1' failed: no"
    ),
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Mod node. "
    "Name:'m' Status Message: no": "FAIL: while running Mod 'm': no",
    "a.header, see (b) at c.cpp of d(e)": "a.header, see (b) at c.cpp of d(e)",
}


@pytest.mark.parametrize("text", TEXTS, ids=lambda t: t[:40])
def test_places_and_functions_are_left_out(text: str) -> None:
    assert words_of(text) == TEXTS[text]
