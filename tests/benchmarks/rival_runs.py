"""Runs what another tool wrote, on onnx.reference and on onnxruntime; it differentiates nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from onnx.reference import ReferenceEvaluator
from sweep_cases import Arrays, is_float
from sweep_oracle import session_options

Run = Callable[[Any, list[str], Arrays], list[np.ndarray]]


def by_reference(model: Any, names: list[str], feeds: Arrays) -> list[np.ndarray]:
    """Give the named outputs by onnx.reference."""
    results: Any = ReferenceEvaluator(model).run(names, feeds)
    return list(results)


def by_onnxruntime(model: Any, names: list[str], feeds: Arrays) -> list[np.ndarray]:
    """Give the named outputs by onnxruntime."""
    session: Any = onnxruntime.InferenceSession(model.SerializeToString(), session_options())
    values: list[np.ndarray] = session.run(names, feeds)
    return values


RUNS: tuple[Run, ...] = (by_reference, by_onnxruntime)


def in_float32(model: Any, feeds: Arrays) -> tuple[Any, Arrays]:
    """Give model and feeds with float32 for half and double precision."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    floats = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
    for value in [*graph.input, *graph.output]:
        if value.type.tensor_type.elem_type in floats:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for tensor in graph.initializer:
        if tensor.data_type in floats:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    return changed, {k: a.astype(np.float32) if is_float(a) else a for k, a in feeds.items()}


def inlined(model: Any) -> Any:
    """Give the model with the bodies that the standard has for its operators."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.graph.value_info.extend(  # the inliner asks for the types of initializers
        onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims)
        for t in model.graph.initializer
    )
    return onnx.inliner.inline_selected_functions(
        changed, [], exclude=True, inline_schema_functions=True
    )
