"""Samples of convolutions: every attribute, every mode, one to three spatial axes."""

from typing import Any

from .sample import Array, Sample, random


def conv(x: Array, w: Array, bias: bool = False, **attributes: Any) -> Sample:
    """Give a row for Conv; the weights come from their own seed."""
    inputs = [x, w, random(w.shape[0], seed=2)] if bias else [x, w]
    return Sample("Conv", inputs, attributes)


def transposed(
    x: Array, w: Array, bias: bool = False, reference: bool = True, **attributes: Any
) -> Sample:
    """Give a row for ConvTranspose."""
    maps = w.shape[1] * attributes.get("group", 1)
    inputs = [x, w, random(maps, seed=2)] if bias else [x, w]
    return Sample("ConvTranspose", inputs, attributes, reference=reference)


SAMPLES = [
    conv(random(2, 2, 5), random(3, 2, 3), bias=True),
    conv(random(2, 2, 4, 5), random(3, 2, 3, 2), bias=True),
    conv(random(1, 2, 3, 4, 3), random(2, 2, 2, 2, 2), bias=True),
    conv(random(2, 2, 6, 5), random(3, 2, 3, 2), strides=[2, 3], pads=[1, 0, 2, 1]),
    # the stride leaves the last elements untouched
    conv(random(1, 2, 8, 6), random(2, 2, 2, 1), strides=[3, 4]),
    conv(random(1, 2, 7, 6), random(2, 2, 2, 3), dilations=[3, 2], strides=[2, 1]),
    conv(random(2, 4, 5, 4), random(6, 2, 3, 2), group=2, strides=[2, 1], pads=[1, 1, 0, 1]),
    conv(random(1, 3, 4, 4), random(6, 1, 2, 2), group=3, kernel_shape=[2, 2], bias=True),
    # padding beyond the kernel
    conv(random(1, 2, 4), random(2, 2, 2), pads=[3, 4], strides=[2]),
    conv(random(1, 1, 5, 4), random(2, 1, 3, 3), auto_pad="VALID", strides=[2, 1]),
    conv(random(1, 1, 5, 4), random(2, 1, 3, 2), auto_pad="SAME_UPPER"),
    conv(random(1, 1, 6, 5), random(2, 1, 4, 3), auto_pad="SAME_UPPER", strides=[3, 2]),
    conv(random(1, 1, 6, 5), random(2, 1, 4, 2), auto_pad="SAME_LOWER", strides=[3, 2]),
    conv(random(1, 1, 7), random(2, 1, 1), auto_pad="SAME_LOWER", strides=[3]),
    # no image at all
    conv(random(0, 2, 4), random(4, 1, 2), bias=True, group=2),
    transposed(random(2, 2, 4), random(2, 3, 3), bias=True),
    transposed(random(2, 2, 3, 4), random(2, 3, 3, 2), bias=True),
    transposed(random(1, 2, 2, 3, 2), random(2, 2, 2, 2, 2)),
    transposed(random(1, 2, 3, 2), random(2, 2, 3, 2), strides=[2, 3], output_padding=[1, 2]),
    transposed(random(1, 2, 3, 4), random(2, 2, 3, 2), strides=[2, 1], pads=[1, 0, 2, 1]),
    transposed(random(1, 2, 3, 4), random(2, 2, 2, 3), dilations=[3, 2], strides=[2, 1]),
    transposed(random(1, 2, 3, 3), random(2, 2, 3, 3), strides=[3, 2], output_shape=[10, 8]),
    transposed(random(1, 1, 3, 3), random(1, 2, 3, 3), strides=[3, 2], auto_pad="SAME_UPPER"),
    transposed(random(1, 1, 3, 3), random(1, 2, 3, 4), strides=[1, 2], auto_pad="SAME_LOWER"),
    transposed(random(1, 1, 3, 3), random(1, 2, 2, 2), auto_pad="VALID"),
    # onnx.reference is wrong with groups, and where the output is cut or larger than all windows
    transposed(random(1, 4, 3), random(4, 2, 2), bias=True, group=2, strides=[2], reference=False),
    transposed(random(1, 2, 3), random(2, 1, 2), strides=[2], output_shape=[4], reference=False),
    transposed(random(1, 2, 3), random(2, 1, 2), strides=[2], output_shape=[7], reference=False),
    # onnx.checker infers no shape where the output is smaller than the input
    Sample(
        "ConvTranspose",
        [random(1, 2, 3, 4), random(2, 2, 2, 1)],
        {"output_shape": [2, 3]},
        reference=False,
        onnxruntime=False,
    ),
    # and takes output_padding for a part of the size that auto_pad fixes
    Sample(
        "ConvTranspose",
        [random(1, 2, 3), random(2, 2, 3)],
        {"strides": [2], "auto_pad": "SAME_UPPER", "output_padding": [1]},
        reference=False,
        onnxruntime=False,
    ),
    transposed(
        random(1, 1, 3), random(1, 2, 1), strides=[3], auto_pad="SAME_UPPER", reference=False
    ),
]
