"""Which element types the standard lets an operator take."""

from collections.abc import Sequence
from functools import cache

import onnx

from .evaluation import dtype_of

NEWEST: int = onnx.defs.onnx_opset_version()


def takes(op: str, dtypes: Sequence[str | None], opset: int = NEWEST) -> bool:
    """Tell whether an operator of an opset takes inputs of these element types."""
    if not onnx.defs.has(op, opset, ""):
        return False
    allowed = _allowed(op, opset)
    last = len(allowed) - 1
    return all(
        name is None or _written(name) in allowed[min(k, last)] for k, name in enumerate(dtypes)
    )


@cache
def _allowed(op: str, opset: int) -> list[frozenset[str]]:
    """Give the element types of each input, whatever holds them."""
    schema = onnx.defs.get_schema(op, opset)
    constraints = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    found = []
    for given in schema.inputs:
        texts = constraints.get(given.type_str, [given.type_str])
        found.append(frozenset(t.split("(")[-1].rstrip(")") for t in texts))
    return found


@cache
def _written(name: str) -> str:
    element = onnx.helper.np_dtype_to_tensor_dtype(dtype_of(name))
    return str(onnx.TensorProto.DataType.Name(element)).lower()
