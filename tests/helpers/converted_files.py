"""Files as people have them: what onnxruntime's optimizer, its quantizers and converters write."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16

Arrays = Mapping[str, np.ndarray]
Levels = onnxruntime.GraphOptimizationLevel

Write = Callable[[Path, Path, Arrays], None]
"""`write(source, target, feeds)` makes a file from another; feeds are an example of its inputs."""


def session(path: Path, level: Any = Levels.ORT_DISABLE_ALL, save: Path | None = None) -> Any:
    """Open a file in stock onnxruntime; `save` writes what its optimizer made of it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    if save is not None:
        options.optimized_model_filepath = str(save)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def optimized(source: Path, target: Path, feeds: Arrays) -> None:
    """What onnxruntime itself saves at its extended level."""
    session(source, Levels.ORT_ENABLE_EXTENDED, target)


def dynamic(source: Path, target: Path, feeds: Arrays) -> None:
    """Weights of 8 bits, activations rounded as they come."""
    quantize_dynamic(source, target)


def static_qdq(source: Path, target: Path, feeds: Arrays) -> None:
    """QuantizeLinear and DequantizeLinear around float operators."""
    quantize_static(source, target, _Reader(feeds), quant_format=QuantFormat.QDQ)


def static_operators(source: Path, target: Path, feeds: Arrays) -> None:
    """QLinearConv and its like."""
    quantize_static(source, target, _Reader(feeds), quant_format=QuantFormat.QOperator)


def four_bits(source: Path, target: Path, feeds: Arrays) -> None:
    """MatMulNBits: weights of products in 4 bits, block by block."""
    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=16, is_symmetric=False)
    quantizer.process()
    made: Any = quantizer.model  # what holds the model, once it has been processed
    onnx.save(made.model, target)


def half(source: Path, target: Path, feeds: Arrays) -> None:
    """Float16 inside, float32 at the ends."""
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


def then(first: Write, second: Write) -> Write:
    """Make a file from the file that another tool makes."""

    def write(source: Path, target: Path, feeds: Arrays) -> None:
        between = target.with_suffix(".between.onnx")
        first(source, between, feeds)
        second(between, target, feeds)

    return write


WRITERS: dict[str, Write] = {
    "optimized": optimized,
    "dynamic": dynamic,
    "dynamic, optimized": then(dynamic, optimized),
    "QDQ": static_qdq,
    "QDQ, optimized": then(static_qdq, optimized),
    "QOperator": static_operators,
    "4 bits": four_bits,
    "4 bits, optimized": then(four_bits, optimized),
    "float16": half,
    "float16, optimized": then(half, optimized),
}
"""Tools by name."""


def is_float(tool: str) -> bool:
    """Tell whether a tool leaves floats, whose results go on without being rounded to steps."""
    return not any(word in tool for word in ("dynamic", "QDQ", "QOperator", "float16"))


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # it has no types
    def __init__(self, feeds: Arrays) -> None:
        self._left = iter([dict(feeds)])

    def get_next(self) -> Any:
        return next(self._left, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the tools' advice from the terminal."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def is_broken(path: Path) -> bool:
    """Tell whether a tool wrote a scale that is no number, as it does where a mask holds −∞."""
    scales = [t for t in onnx.load(path).graph.initializer if t.name.endswith("_scale")]
    return not all(np.isfinite(onnx.numpy_helper.to_array(t)).all() for t in scales)


def contrib_calls(path: Path) -> list[str]:
    """List the operators of com.microsoft that a file calls, each time."""
    nodes = onnx.load(path, load_external_data=False).graph.node
    return [n.op_type for n in nodes if n.domain == "com.microsoft"]
