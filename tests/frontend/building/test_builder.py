"""What the builder takes, and what it refuses when it is asked, not when the graph runs."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import onnxgrad as og

Case = Callable[[og.Builder, og.Tensor, og.Tensor], Any]
"""Does something with a builder, x: float32[N, 3] and k: int64[N]."""

OTHER = og.Builder("other")
ELSEWHERE = OTHER.input("elsewhere", "float32", (1,))
OTHER.output(ELSEWHERE * 2, "y")


def step(b: og.Builder, x: og.Tensor, give: Callable[..., Any]) -> Any:
    return b.op.Loop(2, None, x, body=b.subgraph(give, ("int64", ()), ("bool", ()), x))


def branches(b: og.Builder, then: Callable[[], Any], other: Callable[[], Any]) -> Any:
    return b.op.If(True, then_branch=b.subgraph(then), else_branch=b.subgraph(other))


def one_branch_twice(b: og.Builder, x: og.Tensor) -> Any:
    branch = b.subgraph(lambda: x * 2)
    return b.op.If(True, then_branch=branch, else_branch=branch)


REFUSED: list[tuple[Case, str]] = [
    (lambda b, x, k: b.input("", "float32", ()), "a name is a text"),
    (lambda b, x, k: b.input("a", None, ()), "a dtype is missing"),
    (lambda b, x, k: b.input("a", "float32", "NM"), "'NM' is not a shape"),
    (lambda b, x, k: b.input("a", "float32", 5), "5 is not a shape"),  # type: ignore[arg-type]
    (lambda b, x, k: b.input("a", "float32", (2**63,)), "is not a dimension"),
    (lambda b, x, k: b.input("a", "float32", ("unk__1",)), "is not a dimension"),
    (lambda b, x, k: b.parameter("w", None), "None cannot be a tensor"),
    (lambda b, x, k: b.parameter("w", x), "cannot be a tensor"),
    (lambda b, x, k: b.parameter("w", [[1], [2, 3]]), "inhomogeneous"),
    (lambda b, x, k: b.parameter("w", np.zeros(2, "M8[s]")), "no tensor type for the dtype"),
    (lambda b, x, k: b.constant(1.5, dtype="int64"), "1.5 cannot be a tensor of int64"),
    (lambda b, x, k: b.constant(300, dtype="uint8"), "300 cannot be a tensor of uint8"),
    (lambda b, x, k: b.constant(2**70), "too large"),
    (lambda b, x, k: b.constant("a", dtype="float32"), "it is string"),
    (lambda b, x, k: b.output(None), "an output is a Tensor"),  # type: ignore[arg-type]
    (lambda b, x, k: b.output(np.ones(2), "y"), "an output is a Tensor"),  # type: ignore[arg-type]
    (lambda b, x, k: b.op.Relu(ELSEWHERE), "another builder"),
    (lambda b, x, k: b.op.Relu(ELSEWHERE.value), "or elsewhere"),
    (lambda b, x, k: k + 1.5, "1.5 cannot be a tensor of int64"),
    (lambda b, x, k: x + "a", "it is string"),
    (lambda b, x, k: x + 1j, "it is complex128"),
    (lambda b, x, k: 2.5**k, "2.5 cannot be a tensor of int64"),
    (lambda b, x, k: x[True], "cannot be indexed by True"),
    (lambda b, x, k: x[1.5:], "not integers"),
    (lambda b, x, k: x[k:], "not integers"),
    (lambda b, x, k: x[..., ...], "two …"),
    (lambda b, x, k: x[:, 3], "size 3 on axis 1: no index 3"),
    (lambda b, x, k: b.op.Softmax(x, axis=1.5), "'axis' must be an integer, got 1.5"),
    (lambda b, x, k: b.op.Dropout(x, seed=2**63), "'seed' is too large for a file, 9223"),
    (lambda b, x, k: b.op.Constant(value_ints=[0, -(2**70)]), "'value_ints' is too large"),
    (lambda b, x, k: b.op.Elu(x, alpha=10**400), "'alpha' is too large for a file"),
    (lambda b, x, k: b.op.TensorScatter(x, x), "axis=-2 is the first one, which counts"),
    (lambda b, x, k: b.op.TensorScatter(x, x, axis=2), "axis must lie from -2 to 1"),
    (lambda b, x, k: b.op.TensorScatter(x[0, 0], x[0, 0]), "axis=-2 is none of what has rank 0"),
    (lambda b, x, k: b.op.RotaryEmbedding(*[x[0, 0]] * 3), "x must have rank 3 or 4, not 0"),
    (lambda b, x, k: b.op.Softmax(x, axis=5), r"axis must lie from -2 to 1"),
    (lambda b, x, k: b.op.Einsum(x, equation=5), "'equation' must be a text"),
    (lambda b, x, k: b.op.Cast(x, to=0), r"Cast: the attribute 'to' must be .*, got 0"),
    (lambda b, x, k: b.op.Expand(x, [-1, 3]), r"\[-1, 3\] has a negative size"),
    (lambda b, x, k: b.op.If(True, then_branch=1, else_branch=2), "must be a graph"),
    (lambda b, x, k: b.op.Split(x, num_outputs=0), "'num_outputs' must be 1 or more, got 0"),
    (lambda b, x, k: b.op.Split(x), "Split needs sizes, .* or a number, num_outputs=2"),
    (lambda b, x, k: b.op.Split(x, b.input("n", "int64", ("K",))), "Split by 'n'.* outputs=…"),
    (lambda b, x, k: b.op.TopK(x, [2], outputs=1), "TopK has 2 outputs, asked for 1"),
    (lambda b, x, k: b.op.TopK(x, [2], outputs=3), "TopK has 2 outputs, asked for 3"),
    (lambda b, x, k: b.op.TopK(x, [2], outputs=2.0), "TopK: outputs= is a number or a list"),
    (lambda b, x, k: b.op.TopK(x, [2], outputs="ab"), "outputs= is a number or a list of names"),
    (lambda b, x, k: b.op.TopK(x, [2], outputs=[1, 2]), "outputs= is a number or a list of names"),
    (lambda b, x, k: b.op.TopK(x, [2], outputs=["", "i"]), "cannot omit its output 'Values'"),
    (lambda b, x, k: b.op.TopK(x, [2], outputs=["i", "i"]), "the name 'i' is used twice"),
    (lambda b, x, k: b.op.Concat([x, x]), r"Concat got a list with tensors .* op.Concat\(a, b\)"),
    (lambda b, x, k: b.op.Reshape(x, [3, k]), "Reshape got a list with tensors"),
    (lambda b, x, k: b.op.Add(x, None), r"Add cannot omit its input 'B', got None: Add\(A, B\)"),
    (lambda b, x, k: b.op.Add(None, x), "Add cannot omit its input 'A'"),
    (lambda b, x, k: b.op.Max(x, None), "Max cannot omit its input 'data_0'"),
    (lambda b, x, k: x + None, "Add cannot omit its input 'B'"),
    (lambda b, x, k: x == None, "Equal cannot omit its input 'B'"),  # noqa: E711  # the mistake
    (lambda b, x, k: k * np.float64(2.5), "the input 'B' of Mul: .*2.5.* cannot be"),
    (lambda b, x, k: b.op.Relu(x, name=3), "Relu: name= is a text, not 3"),
    (lambda b, x, k: b.op.Relu(x, name="\udc80"), r"a name is a text .*, got '\\udc80'"),
    (lambda b, x, k: b.input("\udc80", "float32", ()), "a name is a text"),
    (lambda b, x, k: b.input("a", "float32", ("\udc80",)), "input 'a': .* is not a dimension"),
    (lambda b, x, k: b.input("a", (2,), "float32"), r"input 'a': \(2,\) is not a dtype"),
    (lambda b, x, k: b.input("a", "float", "f32"), "'f32' is not a shape"),
    (lambda b, x, k: b.parameter(np.ones(2), "w"), "a name is a text"),  # type: ignore[arg-type]
    (lambda b, x, k: b.constant(1.0, name=3), "the name of a constant must be a text"),  # type: ignore[arg-type]
    (lambda b, x, k: b.value(x), "a value goes by its name, a text"),  # type: ignore[arg-type]
    (lambda b, x, k: b.value(["x"]), "a value goes by its name, a text"),  # type: ignore[arg-type]
    (lambda b, x, k: og.Builder(None), "the name of a graph is a text"),  # type: ignore[arg-type]
    (lambda b, x, k: b.subgraph(None), "the function of the subgraph must be a function, not None"),  # type: ignore[arg-type]
    (lambda b, x, k: b.subgraph(lambda v: v), r"takes \(v\), but is called with 0 values"),
    (lambda b, x, k: b.subgraph(lambda v: v, ("f8",)), "is a tensor or"),  # type: ignore[arg-type]
    (lambda b, x, k: b.subgraph(lambda v: v, 5), "is a tensor or"),  # type: ignore[arg-type]
    (lambda b, x, k: b.subgraph(lambda: None), "returns tensors, not None"),
    (lambda b, x, k: one_branch_twice(b, x), "in use already"),
    (lambda b, x, k: branches(b, lambda: x, lambda: k), "cannot be both float32.* and int64"),
    (lambda b, x, k: branches(b, lambda: x, lambda: (x, x)), "1 output, else_branch 2"),
    (lambda b, x, k: branches(b, lambda: (), lambda: ()), r"returns tensors, not \(\)"),
    (
        lambda b, x, k: b.op.If(True, then_branch=OTHER.build(), else_branch=OTHER.build()),
        "not by b.subgraph of this builder",
    ),
    (lambda b, x, k: step(b, x, lambda i, c, s: c), "gives 1 output; it must take 3 .* 2"),
    (lambda b, x, k: step(b, x, lambda i, c, s: (s, s)), "the bool that says whether to go on"),
    (
        lambda b, x, k: b.op.Scan(x, body=b.subgraph(lambda s: s, x), num_scan_inputs=5),
        "Scan has 1 input, of which num_scan_inputs=5",
    ),
    (
        lambda b, x, k: b.op.Scan(
            x, body=b.subgraph(lambda s: s, x[0]), num_scan_inputs=1, scan_input_axes=[4]
        ),
        "'x' has no axis 4",
    ),
    (
        lambda b, x, k: b.op.Scan(
            x, body=b.subgraph(lambda s: s, x[0]), num_scan_inputs=1, scan_input_axes=[0, 1]
        ),
        "scan_input_axes must have 1 entries",
    ),
]


@pytest.mark.parametrize(("case", "message"), REFUSED)
def test_refused(case: Case, message: str) -> None:
    b = og.Builder()
    x, k = b.input("x", "float32", ("N", 3)), b.input("k", "int64", ("N",))
    with pytest.raises(og.GraphError, match=message):
        case(b, x, k)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("ReLU", "Relu"), ("matmul", "MatMul"), ("leaky_relu", "LeakyRelu"), ("conv2d", "Conv")],
)
def test_operators_by_other_names(name: str, wanted: str) -> None:
    b = og.Builder()
    with pytest.raises(og.UnsupportedOpError, match=rf"no operator '{name}' .* mean {wanted}"):
        getattr(b.op, name)(b.input("x", "float32", (2,)))


def test_a_tensor_is_not_iterated() -> None:
    x = og.Builder().input("x", "float32", ("N", 3))
    with pytest.raises(og.GraphError, match=r"one tensor.*outputs=2"):
        list(x)
    with pytest.raises(og.GraphError, match="one tensor"):
        1 in x  # type: ignore[operator]  # noqa: B015  # the side effect is meant


@pytest.mark.parametrize("ask", [float, int, bool, np.asarray, np.float32])
def test_a_tensor_has_no_value_yet(ask: Callable[[Any], Any]) -> None:
    x = og.Builder().input("x", "float32", ())
    with pytest.raises(og.GraphError, match="'x' has no value yet"):
        ask(x)


def test_numbers_of_outputs_that_the_call_tells() -> None:
    b = og.Builder()
    x, sizes = b.input("x", "float32", (2, 4)), b.input("sizes", "int64", (3,))
    ones = np.ones(4, np.float32)
    assert [v.shape for v in b.op.Split(x, [1, 3], axis=1)] == [(2, 1), (2, 3)]
    assert len(b.op.Split(x, sizes, axis=1)) == 3
    assert len(b.op.Split(x, num_outputs=2, axis=1)) == 2
    normal, mean, _ = b.op.BatchNormalization(x, *[ones] * 4, training_mode=1)
    assert normal.shape == (2, 4) and mean.shape == (4,)
    assert isinstance(b.op.BatchNormalization(x, *[ones] * 4), og.Tensor)


@pytest.mark.parametrize("number", [np.sqrt(64), np.float32(8), np.int64(8), np.uint8(8)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_numpys_numbers_are_numbers(number: Any, dtype: str) -> None:
    """They take the tensor's dtype, as Python's do."""
    b = og.Builder()
    x = b.input("x", dtype, (2,))
    for name, tensor in {"right": x / number, "left": number / x, "less": x < number}.items():
        b.output(tensor, name)
    given = np.array([2, 16], dtype)
    found = og.compile(b.build())(x=given)
    assert found["right"].dtype == found["left"].dtype == dtype
    np.testing.assert_array_equal(found["right"], np.array([0.25, 2]).astype(dtype))
    np.testing.assert_array_equal(found["left"], np.array([4, 0.5]).astype(dtype))
    np.testing.assert_array_equal(found["less"], [True, False])


def test_pythons_operators_are_numpys() -> None:
    b = og.Builder()
    x, y = b.input("x", "float32", (3,)), b.input("y", "float32", (3,))
    results = {"eq": x == y, "ne": x != 2, "pow": 2**x, "half": 0.5**x}
    for name, tensor in results.items():
        b.output(tensor, name)
    given = np.array([1, 2, 3], np.float32), np.array([1, 0, 3], np.float32)
    found = og.compile(b.build())(x=given[0], y=given[1])
    wanted = {"eq": given[0] == given[1], "ne": given[0] != 2, "pow": 2 ** given[0]}
    for name, array in {**wanted, "half": np.float32(0.5) ** given[0]}.items():
        np.testing.assert_allclose(found[name], array)
        assert found[name].dtype == array.dtype
    assert {x: 1}[x] == 1


def test_other_byte_orders_and_lists_become_tensors() -> None:
    b = og.Builder()
    b.output(b.parameter("w", np.array([1, 2], ">f4")) + b.constant([3, 4.5]), "y")
    np.testing.assert_array_equal(og.compile(b.build())()["y"], np.array([4, 6.5], np.float32))


def test_a_sparse_constant_is_given_as_an_array() -> None:
    helper = onnx.helper
    values = helper.make_tensor("v", onnx.TensorProto.FLOAT, [1], [2.0])
    places = helper.make_tensor("i", onnx.TensorProto.INT64, [1], [1])
    op = og.Builder("sparse").op
    with pytest.raises(og.GraphError, match="'sparse_value' must be an array, zeros and all"):
        op.Constant(sparse_value=helper.make_sparse_tensor(values, places, [3]))
    with pytest.raises(og.GraphError, match="'value' must be an array, got a TensorProto"):
        op.Constant(value=values)


def test_operators_beside_onnx_have_types_in_a_fresh_process() -> None:
    code = """
import onnxgrad as og
b = og.Builder()
x = b.input("x", "float32", ("N", 3))
print(b.op.QuickGelu(x, domain="com.microsoft").shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "('N', 3)"
