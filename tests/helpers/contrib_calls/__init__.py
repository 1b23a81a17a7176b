"""Random calls of the operators that onnxruntime adds to ONNX's: a row draws attributes and shapes.

Stock onnxruntime says what each gives; it is compared with our bodies, and these with differences.
"""

from collections.abc import Sequence
from importlib import import_module

from .call import Call, Row, graph_of, model_of

FAMILIES = ["attention", "floats", "packed", "quantized"]

ROWS: Sequence[Row] = [
    row for family in FAMILIES for row in import_module(f"{__name__}.{family}").ROWS
]

__all__ = ["ROWS", "Call", "Row", "graph_of", "model_of"]
