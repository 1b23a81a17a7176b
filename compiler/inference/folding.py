"""Note on a node's output what it holds, where the inputs are known and the result is exact."""

import numpy as np

from ..graph.ir import Node
from ..graph.types import TensorType, is_static
from ..standard.schemas import attribute_defaults
from .exact_moves import MOVES
from .exact_numbers import NUMBERS, Inexact

EXACT = NUMBERS | MOVES
"""The operators that are folded; tests compare each with onnxruntime and with our kernels."""

LIMIT = 1024
"""Most elements of any input or output of a node that is folded while a graph is built."""

_NO_RESULT = (Inexact, IndexError, MemoryError, OverflowError, TypeError, ValueError)
"""What a call raises that is the runtime's to answer, or that no runtime can."""


def fold(node: Node) -> bool:
    """Note the value of a node's output where all inputs are known; tell whether it did.

    Parameters are not folded: their values change when they are trained. Nor is anything on which
    runtimes might differ: folded, one of them would speak for all.
    """
    function = EXACT.get(node.op_type) if not node.domain else None
    inputs = [v for v in node.inputs if v is not None]
    if function is None or any(
        v.constant is None or v.parameter or v.constant.size > LIMIT for v in inputs
    ):
        return False
    if not all(_is_small(v.type) for v in node.writes()):
        return False
    arrays = [None if v is None else v.constant for v in node.inputs]
    attributes = attribute_defaults(node.op_type) | node.attributes
    try:
        with np.errstate(all="ignore"):
            found = function(*arrays, **attributes)
    except _NO_RESULT:  # what cannot run is refused when it runs
        return False
    results = found if isinstance(found, tuple) else (found,)
    for value, result in zip(node.outputs, results, strict=False):
        if value is not None:
            value.constant = np.array(result, value.dtype)
            value.type = TensorType(value.dtype, value.constant.shape)
    return True


def _is_small(type_: object) -> bool:
    if not isinstance(type_, TensorType) or not is_static(type_.shape):
        return False
    return int(np.prod([int(d) for d in type_.shape or ()])) <= LIMIT
