"""Lists, numbers and places of a wrong rank, length or value: refused, and never a bare error."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import graph_of
from op_samples.sample import Sample

import onnxgrad as og

OF_INTEGERS = [
    (sample, k)
    for sample in {s.op: s for s in SAMPLES}.values()
    for k, array in enumerate(sample.inputs)
    if array is not None and array.dtype.kind in "ib"
]


def odd(array: np.ndarray) -> list[np.ndarray]:
    """Give the numbers of an array in other ranks, more and fewer of them, and odd ones."""
    flat = array.ravel()
    some = flat[:1] if flat.size else np.zeros(1, array.dtype)
    first = np.arange(array.size).reshape(array.shape) == 0
    numbers = [-100, 100, -(2**31), 2**31 - 1] if array.dtype.kind == "i" else []
    return [
        some.reshape(()),
        flat,
        flat.reshape(1, -1),
        flat.reshape(-1, 1),
        flat.reshape(1, 1, -1),
        np.concatenate([flat, some]),
        flat[:-1],
        flat[:0],
        array.astype(np.float32),
        array.astype(bool),
        *(np.where(first, n, array).astype(array.dtype) for n in numbers),
    ]


@pytest.mark.parametrize(("sample", "k"), OF_INTEGERS, ids=str)
def test_an_odd_input_is_refused_by_one_error_of_ours(sample: Sample, k: int) -> None:
    given = sample.inputs[k]
    assert given is not None
    for changed in odd(given):
        inputs = [*sample.inputs]
        inputs[k] = changed
        try:
            graph_of(replace(sample, inputs=inputs), dtype=np.float32)
        except og.OnnxgradError as error:
            assert sample.op in str(error)


X = np.ones((2, 3), np.float32)
WRONG: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "axes of rank 2": (
        "Pad",
        [X, [0, 1], 0.5, [[0]]],
        {},
        r"axes must be a list, of rank 1, not of the shape \(1, 1\)",
    ),
    "an axis beyond": ("Pad", [X, [0, 1], 0.5, [2]], {}, "axes names 2, but x has rank 2"),
    "starts of rank 0": ("Slice", [X, 0, [1]], {}, "starts must be a list"),
    "shape of rank 2": ("Reshape", [X, [[6]]], {}, "shape must be a list"),
    "axes of a reduction": ("ReduceSum", [X, [[0]]], {}, "axes must be a list"),
    "two axes": ("CumSum", [X, [0, 1]], {}, r"axis must be one number, not of the shape \(2,\)"),
    "no axis": ("CumSum", [X, 2], {}, "axis must be from -2 to 1, not 2"),
    "k": ("TopK", [X, [4]], {"outputs": 2}, "K must be from 0 to 3, not 4"),
    "updates": (
        "ScatterND",
        [X, [[0]], np.ones((1, 1), np.float32)],
        {},
        r"updates must have the shape \(1, 3\)",
    ),
    "updates of elements": (
        "ScatterElements",
        [X, [[0]], X],
        {},
        r"updates must have the shape \(1, 1\)",
    ),
    "indices": ("GatherElements", [X, [0]], {}, "indices must have the rank of data, 2, not 1"),
    "lengths": ("ReverseSequence", [X, [1, 2, 3, 1]], {}, r"sequence_lens must have the shape"),
    "a long one": ("ReverseSequence", [X, [1, 2, 3]], {}, "sequence_lens must be from 0 to 2"),
    "labels": ("SoftmaxCrossEntropyLoss", [X, [0, 1, 1]], {}, r"labels must have the shape \(2,\)"),
    "sizes": ("Resize", [X, None, None, [2, -3]], {}, "sizes holds -3"),
    "too many parts": (
        "Split",
        [np.ones((5, 2), np.float32)],
        {"num_outputs": 4},
        "5 elements give no 4 parts of 2, the last less",
    ),
    "a block": (
        "Col2Im",
        [np.ones((1, 4, 9), np.float32), [4, 4, 4], [2, 2]],
        {},
        "block_shape has 2 sizes, image_shape 3",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_refusal_names_the_input(name: str) -> None:
    op_type, inputs, attributes, message = WRONG[name]
    b = og.Builder("wrong")
    with pytest.raises(og.GraphError, match=message):
        getattr(b.op, op_type)(*inputs, **attributes)
