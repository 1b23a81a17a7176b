"""Calls on quantized numbers: one scale, one per axis, one per block, every type."""

from typing import Any

import numpy as np
from onnx import TensorProto
from op_samples.sample import random

from .call import OldCall

X = random(2, 6, low=-3, high=3)
STEP, ZERO = np.array(0.05, np.float32), np.array(7, np.uint8)
STEPS, ZEROS = np.array([0.05, 0.1], np.float32), np.array([3, -4], np.int8)
BLOCKS = random(2, 3, low=0.1, high=0.2).astype(np.float32)
BYTES, SIGNED = np.arange(12, dtype=np.uint8).reshape(2, 6), np.arange(-6, 6).astype(np.int8)
LEFT, RIGHT = (
    np.arange(6, dtype=np.uint8).reshape(2, 3),
    np.arange(12, dtype=np.uint8).reshape(3, 4),
)
PIXELS = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
KERNEL = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 2)


def scalars(*numbers: float) -> list[Any]:
    return [np.array(n, np.float32 if isinstance(n, float) else np.uint8) for n in numbers]


CALLS = [
    OldCall("QuantizeLinear", [X, STEP, ZERO]),
    OldCall("QuantizeLinear", [X, STEP]),
    OldCall("QuantizeLinear", [X, STEPS, ZEROS], {"axis": 0}),
    OldCall("QuantizeLinear", [X, BLOCKS, BLOCKS.astype(np.uint8)], {"axis": 1, "block_size": 2}),
    OldCall("QuantizeLinear", [X, STEP], {"output_dtype": int(TensorProto.INT16)}),
    OldCall("DequantizeLinear", [BYTES, STEP, ZERO]),
    OldCall("DequantizeLinear", [BYTES, STEP]),
    OldCall("DequantizeLinear", [SIGNED.reshape(2, 6), STEPS, ZEROS], {"axis": 0}),
    OldCall(
        "DequantizeLinear", [BYTES, BLOCKS, BLOCKS.astype(np.uint8)], {"axis": 1, "block_size": 2}
    ),
    *(
        OldCall("DequantizeLinear", [BYTES, scale, *zero], wrt=[1])
        for scale in (np.array(0.05), np.array(0.2))
        for zero in ([], [ZERO])
    ),
    OldCall("DynamicQuantizeLinear", [X], outputs=3),
    OldCall("MatMulInteger", [LEFT, RIGHT, *scalars(2, 3)]),
    OldCall("ConvInteger", [PIXELS, KERNEL, *scalars(2)], {"pads": [1, 1, 0, 0]}),
    OldCall("QLinearMatMul", [LEFT, *scalars(0.1, 2), RIGHT, *scalars(0.2, 3), *scalars(0.3, 10)]),
    OldCall("QLinearConv", [PIXELS, *scalars(0.1, 2), KERNEL, *scalars(0.2, 1), *scalars(0.3, 10)]),
]
