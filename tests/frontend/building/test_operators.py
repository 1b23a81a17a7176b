"""Operators by name: inputs by the standard's names, documentation, what editors ask for."""

import inspect
from typing import Any

import numpy as np
import onnx.defs
import pytest

import onnxgrad as og

X = np.array([[-3.0, 1.5], [2.5, -0.5]], np.float32)


def result(use: Any, *arrays: Any) -> Any:
    b = og.Builder()
    names = "xyz"[: len(arrays)]
    inputs = [b.input(n, a.dtype, a.shape) for n, a in zip(names, arrays, strict=True)]
    b.output(use(b.op, *inputs), "result")
    feeds = dict(zip(names, arrays, strict=True))
    found = [og.compile(b.build(), backend).run(feeds) for backend in ("numpy", "onnxruntime")]
    np.testing.assert_array_equal(found[0]["result"], found[1]["result"])
    return found[0]["result"]


def test_inputs_go_by_name() -> None:
    np.testing.assert_array_equal(result(lambda op, x: op.Clip(x, min=0.0), X), X.clip(0))
    np.testing.assert_array_equal(result(lambda op, x: op.Clip(x, max=1.0), X), X.clip(None, 1))
    np.testing.assert_array_equal(
        result(lambda op, x: op.ReduceSum(x, axes=[1], keepdims=0), X), X.sum(axis=1)
    )
    doubled = result(lambda op, x: op.Resize(x, scales=np.array([1, 2], np.float32)), X)
    np.testing.assert_array_equal(doubled, X.repeat(2, axis=1))
    np.testing.assert_array_equal(result(lambda op, x: op.Gemm(B=x, A=x), X), X @ X)
    np.testing.assert_array_equal(result(lambda op, x: op.Squeeze(x[:1], axes=[0]), X), X[0])
    np.testing.assert_array_equal(result(lambda op, x: op.Clip(x, min=None, max=1.0), X),
                                  X.clip(None, 1))  # fmt: skip
    limit = np.array(0.5, np.float32)
    np.testing.assert_array_equal(result(lambda op, x, y: op.Clip(x, max=y), X, limit),
                                  X.clip(None, 0.5))  # fmt: skip


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda op, x: op.Clip(x, 0.0, min=0.0), "Clip is given 'min' twice: Clip"),
        (lambda op, x: op.Clip(x, input=x), "Clip is given 'input' twice"),
        (lambda op, x: op.Clip(x, low=0.0), "Clip has no attribute 'low'"),
        (lambda op, x: op.Gemm(B=x), "Gemm cannot omit its input 'A'"),
        (lambda op, x: op.Concat(inputs=[x], axis=0), "Concat takes 1 or more inputs, got 0"),
        (lambda op, x: op.ReduceSum(x, axes=[x]), "list with tensors in it"),
    ],
)
def test_wrong_names(use: Any, message: str) -> None:
    b = og.Builder()
    with pytest.raises(og.GraphError, match=message):
        use(b.op, b.input("x", "float32", (2, 2)))


def test_no_input_is_called_as_an_attribute_is() -> None:
    """Else a keyword could mean both."""
    for name in dir(og.Builder().op):
        schema: Any = onnx.defs.get_schema(name)
        assert not {p.name for p in schema.inputs} & {
            *schema.attributes,
            "outputs",
            "name",
            "domain",
        }


def test_editors_are_answered() -> None:
    op = og.Builder().op
    assert "Conv" in dir(op) and "Upsample" not in dir(op)
    conv = inspect.signature(op.Conv)
    assert list(conv.parameters)[:4] == ["X", "W", "B", "auto_pad"]
    assert conv.parameters["group"].default == 1 and conv.parameters["B"].default is None
    assert conv.parameters["W"].default is inspect.Parameter.empty
    assert op.Conv.__name__ == "Conv" and "convolution" in op.Conv.__doc__
    assert "strides: " in op.Conv.__doc__
    for name in dir(op):
        inspect.signature(getattr(op, name))
        assert getattr(op, name).__doc__.startswith(f"{name}(")
    assert repr(op.Relu) == "op.Relu(X)" and "unknown" in repr(op.Rleu)


def test_numpy_scalars_are_weak() -> None:
    """They take the dtype of the tensor beside them, as Python's numbers do."""
    b = og.Builder()
    x, h = b.input("x", "float32", (2,)), b.input("h", "float16", (2,))
    for tensor in (x, h):
        for made in (tensor * np.float64(2), np.float64(2) * tensor, tensor + np.int64(1)):
            assert made.dtype == tensor.dtype


def test_outputs_are_counted_by_the_call() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (4, 6))
    four = [b.constant(np.ones(6, np.float32)) for _ in range(4)]
    assert len(b.op.Split(x, num_outputs=3, axis=1)) == 3
    assert len(b.op.Split(x, split=[1, 5], axis=1)) == 2
    assert len(b.op.TopK(x, K=[2])) == 2
    assert len(b.op.BatchNormalization(x, *four, training_mode=1)) == 3
    assert isinstance(b.op.BatchNormalization(x, *four), og.Tensor)
    assert isinstance(b.op.Dropout(x), og.Tensor)
    assert len(b.op.Dropout(x, training_mode=True, outputs=2)) == 2
