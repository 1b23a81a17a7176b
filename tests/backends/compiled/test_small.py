"""Small graphs as one compiled function, against kernels in float64, torch and closed forms."""

from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import assert_close, cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample
from prepared_samples import Feeds, harmed
from threads import together
from trajectories import FEEDS, STORED, regression

import onnxgrad as og
from onnxgrad.backends.compiled.small import SmallExecutable

OPERATORS = [
    "Concat", "Einsum", "Expand", "Gather", "Gemm", "LayerNormalization", "LogSoftmax",
    "MatMul", "NegativeLogLikelihoodLoss", "Pad", "ReduceL2", "ReduceLogSumExp", "ReduceMax",
    "ReduceMean", "ReduceSum", "Relu", "Reshape", "RMSNormalization", "Slice", "Softmax",
    "SoftmaxCrossEntropyLoss", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze",
]  # fmt: skip
FORMULAS = [
    "Abs", "Acos", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf",
    "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mish",
    "Neg", "PRelu", "Reciprocal", "Relu", "Selu", "Shrink", "Sigmoid", "Sin", "Sinh", "Softplus",
    "Softsign", "Sqrt", "Sub", "Sum", "SwiGLU", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where",
]  # fmt: skip
OPTIMIZERS: dict[str, og.optim.Optimizer] = {
    "sgd_nesterov": og.optim.SGD(0.05, momentum=0.8, nesterov=True, weight_decay=0.01),
    "adam": og.optim.Adam(0.05, b1=0.8, b2=0.99, eps=1e-6),
    "adamw": og.optim.AdamW(0.05, weight_decay=0.1),
    "accumulate": og.optim.accumulate(og.optim.Adam(0.05), 4),
}
MOST = 2
"""Samples of each operator, as to compile one takes a third of a second."""


def chosen() -> list[Sample]:
    """Choose samples that are unlike each other."""
    found = []
    for name in OPERATORS:
        own = [s for s in SAMPLES if s.op == name and s.attributes.get("mode") is None]
        found += own[:: -(-len(own) // MOST)]
    return found


def small(graph: og.Graph) -> Any:
    """Compile a graph, which must become one function that leaves nothing to the kernels."""
    compiled = og.compile(graph, "numba")
    assert isinstance(compiled._executable, SmallExecutable)
    compiled._executable.kernels = None  # type: ignore[assignment]
    return compiled


def case(sample: Sample, dtype: Any) -> tuple[og.Graph, Feeds]:
    """Give a sample forward and backward, and feeds."""
    graph = graph_of(sample, dtype=dtype)
    of, feeds = float_outputs(graph), feeds_of(graph, sample)
    seeds = cotangents(og.compile(graph).run(feeds), of)
    return og.vjp(graph, of, wrt_of(sample), allow_unused=True), feeds | seeds


def check(graph: og.Graph, wide: og.Graph, feeds: Feeds, within: float) -> None:
    """Hold a graph against the same in float64, also on NaN and infinities."""
    run, reference = small(graph).run, og.compile(wide).run
    for given in (feeds, harmed(feeds)):
        found = run({v.name: given[v.name].astype(v.dtype) for v in graph.inputs})
        for value, (name, expected) in zip(graph.outputs, reference(given).items(), strict=True):
            assert found[name].dtype == value.dtype and found[name].shape == expected.shape
            finite = np.isfinite(expected)
            np.testing.assert_array_equal(found[name][~finite], expected[~finite], err_msg=name)
            assert_close(found[name][finite], expected[finite], within)


@pytest.mark.parametrize("sample", chosen(), ids=str)
def test_values_and_gradients(sample: Sample) -> None:
    single = sample.op in ("LayerNormalization", "Softmax")  # float64 has statistics in float32
    (graph, _), (wide, feeds) = (case(sample, t) for t in (np.float32 if single else None, None))
    check(graph, wide, feeds, 3e-6 if single else 1e-12)


def formulas(dtype: Any) -> tuple[og.Graph, Feeds]:
    """Give all formulas in one graph, and feeds."""
    feeds: Feeds = {}
    given: dict[bytes, Any] = {}
    b = og.Builder()
    for name in FORMULAS:
        sample = next(s for s in SAMPLES if s.op == name)
        arrays = [a for a in sample.inputs if a is not None]
        for array in arrays:
            if array.tobytes() not in given:
                own = array.astype(dtype) if array.dtype == np.float64 else array
                feeds[f"x{len(feeds)}"] = own.astype(array.dtype)
                given[array.tobytes()] = b.input([*feeds][-1], own.dtype, own.shape)
        inputs = [given[a.tobytes()] for a in arrays]
        b.output(getattr(b.op, name)(*inputs, **sample.attributes), name)
    return b.build(), feeds


def test_formulas() -> None:
    graph, feeds = formulas(np.float32)
    check(graph, formulas(np.float64)[0], feeds, 1e-6)


def test_casts() -> None:
    b = og.Builder()
    numbers = {
        "bool": np.array([False, True]),
        "int32": np.array([-3, 0], np.int32),
        "int64": np.array([2**40 + 1, 0]),
        "float32": np.array([np.nan, -0.0], np.float32),
        "float64": np.array([0.1, 1e300]),
    }
    expected: Feeds = {}
    for source, array in numbers.items():
        x = b.input(source, source, (2,))
        for target in ("bool", "int64", "float32", "float64"):
            if source[0] != "f" or target != "int64":
                b.output(b.op.Identity(b.op.Cast(x, to=target)), f"{source} {target}")
                with np.errstate(over="ignore"):
                    expected[f"{source} {target}"] = array.astype(target)
    found = small(b.build()).run(numbers)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=True, err_msg=name)


def test_sums_of_many_products() -> None:
    feeds: Feeds = {}
    expected: Feeds = {}
    b = og.Builder()
    rng = np.random.default_rng(0)
    for pairs in (0, 1, 31, 32, 33, 64, 65, 100):
        x, w = rng.normal(size=(5, pairs)), rng.normal(size=(6, pairs))
        feeds |= {f"x{pairs}": x, f"w{pairs}": w}
        given = b.input(f"x{pairs}", "float64", x.shape), b.input(f"w{pairs}", "float64", w.shape)
        b.output(b.op.Gemm(*given, b.constant(np.arange(6.0)), transB=1, alpha=2.0), f"y{pairs}")
        expected[f"y{pairs}"] = 2 * x @ w.T + np.arange(6)
    for name, found in small(b.build()).run(feeds).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_torch(name: str) -> None:
    step = og.train_step(regression(rows=len(FEEDS["x"])), optimizer=OPTIMIZERS[name])
    trainer = small(step).stepper()
    for k, loss in enumerate(STORED[f"{name}.loss"]):
        rolled = np.roll(FEEDS["x"], k, 0) if name == "accumulate" else FEEDS["x"]
        result = trainer.run(FEEDS | {"x": rolled})
        assert list(result) == ["loss"] and result["loss"].shape == ()
        np.testing.assert_allclose(result["loss"], loss, rtol=1e-9)
        state = trainer.state()
        for parameter in "wc":
            expected = STORED[f"{name}.{parameter}"][k]
            np.testing.assert_allclose(state[parameter], expected, rtol=1e-9, atol=1e-12)


def decay() -> og.Graph:
    """w.new = w / 2 + the sum of x over rows, n.new = n + 1; and outputs that are not fed back."""
    b = og.Builder("decay")
    x, w = b.input("x", "float32", (2, 3)), b.input("w", "float32", (3,))
    n = b.input("n", "int64", ())
    b.output(b.op.Identity(x), "same")
    b.output(x * w, "y")
    b.output(w * np.float32(0.5) + b.op.ReduceSum(x, np.array([0]), keepdims=0), "w.new")
    b.output(n + np.int64(1), "n.new")
    return b.build()


STATE: Any = {"w": np.ones(3, "f4"), "n": np.array(5)}


def test_steps_leave_what_is_not_theirs_alone() -> None:
    first = {name: array.copy() for name, array in STATE.items()}
    step = small(decay()).stepper(first)
    w, kept = np.ones(3), []
    for k in range(5):
        x = np.full((2, 3), k, np.float32)
        results = step.run({"x": x})
        assert list(results) == ["same", "y"]
        kept.append((results, x, x * w))
        x = x.copy()
        w = w / 2 + x.sum(0)
        state = step.state()
        np.testing.assert_array_equal(state["w"], w)
        assert state["n"] == 6 + k
        state["w"][:] = 7  # a copy
    for results, x, y in kept:  # later steps have not written over what earlier ones gave
        np.testing.assert_array_equal(results["y"], y)
        np.testing.assert_array_equal(results["same"], x)
        assert not np.shares_memory(results["same"], x)
    np.testing.assert_array_equal(first["w"], 1)


def test_outputs_share_no_memory() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2, 3))
    y = x + 1
    turned = b.op.Transpose(y)
    for name, value in {"x0": b.op.Identity(x), "y": y, "y0": b.op.Identity(y)}.items():
        b.output(value, name)
    b.output(b.op.Reshape(turned, [6]), "flat")
    b.output(b.op.Concat(turned, b.constant(np.ones((3, 2), "f4")), axis=0), "joined")
    run, given = small(b.build()).run, np.arange(6, dtype="f4").reshape(2, 3)
    found, again = run({"x": given}), run({"x": given})
    arrays = [given, *found.values(), *again.values()]
    for k, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[k + 1 :])
    np.testing.assert_array_equal(found["x0"], given)
    np.testing.assert_array_equal(found["y0"], given + 1)
    np.testing.assert_array_equal(found["flat"], (given + 1).T.reshape(-1))
    np.testing.assert_array_equal(found["joined"], np.vstack([(given + 1).T, np.ones((3, 2))]))


def test_arrays_may_lie_as_they_like() -> None:
    run, w = small(decay()).run, np.ones(3, np.float32)
    wide = np.arange(12, dtype=np.float32).reshape(2, 6)
    fixed = wide[:, ::2].copy()
    fixed.flags.writeable = False
    packed = np.zeros(2, np.dtype([("byte", "i1"), ("x", "3f4")]))
    packed["x"] = fixed
    others = (packed["x"], fixed.view(np.recarray), np.asfortranarray(fixed), fixed.tolist())
    for x in (wide[:, ::2], fixed, *others):
        found = run({"x": x, "w": w, "n": 1})
        np.testing.assert_array_equal(found["same"], fixed)
        assert found["n.new"].dtype == np.int64 and found["n.new"] == 2


def test_wrong_feeds_are_refused() -> None:
    compiled, x = small(decay()), np.ones((2, 3), "f4")
    step = compiled.stepper(STATE)
    for message, wrong in {
        "missing: x": {},
        "not an input: z": {"x": x, "z": x},
        "wants float32": {"x": x.astype("f8")},
        "got the shape": {"x": x[:1]},
    }.items():
        with pytest.raises(og.GraphError, match=message):
            step.run(wrong)
        with pytest.raises(og.GraphError, match=message):
            compiled.run(STATE | wrong)
    with pytest.raises(og.GraphError, match="is fed back"):
        step.run({"x": x, "w": x[0]})
    np.testing.assert_array_equal(step.run({"x": x})["y"], x)  # the state is as it was


def labelled(ignored: int | None = None) -> og.Graph:
    """A step of a classifier of three classes."""
    b = og.Builder()
    x, label = b.input("x", "float64", (4, 2)), b.input("label", "int64", (4,))
    logits = x @ b.parameter("w", np.ones((2, 3)))
    attributes = {} if ignored is None else {"ignore_index": ignored}
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, label, **attributes), "loss")
    return og.train_step(b.build(), loss="loss", optimizer=og.optim.SGD(0.1))


def test_labels_that_are_no_classes() -> None:
    compiled = og.compile(labelled(), "numba")
    assert isinstance(compiled._executable, SmallExecutable)
    step, other = compiled.stepper(), og.compile(labelled()).stepper()
    x = np.random.default_rng(0).normal(size=(4, 2))
    for label in ([0, 1, 2, 2], [-1, 0, 1, 2], [2, 2, 2, 2]):  # -1 is the last one, as in NumPy
        feeds = {"x": x, "label": np.array(label)}
        np.testing.assert_allclose(step.run(feeds)["loss"], other.run(feeds)["loss"], rtol=1e-12)
    for wrong in (3, -4, 2**40):
        with pytest.raises(og.GraphError, match="out of bounds"):
            step.run({"x": x, "label": np.array([0, wrong, 1, 2])})
    np.testing.assert_allclose(step.state()["w"], other.state()["w"], rtol=1e-12)
    ignoring = small(labelled(ignored=9)).stepper()
    loss = ignoring.run({"x": x, "label": np.array([9, 0, 9, 1])})["loss"]
    np.testing.assert_allclose(loss, np.log(3), rtol=1e-12)


def test_indices_that_are_out_of_range() -> None:
    b = og.Builder()
    x, at = b.input("x", "float64", (2, 3)), b.input("at", "int32", (2, 1))
    b.output(b.op.Gather(x, at, axis=1), "y")
    graph = og.vjp(b.build(), of="y", wrt=["x"])
    run = og.compile(graph, "numba")
    assert isinstance(run._executable, SmallExecutable)
    given: Any = {"x": np.arange(6.0).reshape(2, 3), "y.grad": np.ones((2, 2, 1))}
    found = run(at=np.array([[-1], [0]], np.int32), **given)
    np.testing.assert_array_equal(found["y"][..., 0], [[2, 0], [5, 3]])
    np.testing.assert_array_equal(found["x.grad"], [[1, 0, 1]] * 2)
    for wrong in (3, -4):
        with pytest.raises(og.GraphError, match="out of bounds"):
            run(at=np.array([[0], [wrong]], np.int32), **given)


def test_arrays_without_elements() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (0, 3))
    ones = b.constant(np.ones((3, 2), "f4"))
    values = {"product": x @ ones, "turned": b.op.Transpose(ones @ b.op.Transpose(ones) * 0)}
    for op_type in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceProd"):
        values[op_type] = getattr(b.op, op_type)(x, np.array([0]), keepdims=0)
    values["softmax"] = b.op.Softmax(x)
    values["joined"] = b.op.Concat(x, b.op.Transpose(ones), axis=0)
    for name, value in values.items():
        b.output(value, name)
    found = small(b.build()).run({"x": np.empty((0, 3), "f4")})
    assert found["product"].shape == (0, 2) and found["softmax"].shape == (0, 3)
    np.testing.assert_array_equal(found["ReduceSum"], 0)
    np.testing.assert_array_equal(found["ReduceMean"], np.nan)
    np.testing.assert_array_equal(found["ReduceMax"], -np.inf)
    np.testing.assert_array_equal(found["ReduceProd"], 1)
    np.testing.assert_array_equal(found["joined"], np.ones((2, 3)))


def test_threads_run_one_executable() -> None:
    run = small(og.train_step(regression(rows=6), optimizer=OPTIMIZERS["adam"])).run
    feeds = [{name: array + k for name, array in FEEDS.items()} for k in range(4)]
    expected = [run(f) for f in feeds]

    def work(group: Any) -> None:
        for _ in range(300):
            for name, array in run(feeds[group.rank]).items():
                np.testing.assert_array_equal(array, expected[group.rank][name])

    together(4, work)


@pytest.mark.parametrize("what", ["large", "open", "half", "unwritten", "fed axes"])
def test_what_runs_node_by_node(what: str) -> None:
    b = og.Builder()
    shape: Any = {"large": (100, 100), "open": ("n", 3)}.get(what, (4, 3))
    x = b.input("x", "float16" if what == "half" else "float32", shape)
    y = x + x
    feeds = {"x": np.ones([7 if n == "n" else n for n in shape], x.dtype)}
    if what == "unwritten":
        y = b.op.CumSum(y, b.constant(np.array(0)))
    if what == "fed axes":
        y = b.op.ReduceSum(y, b.input("axes", "int64", (1,)))
        feeds["axes"] = np.array([1])
    b.output(y, "y")
    compiled = og.compile(b.build(), "numba")
    assert not isinstance(compiled._executable, SmallExecutable)
    expected = {
        "unwritten": np.cumsum(2 * feeds["x"], 0),
        "fed axes": np.full((4, 1), 6.0),
    }.get(what, 2 * feeds["x"])
    np.testing.assert_array_equal(compiled.run(feeds)["y"], expected)
