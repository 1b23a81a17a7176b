"""Samples of operators that read by index."""

import numpy as np

from .sample import Sample, ints, random

MARKS = np.array([False, True, True])

SAMPLES = [
    Sample("Gather", [random(4, 3), ints(1, -1, 1)]),
    Sample("Gather", [random(4, 3), ints([[0, 2], [2, -4]])]),
    Sample("Gather", [random(2, 4, 3), ints([[0, 2, 2], [3, -1, 1]])], {"axis": 1}),
    Sample("Gather", [random(2, 4, 3), ints(2, 0)], {"axis": -1}),
    Sample("Gather", [random(4, 3), np.array(2)]),
    Sample("Gather", [random(4, 3), np.array(-1, np.int32)], {"axis": 1}),
    Sample("GatherElements", [random(3, 4), ints([[1, -1, 1, 0], [0, 0, 2, 2]])]),
    Sample("GatherElements", [random(2, 4), ints([[1, -1], [0, 0]])], {"axis": 1}),
    Sample("GatherND", [random(2, 3, 4), ints([[1, 2], [0, -1], [1, 2]])]),
    Sample("GatherND", [random(2, 3), ints([[1, 2], [-1, 0]])]),
    Sample("GatherND", [random(2, 3, 4), ints([[1], [2]])], {"batch_dims": 1}),
    Sample(
        "GatherND",
        [random(2, 3, 4, 2), ints([[[[1], [3], [3]]] * 3, [[[0], [-1], [2]]] * 3])],
        {"batch_dims": 2},
    ),
    Sample("GatherND", [random(2, 3, 4), ints([[[1], [1]], [[2], [0]]])], {"batch_dims": 1}),
    Sample("TopK", [random(3, 5), ints(2)], outputs=2),
    Sample("TopK", [random(3, 5), ints(2)], {"axis": 0, "largest": 0}, outputs=2),
    # the order of an unsorted result is undefined, and runtimes differ
    Sample("TopK", [random(3, 5), ints(4)], {"sorted": 0}, outputs=2, onnxruntime=False),
    Sample("Compress", [random(4, 3), MARKS], {"axis": 0}),
    Sample("Compress", [random(4, 3), MARKS], {"axis": -1}),
    Sample("Compress", [random(4, 3), np.array([1, 0, 0, 1, 1], bool)]),
    Sample("OneHot", [ints(1, -1, 7, 0), np.array(3), np.array([0.3, 1.2])]),
    Sample("OneHot", [ints([[1, -1], [2, 0]]), np.array(3), np.array([0.3, 1.2])], {"axis": 1}),
    Sample("ReverseSequence", [random(4, 3, 2), ints(4, 1, 2)], {"time_axis": 0, "batch_axis": 1}),
    Sample("ReverseSequence", [random(2, 4), ints(3, 4)], {"time_axis": 1, "batch_axis": 0}),
    Sample("Unique", [random(3, 2)], outputs=1),
    Sample("Unique", [random(5)], {"sorted": 0}, outputs=4),
    Sample("Unique", [random(3, 2)], {"axis": 0}, outputs=3),
    # where it does not sort, onnx.reference takes from the first axis whatever is asked for
    Sample("Unique", [random(4, 2, 2)], {"sorted": 0}, outputs=1, reference=False),
    Sample("Unique", [random(2, 3)], {"axis": -1, "sorted": 0}, outputs=2, reference=False),
]
