"""What is known of shapes and of integers before a graph runs, against onnx.reference's run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnxgrad as og
from onnxgrad.compiler.graph.dims import add, evaluate, negate, sum_of
from onnxgrad.compiler.graph.types import TensorType

SIZES = [{"N": 0, "M": 1}, {"N": 1, "M": 2}, {"N": 2, "M": 3}, {"N": 5, "M": 2}]
NUMBERS = [-3, -2, -1, 0, 1, 2, 3, 7, 200]


class Program:
    """A random program over the shapes of x and y: lists and single numbers of int64."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.lists = [self.emit("Shape", "x"), self.emit("Shape", "y", start=1)]
        self.scalars = [self.emit("Size", "y")]
        for _ in range(12):
            self.step()

    def emit(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], **attributes))
        return name

    def constant(self, numbers: int | Sequence[int], dtype: type = np.int64) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(numbers, dtype), name))
        return name

    def number(self) -> int:
        return int(self.random.choice(NUMBERS))

    def pick(self, names: list[str]) -> str:
        return names[self.random.integers(len(names))]

    def either(self) -> str:
        """A list, a number, or a constant of either kind."""
        which = self.random.integers(4)
        if which == 0:
            return self.pick(self.scalars)
        return self.constant([self.number()]) if which == 1 else self.pick(self.lists)

    def step(self) -> None:
        kind = self.random.integers(15)
        some = self.pick(self.lists)
        match kind:
            case 0:
                self.lists.append(self.emit("Concat", some, self.pick(self.lists), axis=0))
            case 1:
                bounds = [self.constant([self.number()]) for _ in range(2)]
                step = self.constant([int(self.random.choice([-2, -1, 1, 2]))])
                axes = self.constant([int(self.random.choice([-1, 0]))])
                self.lists.append(self.emit("Slice", some, *bounds, axes, step))
            case 2:
                self.scalars.append(self.emit("Gather", some, self.constant(-1)))
            case 3:
                self.lists.append(self.emit("Gather", some, self.constant([0, -1])))
            case 4 | 5 | 6:
                op_type = str(self.random.choice(["Add", "Sub", "Mul", "Div", "Mod"]))
                scalar = self.pick(self.scalars)
                if op_type in ("Div", "Mod"):
                    scalar = self.constant(int(self.random.choice([1, 2, 3, -2])))
                self.lists.append(self.emit(op_type, some, scalar))
            case 7:
                op_type = str(self.random.choice(["Max", "Min"]))
                others = [self.pick(self.scalars) for _ in range(self.random.integers(3))]
                self.lists.append(self.emit(op_type, some, *others))
            case 8:
                keepdims = int(self.random.integers(2))
                reduce = str(self.random.choice(["ReduceProd", "ReduceSum", "ReduceMax"]))
                given = [self.constant([0])] if self.random.integers(2) else []
                noop = {} if given else {"noop_with_empty_axes": int(self.random.integers(2))}
                kept = keepdims or noop.get("noop_with_empty_axes", 0)
                found = self.emit(reduce, some, *given, keepdims=keepdims, **noop)
                (self.lists if kept else self.scalars).append(found)
            case 9:
                dtypes = [TensorProto.BOOL, TensorProto.INT8, TensorProto.INT32, TensorProto.FLOAT]
                narrow = self.emit("Cast", some, to=int(self.random.choice(dtypes)))
                self.lists.append(self.emit("Cast", narrow, to=TensorProto.INT64))
            case 10:
                compare = str(self.random.choice(["Equal", "Less", "Greater", "LessOrEqual"]))
                condition = self.emit(compare, some, self.either())
                self.lists.append(self.emit("Where", condition, some, self.pick(self.scalars)))
            case 11:
                condition = self.emit("Cast", self.pick(self.scalars), to=TensorProto.BOOL)
                self.lists.append(self.emit("Where", condition, some, self.pick(self.lists)))
            case 12:
                scalar = self.emit("Min", self.pick(self.scalars), self.constant(9))
                self.lists.append(self.emit("Range", self.constant(0), scalar, self.constant(1)))
            case 13:
                self.scalars.append(self.emit("Neg", self.pick(self.scalars)))
            case 14:
                one = self.emit("Unsqueeze", self.pick(self.scalars), self.constant([0]))
                self.lists.append(one)
                self.lists.append(self.emit("Expand", one, self.constant([3])))

    def model(self) -> onnx.ModelProto:
        shapes: dict[str, list[str | int]] = {"x": ["N", 3, "M"], "y": [2, "N", "M"]}
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
        names = [n.output[0] for n in self.nodes]
        outputs = [onnx.ValueInfoProto(name=n) for n in names]
        graph = helper.make_graph(self.nodes, "shapes", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


@pytest.mark.parametrize("seed", range(40))
def test_what_is_known_holds(seed: int) -> None:
    model = Program(seed).model()
    reference = ReferenceEvaluator(model)
    try:
        graph = og.load(model)
    except og.OnnxgradError:
        for sizes in SIZES:  # refused, so it cannot run with any sizes
            with pytest.raises(Exception, match=".*"):
                reference.run(None, feeds(sizes))
        return
    for sizes in SIZES:
        try:
            results = reference.run(None, feeds(sizes))
        except (IndexError, RuntimeError, TypeError, ValueError):
            continue  # these shapes do not fit each other
        for value, actual in zip(graph.outputs, results, strict=True):
            holds(value, np.asarray(actual), sizes)


def feeds(sizes: dict[str, int]) -> dict[str, np.ndarray]:
    n, m = sizes["N"], sizes["M"]
    return {"x": np.zeros((n, 3, m), np.float32), "y": np.zeros((2, n, m), np.float32)}


def holds(value: og.Value, actual: np.ndarray, sizes: dict[str, int]) -> None:
    assert isinstance(value.type, TensorType)
    if value.shape is not None:
        assert len(value.shape) == actual.ndim
        for dim, size in zip(value.shape, actual.shape, strict=True):
            assert evaluate(dim, sizes) in (size, None)
    if value.constant is not None:
        np.testing.assert_array_equal(value.constant, actual)
    if value.elements is not None:
        for element, number in zip(value.elements, actual.ravel(), strict=True):
            assert evaluate(element, sizes) in (int(number), None)


@pytest.mark.parametrize("number", [2**40, -(2**31) - 1])
def test_numbers_that_wrap_around(number: int) -> None:
    b = og.Builder("wrap")
    x = b.input("x", "float32", ("N",))
    narrow = b.op.Cast(b.op.Add(b.op.Mul(b.op.Shape(x), 0), number), to="int32")
    twice = b.op.Mul(b.op.Cast(narrow, to="int64"), 2**62)
    b.output(narrow, "narrow")
    b.output(b.op.Mul(twice, 4), "twice")
    results = og.compile(b.build())(x=np.zeros(2, np.float32))
    assert results["narrow"] == np.array([number]).astype(np.int32)
    assert results["twice"] == 0


@pytest.mark.parametrize("op_type", ["Max", "Min"])
@pytest.mark.parametrize("count", [1, 3])
def test_any_number_of_inputs(op_type: str, count: int) -> None:
    """torch writes Max of one input for `x[mask]`; with three, all of them count."""
    b = og.Builder("shapes")
    sizes = [b.op.Shape(b.input(f"x{k}", "float32", (size,))) for k, size in enumerate([2, 3, 5])]
    y = getattr(b.op, op_type)(*(sizes if count == 3 else sizes[1:2]))
    b.output(b.op.ConstantOfShape(y), "y")
    graph = b.build()
    feeds = {f"x{k}": np.zeros(size, np.float32) for k, size in enumerate([2, 3, 5])}
    expected = 3 if count == 1 else 5 if op_type == "Max" else 2
    assert graph.outputs[0].shape == (expected,)
    assert og.compile(graph).run(feeds)["y"].shape == (expected,)


def test_a_sum_of_very_many_sizes_gets_a_name_of_its_own() -> None:
    few, many = [f"n{k}" for k in range(60)], [f"n{k}" for k in range(5000)]
    assert sum_of([*few, 3]) == sum_of([3, *few[::-1]])
    assert sum_of([*many, *map(negate, many[1:])]) == "n0"
    joined = sum_of(many)
    assert isinstance(joined, str) and len(joined) < 20 and "-" not in joined
    assert add(joined, negate(joined)) == 0
    assert "-" in str(sum_of([*many, -1])), "this may be negative: it is not a size"


def test_thousands_of_parts_of_unknown_sizes_are_split_and_joined() -> None:
    count = 3000
    b = og.Builder()
    x, sizes = b.input("x", "float32", ("N",)), b.input("sizes", "int64", (count,))
    parts = b.op.Split(x, sizes, outputs=count)
    b.output(b.op.Concat(*parts[::-1], axis=0), "y")
    graph = og.vjp(b.build(), "y", "x")
    lengths = np.arange(count) % 3
    given = np.arange(lengths.sum(), dtype=np.float32)
    f = og.compile(graph)
    results = f.run({"x": given, "sizes": lengths, "y.grad": 2 * given})
    cuts = np.cumsum(lengths)[:-1]
    expected = np.concatenate(np.split(given, cuts)[::-1])
    np.testing.assert_array_equal(results["y"], expected)
    backwards = np.split(2 * given, np.cumsum(lengths[::-1])[:-1])[::-1]
    np.testing.assert_array_equal(results["x.grad"], np.concatenate(backwards))


@pytest.mark.parametrize("end", [2**31 - 1, 2**63 - 1, "N"])
def test_an_axis_that_is_not_cut_keeps_its_name(end: int | str) -> None:
    b = og.Builder("shapes")
    x = b.input("x", "float32", ("N", 4, "M"))
    ends = b.op.Concat(b.op.Shape(x, end=1), [1, 3], axis=0) if end == "N" else [end, 1, 3]
    b.output(b.op.Slice(x, [0, 0, 0], ends, [0, 1, 2]), "y")
    shape = b.build().outputs[0].shape
    assert shape is not None and shape[0] == "N" and shape[1] != 4 and shape[2] != "M"
