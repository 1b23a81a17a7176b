"""Random graphs: what is said to be made of sums over examples is the same in parts as whole."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.training.parting import extract, part_loss

Arrays = dict[str, np.ndarray]
Step = Callable[[Any, np.random.Generator, Any, Any, int], Any]

EXAMPLES = 6
CUTS = [slice(0, 2), slice(2, 3), slice(3, 6)]
SHAPES = [[-1], [-1, 12], [-1, 4], [3, -1], [0, -1], [-1, 3, 4], [2, -1], [1, -1, 12], [0, 0, 2, 2]]
EQUATIONS = ["ij,ij->j", "ij,kj->ik", "ij,ij->", "ijk,ijk->jk", "ijk,ij->ik", "ijk,ilk->ijl"]


def count(op: Any, x: Any) -> Any:
    return op.Shape(x, end=1)


def ones(x: Any) -> np.ndarray:
    return np.ones(len(x.shape) - 1, np.int64)


STEPS: list[Step] = [
    lambda op, r, a, b, k: op.Transpose(a, perm=r.permutation(len(a.shape)).tolist()),
    lambda op, r, a, b, k: op.Softmax(a, axis=k),
    lambda op, r, a, b, k: a + b,
    lambda op, r, a, b, k: a * b,
    lambda op, r, a, b, k: op.Tanh(a),
    lambda op, r, a, b, k: op.ReduceMean(a, [k], keepdims=int(r.integers(2))),
    lambda op, r, a, b, k: op.ReduceSum(a, [k], keepdims=int(r.integers(2))),
    lambda op, r, a, b, k: op.ReduceL2(a, [k]),
    lambda op, r, a, b, k: op.Sqrt(op.ReduceMean(a * a, keepdims=0) + 0.1),
    lambda op, r, a, b, k: a @ b,
    lambda op, r, a, b, k: op.Reshape(a, SHAPES[r.integers(len(SHAPES))]),
    lambda op, r, a, b, k: op.Reshape(a, op.Concat(count(op, b), [-1], axis=0)),
    lambda op, r, a, b, k: op.Flatten(a, axis=k),
    lambda op, r, a, b, k: op.Concat(a, b, axis=k),
    lambda op, r, a, b, k: op.Slice(a, [int(r.integers(2))], [int(r.choice([1, 2, 2**31]))], [k]),
    lambda op, r, a, b, k: op.Slice(a, [0], count(op, b), [k]),
    lambda op, r, a, b, k: op.Split(a, num_outputs=2, axis=k, outputs=2)[1],
    lambda op, r, a, b, k: op.Unsqueeze(a, [k]),
    lambda op, r, a, b, k: a / op.Cast(op.Shape(a, start=k, end=k + 1), to="float64"),
    lambda op, r, a, b, k: op.CumSum(a, np.array(k)),
    lambda op, r, a, b, k: op.TopK(a, [2], axis=k, outputs=2)[0],
    lambda op, r, a, b, k: op.Einsum(a, b, equation=EQUATIONS[r.integers(len(EQUATIONS))]),
    lambda op, r, a, b, k: op.Expand(a, op.Shape(b)),
    lambda op, r, a, b, k: op.Tile(a, op.Concat(count(op, b), ones(a), axis=0)),
    lambda op, r, a, b, k: op.Where(op.Greater(a, 0.1), a, b),
    lambda op, r, a, b, k: op.Gather(a, [1, 0], axis=k),
    lambda op, r, a, b, k: op.Gather(a, op.Range(0, op.Squeeze(count(op, b), [0]), 1), axis=k),
    lambda op, r, a, b, k: op.Cast(op.ConstantOfShape(op.Shape(a)), to="float64") + 1.0,
]


def program(seed: int) -> og.Graph:
    """Draw a graph of some steps, whose last values make a loss."""
    r = np.random.default_rng(seed)
    b = og.Builder("random")
    op = b.op
    pool = [b.input(n, "float64", ("N", 3, 4)) for n in "xt"]
    pool += [b.input("u", "float64", ("N", "T")), b.parameter("w", r.normal(size=(4, 4)))]
    for _ in range(r.integers(4, 10)):
        x, y = (pool[r.integers(max(0, len(pool) - 6), len(pool))] for _ in range(2))
        if not x.shape or y.shape is None:
            continue
        try:
            pool.append(STEPS[r.integers(len(STEPS))](op, r, x, y, int(r.integers(len(x.shape)))))
        except og.OnnxgradError:
            continue
    loss, *others = [op.ReduceMean(op.Sin(v) * v, keepdims=0) for v in pool[-3:]]
    for k, term in enumerate(others):
        loss = loss * term if k else loss + term
    b.output(loss, "loss")
    return b.build()


def run(graph: Graph, value: Value, known: Arrays) -> np.ndarray:
    part = extract(graph, [value])
    given = {v.name: known[v.name] for v in part.inputs}
    return np.asarray(og.compile(part).run(given)[value.name])


def is_told(seed: int) -> bool:
    """Compare a random graph's loss in parts with that of the whole; False where it is refused."""
    graph = program(seed)
    r = np.random.default_rng(seed)
    feeds = {
        n: r.normal(size=(EXAMPLES, *rest))
        for n, rest in (("x", (3, 4)), ("t", (3, 4)), ("u", (5,)))
    }
    try:
        expected = og.compile(graph).run(feeds)["loss"]
        parted = part_loss(graph, graph.find("loss"), list(graph.inputs))
    except og.GraphError:
        return False
    known: Arrays = {parted.parted.examples.name: np.array([EXAMPLES])}
    for one in parted.sums:
        found = [
            run(graph, one.part, {n: a[cut] for n, a in feeds.items()} | known) for cut in CUTS
        ]
        known[one.whole.name] = np.asarray(sum(found), one.whole.dtype)
    last = parted.of_sums({})
    np.testing.assert_allclose(run(last, last.outputs[0], known), expected, rtol=1e-9, atol=1e-12)
    return True


@pytest.mark.parametrize("first", range(0, 600, 100))
def test_parts_give_the_loss_of_the_whole(first: int) -> None:
    told = sum(map(is_told, range(first, first + 100)))
    assert told > 10, "what is refused is not compared"
