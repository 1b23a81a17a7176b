"""Recurrent kernels against onnxruntime, which covers directions, lengths and peepholes."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

import onnxgrad.backends.kernels  # noqa: F401 (registers the kernels)
from onnxgrad.backends.kernels.registry import KERNELS

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
INPUTS = ["x", "w", "r", "b", "lengths", "h", "c", "p"]


def run_onnxruntime(op_type: str, inputs: list[Any], attributes: dict[str, Any]) -> list[Any]:
    named = [(n, a) for n, a in zip(INPUTS, inputs, strict=False) if a is not None]
    outputs = ["y", "y_h", "y_c"][: 3 if op_type == "LSTM" else 2]
    names = [n if a is not None else "" for n, a in zip(INPUTS, inputs, strict=False)]
    node = helper.make_node(op_type, names, outputs, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info(
                n, TensorProto.INT32 if a.dtype == np.int32 else TensorProto.FLOAT, a.shape
            )
            for n, a in named
        ],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 10
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(named)))


@pytest.mark.parametrize("with_options", [False, True])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op_type", ["RNN", "GRU", "LSTM"])
def test_recurrent(op_type: str, direction: str, with_options: bool) -> None:
    rng = np.random.default_rng(len(direction))
    steps, batch, inputs, hidden = 5, 3, 4, 6
    count, gates = 2 if direction == "bidirectional" else 1, GATES[op_type]

    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(np.float32)

    x = draw(steps, batch, inputs)
    w, r = draw(count, gates * hidden, inputs), draw(count, gates * hidden, hidden)
    arrays: list[Any] = [x, w, r]
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    if with_options:
        lengths = np.array([5, 2, 4], dtype=np.int32)
        arrays += [draw(count, 2 * gates * hidden), lengths, draw(count, batch, hidden)]
        if op_type == "LSTM":
            arrays += [draw(count, batch, hidden), draw(count, 3 * hidden)]
        if op_type == "GRU":
            attributes["linear_before_reset"] = 1
    expected = run_onnxruntime(op_type, arrays, attributes)
    results = KERNELS["", op_type].function(np, *arrays, **attributes)
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-4, atol=1e-5)
