"""Kernels on arrays larger and odder than ONNX's own cases, against onnx.reference."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import onnxgrad as og
import onnxgrad.backends.kernels  # noqa: F401 (registers the kernels)
from onnxgrad.backends.kernels.registry import KERNELS

Array = Any
RNG = np.random.default_rng(0)


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape)


def ints(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


def below(size: int, *shape: int) -> Array:
    return RNG.integers(-size, size, shape)


def distinct(size: int, *shape: int) -> Array:
    """Draw indices along the last axis of which no two are equal."""
    rows = [RNG.permutation(size)[: shape[-1]] for _ in range(int(np.prod(shape[:-1])))]
    return np.array(rows).reshape(shape)


Row = tuple[str, list[Any], dict[str, Any]]


def reductions() -> list[Row]:
    names = "Sum Mean Max Min Prod SumSquare L1 L2 LogSum LogSumExp".split()
    cases: list[tuple[list[Any], dict[str, Any]]] = [
        ([], {}),
        ([ints(1)], {"keepdims": 0}),
        ([ints(-1, 0)], {}),
        ([ints(0, 2)], {"keepdims": 0}),
        ([ints()], {"noop_with_empty_axes": 1}),
        ([ints()], {"keepdims": 0}),
    ]
    x = np.abs(normal(5, 4, 6)) + 0.1
    rows = [(f"Reduce{n}", [x, *axes], a) for n in names for axes, a in cases]
    return rows + [("ReduceSum", [(x * 9).astype(np.int32), ints(1)], {"keepdims": 0})]


def products() -> list[Row]:
    equations: list[tuple[str, list[tuple[int, ...]]]] = [
        ("ij,jk->ik", [(7, 5), (5, 6)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 5, 4), (2, 3, 6, 4)]),
        ("bhqk,bkhd->bqhd", [(2, 3, 5, 6), (2, 6, 3, 4)]),
        ("ab,cd->dbca", [(2, 3), (4, 5)]),
        ("abc,cb->a", [(3, 4, 5), (5, 4)]),
        ("ij,ij->", [(3, 4), (3, 4)]),
        ("ij,jk", [(3, 4), (4, 5)]),
        ("ii->i", [(4, 4)]),
        ("i...,i...->...", [(3, 4, 2), (3, 4, 2)]),
        ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 2)]),
        ("iij,j->i", [(3, 3, 4), (4,)]),
        ("ij,k->i", [(3, 4), (5,)]),
    ]
    rows: list[Row] = [
        ("Einsum", [normal(*s) for s in shapes], {"equation": e}) for e, shapes in equations
    ]
    for a, b in [
        ((4, 5, 6), (6, 3)),
        ((5,), (5, 4)),
        ((3, 5), (5,)),
        ((5,), (5,)),
        ((2, 1, 4, 5), (3, 5, 6)),
        ((0, 4, 5), (5, 2)),
        ((3, 0), (0, 4)),
    ]:
        rows.append(("MatMul", [normal(*a), normal(*b)], {}))
    rows += [
        ("MatMul", [normal(4, 3, 5).transpose(2, 0, 1), normal(8, 6)[::2, ::2].T], {}),
        ("MatMul", [np.broadcast_to(normal(4, 1), (4, 5)), normal(6, 5).T], {}),
        ("Gemm", [normal(5, 4), normal(5, 6), normal(6)], {"transA": 1, "alpha": 0.5, "beta": 2.0}),
        ("Gemm", [normal(4, 5), normal(6, 5), normal(4, 1)], {"transB": 1}),
    ]
    return rows


def shapes() -> list[Row]:
    x = normal(4, 5, 6)
    return [
        ("Slice", [x, ints(-100, 4), ints(100, -100), ints(0, 1), ints(2, -2)], {}),
        ("Slice", [x, ints(3, 1), ints(0, 100), ints(-1, 0), ints(-1, 3)], {}),
        ("Slice", [x, ints(2, 0), ints(2, 3)], {}),
        ("Pad", [x, ints(2, 1, 2, 3), None, ints(-1, 0)], {"mode": "reflect"}),
        ("Pad", [x, ints(2, 1, 2, 3), None, ints(-1, 0)], {"mode": "edge"}),
        ("Pad", [x, ints(2, 1, 2, 3), None, ints(-1, 0)], {"mode": "wrap"}),
        ("Tile", [x, ints(2, 1, 3)], {}),
        ("Expand", [normal(3, 1), ints(2, 1, 4)], {}),
        ("Expand", [normal(2, 3, 1), ints(3, 5)], {}),
        ("Reshape", [x, ints(0, -1, 2)], {}),
        ("Reshape", [normal(0, 3), ints(3, 0)], {"allowzero": 1}),
        ("Flatten", [x], {"axis": -1}),
        ("Flatten", [x], {"axis": 0}),
        ("Concat", [x, normal(4, 2, 6)], {"axis": -2}),
        ("Split", [x, ints(1, 0, 4)], {"axis": -2}),
        ("Trilu", [x, np.array(-1)], {"upper": 0}),
        ("Trilu", [x, np.array(2)], {}),
        ("Range", [np.float32(1), np.float32(2), np.float32(0.3)], {}),
        ("Range", [np.int64(5), np.int64(-5), np.int64(-3)], {}),
        ("DepthToSpace", [normal(2, 12, 3, 4)], {"blocksize": 2, "mode": "CRD"}),
        ("EyeLike", [normal(3, 5)], {"k": 1, "dtype": 7}),
    ]


def indexing() -> list[Row]:
    x, rows = normal(6, 5, 4), normal(300, 40)
    updates = normal(3, 2, 4)
    tuples = np.array([[[0, 1], [5, -1]], [[2, 2], [3, 0]], [[-3, 4], [1, 1]]])
    table: list[Row] = [
        ("Gather", [x, below(5, 3, 2)], {"axis": -2}),
        ("GatherElements", [x, below(4, 6, 5, 3)], {"axis": 2}),
        ("GatherElements", [x, below(6, 9, 5, 4)], {"axis": 0}),
        ("GatherND", [x, below(5, 3, 2, 2)], {}),
        ("GatherND", [x, below(4, 6, 5, 1)], {"batch_dims": 2}),
        ("GatherND", [x, below(5, 6, 3, 1)], {"batch_dims": 1}),
        ("ScatterND", [x, tuples, updates], {}),
        ("ScatterElements", [x, distinct(4, 6, 5, 3), normal(6, 5, 3)], {"axis": 2}),
        ("CumSum", [x, np.array(-2)], {"reverse": 1, "exclusive": 1}),
        ("CumSum", [(x * 9).astype(np.int32), np.array(0)], {}),
        ("TopK", [rows, ints(7)], {"largest": 0}),
        ("TopK", [np.round(rows), ints(20)], {"axis": 0}),
        ("OneHot", [below(9, 3, 4), np.array(6), normal(2)], {"axis": 1}),
        ("ArgMax", [np.round(rows)], {"axis": -1, "select_last_index": 1}),
        ("ArgMin", [np.round(rows)], {"axis": 0, "keepdims": 0}),
        ("NonZero", [np.round(rows)], {}),
        ("Compress", [x, np.array([True, False, True])], {"axis": 1}),
    ]
    for reduction in ("add", "mul", "max", "min"):
        attributes = {"reduction": reduction}
        table += [
            ("ScatterND", [rows, below(300, 500, 1), normal(500, 40)], attributes),
            ("ScatterND", [x, below(5, 3, 2, 2), updates], attributes),
            ("ScatterElements", [x, below(5, 6, 8, 4), normal(6, 8, 4)], attributes | {"axis": 1}),
        ]
    return table


def others() -> list[Row]:
    x = normal(3, 6, 5, 7)
    channel = [np.abs(normal(6)) + 0.1 for _ in range(4)]
    return [
        ("Softmax", [x * 30], {"axis": 1}),
        ("LogSoftmax", [x * 30], {"axis": 0}),
        ("Hardmax", [np.round(x)], {"axis": 2}),
        ("LayerNormalization", [x, normal(5, 7), normal(7)], {"axis": 2}),
        ("RMSNormalization", [x, normal(7)], {"axis": -2, "epsilon": 0.125}),
        ("BatchNormalization", [x, *channel], {"epsilon": 0.125}),
        ("GroupNormalization", [x, *channel[:2]], {"num_groups": 3}),
        ("InstanceNormalization", [x, *channel[:2]], {}),
        ("Clip", [x, np.array(0.5), np.array(-0.5)], {}),
        ("Mod", [np.round(x * 9), np.full((1,), 4.0)], {"fmod": 1}),
        ("Mod", [(x * 90).astype(np.int64), ints(-7)], {}),
        ("PRelu", [x, normal(6, 1, 1)], {}),
    ]


TABLE = [*reductions(), *products(), *shapes(), *indexing(), *others()]


def reference(op_type: str, inputs: list[Any], attributes: dict[str, Any], count: int) -> list[Any]:
    names = [f"x{k}" if a is not None else "" for k, a in enumerate(inputs)]
    outputs = [f"y{k}" for k in range(count)]
    node = helper.make_node(op_type, names, outputs, **attributes)
    opset = onnx.defs.onnx_opset_version()
    values = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in zip(names, inputs, strict=True)
        if n
    ]
    graph = helper.make_graph(
        [node], "g", values, [helper.make_value_info(n, onnx.TypeProto()) for n in outputs]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    feeds = {n: np.asarray(a) for n, a in zip(names, inputs, strict=True) if n}
    return list(ReferenceEvaluator(model).run(None, feeds))


@pytest.mark.parametrize("row", TABLE, ids=[f"{k}-{r[0]}" for k, r in enumerate(TABLE)])
def test_against_the_reference(row: Row) -> None:
    op_type, inputs, attributes = row
    entry = KERNELS["", op_type]
    defaults = {
        name: helper.get_attribute_value(a.default_value)
        for name, a in onnx.defs.get_schema(op_type).attributes.items()
        if a.default_value.name
    }
    defaults = {k: v.decode() if isinstance(v, bytes) else v for k, v in defaults.items()}
    count = {"Split": 3, "TopK": 2}.get(op_type, 1)
    given = defaults | attributes | ({"outputs": count} if entry.takes_outputs else {})
    with np.errstate(all="ignore"):
        results = entry.function(np, *inputs, **given)
    results = results if isinstance(results, tuple) else (results,)
    for result, expected in zip(
        results, reference(op_type, inputs, attributes, count), strict=False
    ):
        assert result.dtype == expected.dtype and result.shape == expected.shape
        # the body of GroupNormalization rounds to float32, its stash_type
        rtol, atol = (1e-5, 1e-6) if op_type == "GroupNormalization" else (1e-6, 1e-10)
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)


def test_pad_removes_where_the_number_is_negative() -> None:
    x = normal(4, 5, 6)
    result = KERNELS["", "Pad"].function(np, x, ints(1, -2, 0, 3, 1, -1), np.array(2.5))
    expected = np.full((8, 4, 5), 2.5)
    expected[1:5, :3] = x[:, 2:, :5]
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [(-100, -100, -1, [0]), (-5, -5, -1, [0]), (-100, 100, -1, []), (100, -100, -2, [3, 1])],
)
def test_slice_backwards_is_limited_as_the_standard_says(
    start: int, end: int, step: int, expected: list[int]
) -> None:
    bounds = (ints(start), ints(end), ints(0), ints(step))
    result = KERNELS["", "Slice"].function(np, np.arange(4), *bounds)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("before", "shape", "after"),
    [
        ((0, 3), (0, -1), (0, 3)),
        ((0, 3, 4), (0, -1), (0, 12)),
        ((2, 0, 4), (0, -1, 4), (2, 0, 4)),
        ((0, 3), (-1, 3), (0, 3)),
    ],
)
def test_reshape_of_nothing(before: Any, shape: Any, after: Any) -> None:
    assert KERNELS["", "Reshape"].function(np, np.ones(before), ints(*shape)).shape == after


@pytest.mark.parametrize(("axis", "message"), [(1, "3 elements"), (None, "6 elements")])
def test_marks_of_what_is_not_there(axis: int | None, message: str) -> None:
    b = og.Builder("marks")
    x, marks = b.input("x", "float32", (2, 3)), b.input("marks", "bool", ("n",))
    b.output(b.op.Compress(x, marks, axis=axis), "y")
    feeds = {"x": np.ones((2, 3), np.float32), "marks": np.ones(7, bool)}
    with pytest.raises(og.GraphError, match=f"there are 7 conditions for {message}"):
        og.compile(b.build()).run(feeds)
