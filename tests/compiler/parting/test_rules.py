"""Where values are said to hold examples, they do: parts of a batch give parts of its results."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import assert_close
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.parting import Parted, part_batch
from onnxgrad.compiler.standard.traits import RANDOM
from onnxgrad.training.parting import extract

Arrays = dict[str, np.ndarray]
Axes = tuple[int | None, ...]

MOST = 6
"""Ways to read a sample that are compared, of those that are not refused."""

TRAINING = {"BatchNormalization", "Dropout"}
"""In training mode they are the documented exceptions, or draw numbers."""


def axes_of_examples(sample: Sample) -> Iterator[tuple[int, Axes]]:
    """Yield which axes of inputs may count examples together, with their number."""
    places = [(None, *range(0 if a is None else a.ndim)) for a in sample.inputs]
    for axes in product(*places):
        pairs = list(zip(sample.inputs, axes, strict=True))
        sizes = {a.shape[axis] for a, axis in pairs if a is not None and axis is not None}
        if len(sizes) == 1 and (size := sizes.pop()) > 1:
            yield size, axes


def batched(sample: Sample, axes: Axes) -> og.Graph:
    """Build a sample's graph, inputs of examples first, which are brought to their axes."""
    b = og.Builder(sample.op)
    inputs: list[og.Tensor | None] = []
    for k, (array, axis) in enumerate(zip(sample.inputs, axes, strict=True)):
        if array is None:
            inputs.append(None)
        elif axis is None:
            inputs.append(b.constant(array))
        else:
            rest = [d for place, d in enumerate(array.shape) if place != axis]
            x = b.input(f"x{k}", array.dtype, ("N", *rest))
            perm = [*range(1, axis + 1), 0, *range(axis + 1, array.ndim)]
            inputs.append(b.op.Transpose(x, perm=perm) if axis else x)
    results = getattr(b.op, sample.op)(*inputs, outputs=sample.outputs, **sample.attributes)
    for k, y in enumerate(results if isinstance(results, tuple) else [results]):
        b.output(b.op.Identity(y), f"y{k}")
    return b.build()


def run(graph: Graph, value: Value, known: Arrays) -> np.ndarray:
    part = extract(graph, [value])
    given = {v.name: known[v.name] for v in part.inputs}
    return np.asarray(og.compile(part).run(given)[value.name])


def by_parts(parted: Parted, parts: list[Arrays], value: Value) -> list[np.ndarray]:
    """Compute a value of each part, sums over examples being those of all parts."""
    count = sum(len(next(iter(part.values()))) for part in parts)
    known: Arrays = {parted.examples.name: np.array([count])}
    for one in parted.sums:
        found = [run(parted.graph, one.part, part | known) for part in parts]
        known[one.whole.name] = np.asarray(sum(found), one.whole.dtype)
    return [run(parted.graph, value, part | known) for part in parts]


def check(sample: Sample, axes: Axes, size: int) -> bool:
    graph = batched(sample, axes)
    feeds = {
        f"x{k}": np.moveaxis(a, axis, 0)
        for k, (a, axis) in enumerate(zip(sample.inputs, axes, strict=True))
        if a is not None and axis is not None
    }
    try:
        expected = og.compile(graph).run(feeds)
    except og.OnnxgradError:  # such as labels that are none, where the axis is that of the classes
        return False
    told = False
    cuts = [slice(0, 1), slice(1, size)]
    parts = [{name: a[cut] for name, a in feeds.items()} for cut in cuts]
    for output in [v.name for v in graph.outputs]:
        copy = graph.copy()
        y = copy.find(output)
        try:
            parted = part_batch(copy, copy.inputs, "N", y, ())
        except og.GraphError:
            continue
        told = True
        rows = parted.rows.get(y)
        if rows is None:
            for found in by_parts(parted, parts, parted.whole(y)):
                assert_close(found, expected[output], 1e-9)
            continue
        assert isinstance(rows.outer, int)
        shape = expected[output].shape
        split = (rows.outer, size, shape[rows.axis] // rows.outer // size)
        whole = expected[output].reshape(*shape[: rows.axis], *split, *shape[rows.axis + 1 :])
        for cut, found in zip(cuts, by_parts(parted, parts, y), strict=True):
            part = whole[(slice(None),) * (rows.axis + 1) + (cut,)]
            assert_close(found.reshape(part.shape), part, 1e-9)
    return told


CHECKED = [
    s
    for s in SAMPLES
    if s.op not in RANDOM and not (s.op in TRAINING and (s.outputs or s.attributes))
]


@pytest.mark.parametrize("sample", CHECKED, ids=[f"{k}-{s}" for k, s in enumerate(CHECKED)])
def test_parts_of_a_batch_give_parts_of_its_results(sample: Sample) -> None:
    told = 0
    for size, axes in axes_of_examples(sample):
        told += check(sample, axes, size)
        if told == MOST:
            break


REFUSED = {
    "AffineGrid": "its samples have their number of examples as a number",
    "LpPool": "its samples have one image",
    "MaxUnpool": "its indices count through all images",
    "Unique": "how much it gives, all numbers tell together",
}


def is_told(sample: Sample) -> bool:
    for _, axes in axes_of_examples(sample):
        try:
            graph = batched(sample, axes)
            part_batch(graph, graph.inputs, "N", graph.outputs[0], ())
        except og.OnnxgradError:
            continue
        return True
    return False


@pytest.mark.parametrize("op", sorted({s.op for s in CHECKED}))
def test_every_operator_is_told_but_these(op: str) -> None:
    rows = [s for s in CHECKED if s.op == op]
    if any(any(True for _ in axes_of_examples(s)) for s in rows):
        assert any(map(is_told, rows)) == (op not in REFUSED)
