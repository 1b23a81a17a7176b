"""Samples of reductions, with axes of every kind."""

import numpy as np

from .sample import Sample, ints, random

EMPTY = np.array([], np.int64)
POSITIVE = random(2, 3, 4, low=0.5, high=2.0)
ZEROS = np.array([[1.5, -2.0, 0.5], [0.0, 3.0, -1.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
MANY_ZEROS = np.array([[0.0, 0, 0, 0.4], [0, 0, 0, 0], [0, 0.7, 0, 2]])


def every_mode(op: str, x: np.ndarray, **settings: object) -> list[Sample]:
    """Reduce x over some, one, all and no axes, with and without keepdims."""
    modes: list[tuple[list[np.ndarray], dict[str, int], str]] = [
        ([ints(0, -1)], {}, "two axes"),
        ([ints(1)], {"keepdims": 0}, "one axis"),
        ([ints(-1, 0)], {"keepdims": 0}, "two axes dropped"),
        ([], {}, "all"),
        ([], {"keepdims": 0}, "all dropped"),
        ([EMPTY], {"keepdims": 0}, "empty axes"),
        ([EMPTY], {"noop_with_empty_axes": 1}, "no axes"),
        ([], {"noop_with_empty_axes": 1, "keepdims": 0}, "no axes, none given"),
    ]
    return [
        Sample(op, [x, *axes], attributes, label=label, **settings)  # type: ignore[arg-type]
        for axes, attributes, label in modes
    ]


SAMPLES = [
    *every_mode("ReduceSum", random(2, 3, 4)),
    *every_mode("ReduceMean", random(2, 3, 4)),
    *every_mode("ReduceMax", random(2, 3, 4)),
    *every_mode("ReduceMin", random(2, 3, 4)),
    *every_mode("ReduceL1", random(2, 3, 4)),
    *every_mode("ReduceL2", random(2, 3, 4)),
    *every_mode("ReduceLogSum", POSITIVE),
    *every_mode("ReduceLogSumExp", random(2, 3, 4, low=-4, high=4)),
    *every_mode("ReduceSumSquare", random(2, 3, 4)),
    *every_mode("ReduceProd", POSITIVE),
    Sample("ReduceProd", [ZEROS, ints(1)], {"keepdims": 0}, label="zeros"),
    Sample("ReduceProd", [ZEROS, ints(0)], label="zeros"),
    Sample("ReduceProd", [ZEROS[:1]], label="no zeros"),
    Sample("ReduceProd", [MANY_ZEROS, ints(1)], third_order=True, label="many zeros"),
    Sample("ReduceProd", [np.zeros((2, 2))], third_order=True, label="all zeros"),
    Sample("ReduceSum", [np.array(1.5)], {"keepdims": 0}),
]
