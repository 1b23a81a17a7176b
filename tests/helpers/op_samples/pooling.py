"""Samples of pools: every attribute, every mode, one to three spatial axes."""

from .sample import Sample, ints, random

SAMPLES = [
    Sample("MaxPool", [random(2, 2, 6)], {"kernel_shape": [3]}),
    Sample("MaxPool", [random(1, 2, 5, 6)], {"kernel_shape": [2, 3], "strides": [2, 2]}),
    # onnx.reference gives indices outside of their window in three dimensions
    Sample(
        "MaxPool",
        [random(1, 1, 3, 4, 3)],
        {"kernel_shape": [2, 2, 2]},
        outputs=2,
        reference=False,
    ),
    # onnx.reference finds nothing in a window that lies half in the padding
    Sample(
        "MaxPool",
        [random(1, 2, 5, 6)],
        {"kernel_shape": [3, 2], "pads": [1, 1, 2, 0]},
        reference=False,
    ),
    Sample(
        "MaxPool",
        [random(1, 2, 6, 7)],
        {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1, "pads": [1, 0, 0, 1]},
    ),
    Sample("MaxPool", [random(1, 2, 6, 7)], {"kernel_shape": [2, 3], "dilations": [3, 2]}),
    Sample(
        "MaxPool",
        [random(2, 2, 4, 5)],
        {"kernel_shape": [2, 2], "strides": [1, 2], "storage_order": 1},
        outputs=2,
    ),
    Sample(
        "MaxPool",
        [random(2, 2, 3, 4, 5)],
        {"kernel_shape": [2, 2, 2], "storage_order": 1},
    ),
    Sample(
        "MaxPool",
        [random(1, 2, 5, 6)],
        {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ),
    # written with pads of [1, 1, 0, 1], which onnx.reference takes in another order
    Sample(
        "MaxPool",
        [random(1, 2, 5, 6)],
        {"kernel_shape": [2, 3], "auto_pad": "SAME_LOWER"},
        reference=False,
    ),
    Sample("AveragePool", [random(2, 2, 6)], {"kernel_shape": [3]}),
    Sample("AveragePool", [random(1, 2, 5, 6)], {"kernel_shape": [2, 3], "strides": [2, 2]}),
    Sample("AveragePool", [random(1, 1, 3, 4, 3)], {"kernel_shape": [2, 2, 2]}),
    Sample("AveragePool", [random(1, 2, 5, 6)], {"kernel_shape": [3, 2], "pads": [1, 1, 2, 0]}),
    Sample(
        "AveragePool",
        [random(1, 2, 5, 6)],
        {"kernel_shape": [3, 2], "pads": [1, 1, 2, 0], "count_include_pad": 1},
    ),
    Sample(
        "AveragePool",
        [random(1, 2, 6, 7)],
        {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1, "pads": [1, 0, 0, 1]},
    ),
    Sample(
        "AveragePool",
        [random(1, 2, 6, 5)],
        {
            "kernel_shape": [3, 2],
            "strides": [2, 2],
            "ceil_mode": 1,
            "pads": [1, 0, 0, 0],
            "count_include_pad": 1,
        },
    ),
    Sample("AveragePool", [random(1, 2, 6, 7)], {"kernel_shape": [2, 3], "dilations": [3, 2]}),
    Sample(
        "AveragePool",
        [random(1, 2, 5, 6)],
        {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ),
    Sample(
        "AveragePool",
        [random(1, 2, 5, 6)],
        {"kernel_shape": [4, 3], "auto_pad": "SAME_LOWER", "strides": [3, 2]},
    ),
    Sample(
        "AveragePool",
        [random(1, 2, 5, 6)],
        {
            "kernel_shape": [4, 3],
            "auto_pad": "SAME_LOWER",
            "strides": [3, 2],
            "count_include_pad": 1,
        },
    ),
    Sample("AveragePool", [random(1, 2, 5)], {"kernel_shape": [2], "auto_pad": "VALID"}),
    Sample("GlobalAveragePool", [random(2, 3, 4, 2)]),
    Sample("GlobalMaxPool", [random(2, 3, 4, 2)]),
    # channels without space; onnx.reference forgets a rank of the largest
    Sample("GlobalAveragePool", [random(2, 3)]),
    Sample("GlobalMaxPool", [random(2, 3)], reference=False),
    Sample("LpPool", [random(1, 2, 5, 6)], {"kernel_shape": [2, 3], "strides": [2, 2]}),
    Sample(
        "LpPool",
        [random(1, 2, 5, 6)],
        {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0], "p": 3, "dilations": [1, 2]},
    ),
    Sample("LpPool", [random(1, 2, 6)], {"kernel_shape": [3], "strides": [2], "p": 1}),
    # onnx.reference divides the window that hangs over by what of it lies inside
    Sample(
        "LpPool",
        [random(1, 2, 6)],
        {"kernel_shape": [3], "strides": [2], "ceil_mode": 1},
        reference=False,
    ),
    Sample(
        "LpPool",
        [random(1, 2, 6)],
        {"kernel_shape": [3], "strides": [2], "auto_pad": "SAME_UPPER"},
    ),
    # onnx.reference has no GlobalLpPool
    Sample("GlobalLpPool", [random(2, 3, 4)], reference=False),
    Sample("GlobalLpPool", [random(2, 3, 4, 2)], {"p": 3}, reference=False),
    Sample("GlobalLpPool", [random(2, 3)], {"p": 3}, reference=False),
    Sample("GlobalLpPool", [random(2, 3, 4, 2)], {"p": 1}, reference=False),
    # onnx.reference is right where there are as many channels as images, in two dimensions,
    # but for α / size, which it rounds to float32
    Sample(
        "LRN",
        [random(4, 4, 2, 1)],
        {"size": 3, "alpha": 0.5, "beta": 0.625, "bias": 2.0},
        forward_tolerance=1e-8,
    ),
    Sample("LRN", [random(3, 3, 2, 2)], {"size": 5}),
    # onnxruntime takes odd sizes in two dimensions only
    Sample("LRN", [random(3, 3, 2, 2)], {"size": 4, "alpha": 0.5}, onnxruntime=False),
    Sample("LRN", [random(1, 5, 3)], {"size": 3}, onnxruntime=False, reference=False),
    Sample(
        "MaxUnpool",
        [random(1, 1, 2, 2), ints([[[[1, 3], [8, 15]]]])],
        {"kernel_shape": [2, 2], "strides": [2, 2]},
    ),
    # two windows of the pool had the same largest element
    Sample(
        "MaxUnpool",
        [random(1, 1, 2, 2), ints([[[[1, 3], [3, 15]]]])],
        {"kernel_shape": [2, 2], "strides": [2, 2]},
    ),
    # onnxruntime lets indices count in output_shape; ONNX's example in the size by the attributes
    Sample(
        "MaxUnpool",
        [random(1, 1, 2, 2), ints([[[[1, 3], [8, 15]]]]), ints(1, 1, 5, 6)],
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        onnxruntime=False,
    ),
]
