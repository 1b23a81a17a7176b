"""Calls of operators whose weights are packed."""

from typing import Any

import numpy as np

from .call import Call, Draw, Row, below, floats, maybe, of_bytes, one_of, size


def nbits(draw: Draw, bits: int) -> Call:
    block, rows, width = one_of(draw, 16, 32), size(draw, 1, 5), size(draw, 1, 70)
    blocks = -(-width // block)
    packed = of_bytes(draw, np.uint8, rows, blocks, block * bits // 8)
    scales = np.asarray(draw.uniform(0.05, 0.2, (rows, blocks)), np.float32)
    zeros = of_bytes(draw, np.uint8, rows, -(-blocks * bits // 8))
    x = floats(draw, *(size(draw, 1, 3) for _ in range(size(draw, 1, 2))), width)
    settings = {"K": width, "N": rows, "bits": bits, "block_size": block}
    bias = maybe(draw, floats(draw, rows))
    return Call([x, packed, scales, maybe(draw, zeros), None, bias], settings, (1, 2, 3))


def nbits4(draw: Draw) -> Call:
    return nbits(draw, 4)


def nbits8(draw: Draw) -> Call:
    return nbits(draw, 8)


def nbits2(draw: Draw) -> Call:
    return nbits(draw, 2)


def float_zeros(draw: Draw) -> Call:
    call = nbits(draw, 4)
    x, packed, scales, *_ = call.inputs
    assert scales is not None
    zeros = np.asarray(draw.uniform(6, 9, scales.shape), np.float32)
    return Call([x, packed, scales, zeros], call.attributes, (1, 2, 3))


def bnb4(draw: Draw) -> Call:
    rows, width, block = size(draw, 1, 5), 2 * size(draw, 1, 20), 16
    count = rows * width
    packed = of_bytes(draw, np.uint8, -(-count // 2))
    largest = np.asarray(draw.uniform(0.5, 2, -(-count // block)), np.float32)
    settings = {"K": width, "N": rows, "block_size": block, "quant_type": one_of(draw, 0, 1)}
    return Call([floats(draw, size(draw), width), packed, largest], settings, (1, 2))


def gather(draw: Draw, bits: int) -> Call:
    rows, block = size(draw, 2, 5), 16
    width = block * size(draw, 1, 3)
    packed = of_bytes(draw, np.uint8, rows, width * bits // 8)
    scales = np.asarray(draw.uniform(0.05, 0.2, (rows, width // block)), np.float32)
    zeros = of_bytes(draw, np.uint8, rows, -(-(width // block) * bits // 8))
    shape = tuple(size(draw, 1, 3) for _ in range(size(draw, 1, 2)))
    indices = below(draw, rows, *shape, dtype=one_of(draw, np.int32, np.int64))
    settings: dict[str, Any] = {
        "bits": bits,
        "block_size": block,
        "quantize_axis": 1,
        "gather_axis": 0,
    }
    return Call([packed, indices, scales, maybe(draw, zeros)], settings, (0, 2, 3))


def gather4(draw: Draw) -> Call:
    return gather(draw, 4)


def gather8(draw: Draw) -> Call:
    return gather(draw, 8)


ROWS = [
    Row("MatMulNBits", nbits4, label="4 bits"),
    Row("MatMulNBits", nbits8, label="8 bits"),
    Row("MatMulNBits", nbits2, label="2 bits"),
    Row("MatMulNBits", float_zeros, label="float zero points", half=False),
    Row("MatMulBnb4", bnb4, half=False),
    Row("GatherBlockQuantized", gather4, label="4 bits"),
    Row("GatherBlockQuantized", gather8, label="8 bits"),
]
