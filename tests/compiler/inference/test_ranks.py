"""Outputs have a rank where types tell it, though their sizes are known at run time only."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import onnxgrad as og

X = np.arange(24, dtype=np.float32).reshape(2, 1, 3, 4)

AXES, ONE, NONE = np.array([1, 3]), np.array([1]), np.zeros(0, np.int64)

CALLS: list[tuple[str, list[Any], dict[str, Any]]] = [
    *(
        (op, [X, axes], {"keepdims": keepdims})
        for op in ("ReduceSum", "ReduceMax", "ReduceLogSumExp")
        for axes in (AXES, NONE)
        for keepdims in (0, 1)
    ),
    ("ReduceSum", [X, NONE], {"keepdims": 0, "noop_with_empty_axes": 1}),
    ("Squeeze", [X, ONE], {}),
    ("Unsqueeze", [X, AXES], {}),
    ("Pad", [X, np.array([1, 0, 2, 1]), None, AXES], {}),
    ("Pad", [X, np.array([1, 0, 2, 1]), None, AXES.astype(np.int32)], {}),
    ("Split", [X, np.array([1, 2])], {"axis": 2, "outputs": 2}),
    ("CenterCropPad", [X, np.array([2, 6])], {"axes": [0, 3]}),
    ("HannWindow", [np.array(4)], {}),
    ("STFT", [X.reshape(1, 24, 1), np.array(4), np.hanning(6).astype(np.float32)], {}),
]


@pytest.mark.parametrize(("op_type", "arrays", "attributes"), CALLS)
def test_rank_is_known_at_run_time_axes(
    op_type: str, arrays: list[Any], attributes: dict[str, Any]
) -> None:
    b = og.Builder("ranks")
    given = {f"x{k}": a for k, a in enumerate(arrays) if a is not None}
    inputs = [
        None if a is None else b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(arrays)
    ]
    results = getattr(b.op, op_type)(*inputs, **attributes)
    for k, y in enumerate(results if isinstance(results, tuple) else [results]):
        b.output(y, f"y{k}")
    graph = b.build()
    written = og.to_onnx(graph)
    onnx.checker.check_model(written, full_check=True)
    expected: Any = ReferenceEvaluator(written).run(None, given)
    assert [len(v.shape or ()) for v in graph.outputs] == [y.ndim for y in expected]
    if X is arrays[0]:
        gradient = og.vjp(graph, [v.name for v in graph.outputs], "x0")
        onnx.checker.check_model(og.to_onnx(gradient), full_check=True)
