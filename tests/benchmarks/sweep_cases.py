"""The single-operator cases of ONNX's own suite; it differentiates nothing."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests

Arrays = dict[str, Any]
FLOATS = ("float16", "bfloat16", "float32", "float64")


def single_operator_cases(operators: set[str] | None) -> Iterator[tuple[str, Any, Arrays]]:
    """Yield name, model and inputs of each case whose model is one node."""
    for case in load_model_tests(kind="node"):
        if case.model is None:
            continue
        model = case.model
        if len(model.graph.node) != 1 or not case.data_sets:
            continue
        if model.graph.node[0].domain == "ai.onnx.ml":  # classical models, not the standard's 201
            continue
        if operators and model.graph.node[0].op_type not in operators:
            continue
        given, _ = case.data_sets[0]
        arrays = [_array(a) for a in given]
        names = [i.name for i in model.graph.input]
        yield case.name, model, dict(zip(names, arrays, strict=False))


def is_float(array: Any) -> bool:
    """Tell whether a fed value is a float tensor."""
    return isinstance(array, np.ndarray) and array.dtype.name in FLOATS


def is_narrow(feeds: Arrays) -> bool:
    """Tell whether a case has half-precision inputs."""
    return any(is_float(a) and a.dtype.itemsize == 2 for a in feeds.values())


def widened(feeds: Arrays) -> Arrays:
    """Give the feeds with float tensors in float64."""
    return {k: a.astype(np.float64) if is_float(a) else a for k, a in feeds.items()}


def with_constants(model: Any, arrays: Arrays) -> Any:
    """Give the model with some inputs as initializers (those that are tensors)."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    fixed = {k: np.asarray(a) for k, a in arrays.items() if isinstance(a, np.ndarray)}
    kept = [i for i in changed.graph.input if i.name not in fixed]
    del changed.graph.input[:]
    changed.graph.input.extend(kept)
    changed.graph.initializer.extend(onnx.numpy_helper.from_array(a, k) for k, a in fixed.items())
    return changed


def with_shapes(model: Any, feeds: Arrays) -> Any:
    """Give the model with the shapes of what is fed declared."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.ir_version = max(changed.ir_version, 4)  # before, initializers had to be inputs
    for value in changed.graph.input:
        fed = feeds.get(value.name)
        if isinstance(fed, np.ndarray) and value.type.HasField("tensor_type"):
            kind = value.type.tensor_type.elem_type
            value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, fed.shape))
    return changed


def is_float_output(info: Any) -> bool:
    return info.type.tensor_type.elem_type in {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
    }


def slot_of(names: Any, name: str) -> str:
    return str(list(names).index(name))


def _array(given: Any) -> Any:
    """Give scalars and the tensors of small dtypes as arrays, sequences and None as they are."""
    if isinstance(given, onnx.TensorProto):
        return onnx.numpy_helper.to_array(given)
    return np.asarray(given) if isinstance(given, np.generic) else given
