"""The backend openvino against NumPy's; where OpenVINO is not installed this file is skipped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backend_cases import judge
from edge_calls import EDGES
from folded_and_fed import feeds_of, graph_of, on_onnxruntime
from op_samples import SAMPLES
from op_samples.sample import Sample

import onnxgrad as og

pytest.importorskip("openvino")


def run(op_type: str, *inputs: Any, backend: str = "openvino", **attributes: Any) -> Any:
    b = og.Builder(op_type)
    tensors = [b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(inputs)]
    b.output(getattr(b.op, op_type)(*tensors, **attributes), "y")
    return og.compile(b.build(), backend).run({f"x{k}": a for k, a in enumerate(inputs)})["y"]


def network(batch: int | str = 6) -> og.Graph:
    """Two convolutions with BatchNormalization in training mode, and a loss."""
    b, random = og.Builder("net"), np.random.default_rng(0)

    def weight(name: str, *shape: int) -> Any:
        return b.parameter(name, random.normal(size=shape).astype("f4") / 4)

    x, label = b.input("x", "float32", (batch, 1, 8, 8)), b.input("label", "int64", (batch,))
    h = b.op.Conv(x, weight("w1", 16, 1, 3, 3), pads=[1] * 4)
    ones, zeros = np.ones(16, np.float32), np.zeros(16, np.float32)
    parts = [b.parameter(f"p{k}", v) for k, v in enumerate((ones, zeros, zeros, ones))]
    h = b.op.Relu(b.op.BatchNormalization(h, *parts, training_mode=1, outputs=3)[0])
    h = b.op.Relu(b.op.Conv(h, weight("w2", 4, 16, 3, 3), strides=[2, 2]))
    logits = b.op.Flatten(h) @ weight("w3", 36, 3)
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, label), "loss")
    return b.build()


@pytest.mark.parametrize("batch", [6, "N"], ids=["static", "symbolic"])
def test_training_goes_as_on_numpy(batch: int | str) -> None:
    step = og.train_step(network(batch), "loss", og.optim.Adam(0.01))
    ours, theirs = (og.compile(step, name).stepper() for name in ("openvino", "numpy"))
    random, kept = np.random.default_rng(1), []
    for k in range(6):
        count = 6 if batch == 6 else 4 + k % 2
        x = random.normal(size=(count, 1, 8, 8)).astype("f4")
        feeds = {"x": x, "label": random.integers(0, 3, count)}
        expected = theirs.run(feeds)["loss"]
        kept.append((ours.run(feeds)["loss"], expected))
    for actual, expected in kept:  # later steps have not written over earlier losses
        np.testing.assert_allclose(actual, expected, rtol=1e-4)
    for name, array in theirs.state().items():
        np.testing.assert_allclose(ours.state()[name], array, rtol=1e-2, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("batch", [4, 8])
@pytest.mark.parametrize("kind", ["Gemm", "MatMul", "Conv"])
def test_square_weights_are_read_both_ways(kind: str, batch: int) -> None:
    b, random = og.Builder("square"), np.random.default_rng(0)
    w = b.constant(random.normal(size=(8, 8, 1, 1) if kind == "Conv" else (8, 8)).astype("f4"))
    x = b.input("x", "float32", (batch, 8, 1, 1) if kind == "Conv" else (batch, 8))
    h = x
    for _ in range(2):
        h = b.op.Tanh(getattr(b.op, kind)(h, w))
    b.output(h, "y")
    g = og.vjp(b.build(), "y", ["x"])
    feeds = {
        v.name: random.normal(size=[int(d) for d in v.shape or ()]).astype("f4") for v in g.inputs
    }
    actual, expected = (og.compile(g, name).run(feeds) for name in ("openvino", "numpy"))
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", [("N", "M"), (2, 2)])
def test_an_input_that_nothing_reads_is_taken(sizes: tuple[int | str, int | str]) -> None:
    """OpenVINO leaves such an input out, and counts the others anew."""
    b = og.Builder("unread")
    b.input("first", "float32", (sizes[0], 3))
    x, w = b.input("x", "float32", (2,)), b.parameter("w", np.ones(2, np.float32))
    b.input("last", "float32", (sizes[1],))
    b.output(b.op.ReduceSum(b.op.Exp(x * w), keepdims=0), "loss")
    graph = b.build()
    ones = {n: np.ones(s, np.float32) for n, s in [("first", (2, 3)), ("x", (2,)), ("last", (2,))]}
    found = og.compile(graph, "openvino").run(ones)["loss"]
    np.testing.assert_allclose(found, 2 * np.e, rtol=1e-6)
    step = og.train_step(graph, "loss", og.optim.SGD(0.1))
    steppers = [og.compile(step, backend).stepper() for backend in ("openvino", "numpy")]
    for _ in range(3):
        here, there = (stepper(**ones)["loss"] for stepper in steppers)
        np.testing.assert_allclose(here, there, rtol=1e-5)


def test_arrays_without_elements_run_on_numpy() -> None:
    x = np.zeros((0, 3), np.float32)
    assert run("Relu", x).shape == (0, 3)
    b = og.Builder("sum")
    x_, w = b.input("x", "float32", ("N", 3)), b.input("w", "float32", (3,))
    b.output(w + b.op.ReduceSum(x_, [0], keepdims=0), "w.new")
    step = og.compile(b.build(), "openvino").stepper({"w": np.ones(3, "f4")})
    step(x=x)
    step(x=np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(step.state()["w"], 3)


def test_what_openvino_lacks_runs_by_its_body_or_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("f4")
    np.testing.assert_allclose(run("Celu", x), run("Celu", x, backend="numpy"), rtol=1e-6)
    with pytest.raises(og.UnsupportedOpError, match="OpenVINO cannot run Det"):
        run("Det", x[:3, :3])


@pytest.mark.parametrize("dtype", ["float64", "uint64"])
def test_what_it_would_compute_in_fewer_bits_is_refused(dtype: str) -> None:
    with pytest.raises(og.UnsupportedOpError, match=f"computes {dtype} in 32 bits"):
        run("Add", np.ones(2, dtype), np.ones(2, dtype))
    with pytest.raises(og.GraphError, match="holds 3000000000; OpenVINO computes int64 in 32"):
        run("Add", np.array([3_000_000_000]), np.array([1]))
    with pytest.raises(og.GraphError, match="holds -9223372036854775808; OpenVINO computes"):
        run("Add", np.array([-(2**63)]), np.array([1]))


def test_what_it_computes_otherwise_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype("f4")
    with pytest.raises(og.UnsupportedOpError, match="another result than ONNX's standard for LRN"):
        run("LRN", x, size=4)
    with pytest.raises(og.UnsupportedOpError, match="another result than ONNX's standard for LRN"):
        run("LRN", x, size=3, bias=1.5)  # of which it takes the whole part
    assert np.abs(run("LRN", x, size=3, bias=2.0) - x / 2**0.75).max() < 1e-3
    left = run("BitShift", np.full(2, 255, np.uint8), np.ones(2, np.uint8), direction="LEFT")
    np.testing.assert_array_equal(left, [254, 254])
    with pytest.raises(og.UnsupportedOpError, match="for Pad"):
        run("Pad", x, np.array([0, 0, 0, 0, 0, 0, 1, 1]), np.array(3, np.float32))
    minus = np.full((2, 3), -np.inf, np.float32)
    np.testing.assert_array_equal(run("ReduceMax", minus), [[-np.inf]])


def test_a_kernel_whose_sizes_are_unknown_is_refused_with_a_way_out() -> None:
    b = og.Builder("conv")
    x, w = b.input("x", "float32", (1, 2, 8, 8)), b.input("w", "float32", ("M", 2, "k", "k"))
    b.output(b.op.Conv(x, w), "y")
    with pytest.raises(og.UnsupportedOpError, match="cannot run Conv.*load the model with shapes"):
        og.compile(b.build(), "openvino")


@pytest.mark.parametrize("p", [1, 2])
def test_a_short_vector_is_normalized_to_length_one(p: int) -> None:
    """It divided by 1.2e-7 more, so that a vector of 1e-4 had the length 0.7."""
    vectors = np.array([[1e-4, -2e-4, 2e-4], [3e-7, 0, 0]], np.float32)
    length = np.array([[5e-4], [3e-7]]) if p == 1 else np.array([[3e-4], [3e-7]])
    np.testing.assert_allclose(run("LpNormalization", vectors, p=p), vectors / length, rtol=1e-5)
    b = og.Builder("one")
    b.output(b.op.LpNormalization(b.input("x", "float32", (4, 1)), p=p), "y")
    gradient = og.compile(og.vjp(b.build(), "y", "x"), "openvino")
    x = np.array([[1e-4], [-0.1], [3], [0]], np.float32)
    feeds = {"x": x, "y.grad": np.ones((4, 1), np.float32)}
    np.testing.assert_array_equal(gradient.run(feeds)["x.grad"], 0)


@pytest.mark.parametrize("op", ["MatMulInteger", "NonMaxSuppression", "QLinearConv"])
def test_edges_are_those_of_onnxruntime_or_refused(op: str) -> None:
    """It kept an axis of vectors, no box beside another, and the scales of maps along no map."""
    random, ran = np.random.default_rng(7), 0
    for _ in range(40):
        call = EDGES[op](random, op)
        fed = range(len(call.inputs))
        stock, graph = on_onnxruntime(call, fed), graph_of(call, fed)
        try:
            found = og.compile(graph, "openvino").run(feeds_of(graph, call))
        except og.UnsupportedOpError:
            continue
        for y, expected in zip(found.values(), stock or [], strict=False):
            ran += 1
            np.testing.assert_array_equal(y, expected, err_msg=str(call))
    assert ran > 5


@pytest.mark.parametrize("by_file", [False, True])
def test_weights_of_four_bits_are_taken_apart(by_file: bool, tmp_path: Path) -> None:
    """It rounded what it shifted: 217 >> 4 was 14."""
    random = np.random.default_rng(3)
    x, scale = random.normal(size=(3, 64)).astype("f4"), random.random((5, 4)).astype("f4")
    low, high = random.integers(0, 16, (2, 5, 4, 8))
    b = og.Builder("packed")
    weight = (low + 16 * high).astype(np.uint8)
    y = b.op.MatMulNBits(
        b.input("x", "float32", x.shape), weight, scale.ravel(), domain="com.microsoft",
        K=64, N=5, bits=4, block_size=16,
    )  # fmt: skip
    b.output(y, "y")
    graph = b.build()
    if by_file:
        og.save(graph, tmp_path / "packed.onnx", runtime="openvino")
        graph = og.load(tmp_path / "packed.onnx")
    steps = np.stack([low, high], -1).reshape(5, 4, 16) - 8
    expected = x @ (steps * scale[..., None]).reshape(5, 64).T
    found = og.compile(graph, "openvino").run({"x": x})["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


WERE_WRONG = [
    s
    for s in SAMPLES
    if s.op in ("RoiAlign", "LSTM")
    or "keep_aspect_ratio_policy" in s.attributes
    or s.attributes.get("auto_pad") == "SAME_LOWER"
    or (s.op == "ReduceSum" and s.inputs[0] is not None and not s.inputs[0].ndim)
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("sample", [*SAMPLES[::40], *WERE_WRONG], ids=str)
def test_gradients_of_samples_are_those_of_numpy(sample: Sample, symbolic: bool) -> None:
    """And by themselves. Every fortieth; tests/benchmarks/backend_sweep.py runs them all."""
    assert judge(sample, "openvino", symbolic) in ("same", "refused")


def _matmuls(op: Any, x: Any, w: Any) -> Any:
    return x @ w, x @ op.Transpose(w, perm=[1, 0])


def _convolutions(op: Any, x: Any, w: Any) -> Any:
    image, weight = op.Reshape(x, [16, 64, 1, 1]), op.Reshape(w, [64, 64, 1, 1])
    return op.ConvTranspose(image, weight), op.Conv(image, weight)


PRODUCTS: dict[str, Any] = {
    "Gemm": lambda op, x, w: (op.Gemm(x, w), op.Gemm(x, w, transB=1)),
    "MatMul": _matmuls,
    "Tanh": lambda op, x, w: _matmuls(op, x, op.Tanh(w)),
    "Conv": _convolutions,
}
"""x·w and x·wᵀ, by the operator that is told apart; Tanh of a constant is one, too."""


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_square_weight_is_not_taken_for_its_transpose(name: str) -> None:
    random = np.random.default_rng(0)
    x, w = (random.normal(size=(k, 64)).astype("f4") for k in (16, 64))
    b = og.Builder(name)
    made = PRODUCTS[name](b.op, b.input("x", "float32", (16, 64)), b.parameter("w", w))
    for key, product in zip(("plain", "transposed"), made, strict=True):
        b.output(product, key)
    taken = np.tanh(w) if name == "Tanh" else w
    found = og.compile(b.build(), "openvino").run({"x": x})
    for key, right in (("plain", taken), ("transposed", taken.T)):
        np.testing.assert_allclose(found[key].reshape(16, 64), x @ right, atol=1e-4, err_msg=key)


def test_quantized_weights_leave_what_they_meet_alone() -> None:
    random = np.random.default_rng(0)
    x, w = random.normal(size=(16, 64)).astype("f4"), random.integers(-100, 100, (64, 64))
    b = og.Builder()
    weight = b.op.DequantizeLinear(w.astype(np.int8), np.float32(0.1))
    b.output(b.input("x", "float32", (16, 64)) @ weight, "y")
    found = og.compile(b.build(), "openvino").run({"x": x})["y"]
    np.testing.assert_allclose(found, x @ (w * np.float32(0.1)), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_bytes_wrap_around(dtype: Any) -> None:
    """OpenVINO's saturate, and round a quotient."""
    limits: Any = np.iinfo(dtype)
    x: Any
    y: Any
    x, y = np.meshgrid(*[np.array([limits.min, limits.max, 3, 7, 100], dtype)] * 2)
    for op in ("Add", "Sub", "Mul"):
        expected = getattr(np, {"Sub": "subtract", "Mul": "multiply"}.get(op, "add"))(x, y)
        np.testing.assert_array_equal(run(op, x, y), expected)
    quotients = [int(a / 7) for a in (limits.min, limits.max, 3, 7, 100)]
    assert run("Div", x[0], np.full(5, 7, dtype)).tolist() == quotients


@pytest.mark.parametrize("shape", [(2, 3), ("N", "M")], ids=["static", "symbolic"])
def test_an_input_keeps_its_name_where_nothing_is_dropped(shape: tuple[Any, ...]) -> None:
    """OpenVINO's reader gave it that of Dropout's output: nothing was fed, garbage came out."""
    b = og.Builder("drop")
    x = b.input("x", "float32", shape)
    y, kept = b.op.Dropout(x, outputs=2)
    for name, tensor in (("y", y), ("kept", kept), ("z", b.op.Exp(x))):
        b.output(tensor, name)
    feed = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = og.compile(b.build(), "openvino").run({"x": feed})
    np.testing.assert_array_equal(found["y"], feed)
    assert found["kept"].all()
    assert found["kept"].shape == (2, 3)
    np.testing.assert_allclose(found["z"], np.exp(feed), rtol=1e-6)


def test_a_refusal_names_what_the_reader_stumbles_over() -> None:
    """It tells of a body that reads from outside after lines on where it looked."""
    b = og.Builder("walk")
    x, w = b.input("x", "float32", (3, 2)), b.input("w", "float32", (2,))
    body = b.subgraph(lambda u: u * w, ("float32", (2,)))
    b.output(b.op.Scan(x, body=body, num_scan_inputs=1, name="steps"), "y")
    with pytest.raises(og.UnsupportedOpError, match=r"Scan 'steps': .*Number of Scan node inputs"):
        og.compile(b.build(), "openvino")


def test_a_node_without_inputs_is_no_other_error() -> None:
    b = og.Builder("empty")
    x = b.input("x", "float32", (2,))
    sequence = b.op.SequenceInsert(b.op.SequenceEmpty(dtype="float32"), x)
    b.output(b.op.SequenceAt(sequence, 0) + b.op.RandomNormal(shape=[2], scale=0.0), "y")
    try:
        run = og.compile(b.build(), "openvino").run
    except og.UnsupportedOpError:
        return
    assert run({"x": np.ones(2, np.float32)})["y"].tolist() == [1, 1]
