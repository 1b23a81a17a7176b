"""Losses: torch's values and gradients, closed forms, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxgrad as og

FIXTURE = Path(__file__).parents[1] / "fixtures" / "torch_losses" / "cases.npz"
STORED = dict(np.load(FIXTURE))
WEIGHT = STORED["weight"]
INPUTS = ("x", "label", "target", "positive", "lengths")

Loss = Callable[..., og.Graph]
CASES: dict[str, tuple[Loss, dict[str, Any]]] = {
    "plain": (og.losses.cross_entropy, {}),
    "ignored": (og.losses.cross_entropy, {"ignore_index": 2}),
    "smooth": (og.losses.cross_entropy, {"label_smoothing": 0.1}),
    "weighted": (og.losses.cross_entropy, {"weight": WEIGHT}),
    "both": (og.losses.cross_entropy, {"weight": WEIGHT, "label_smoothing": 0.2}),
    "tokens": (og.losses.cross_entropy, {"axis": -1, "weight": WEIGHT}),
    "images": (og.losses.cross_entropy, {"axis": 1, "weight": WEIGHT, "label_smoothing": 0.3}),
    "binary": (og.losses.binary_cross_entropy, {}),
    "positive": (og.losses.binary_cross_entropy, {"positive_weight": 2.5}),
    "mse": (og.losses.mse, {}),
    "l1": (og.losses.l1, {}),
    "huber": (og.losses.huber, {"delta": 1.5}),
    "kl": (og.losses.kl_divergence, {}),
    "cosine": (og.losses.cosine, {}),
    "info_nce": (og.losses.info_nce, {"temperature": 0.1}),
    "ctc": (og.losses.ctc, {}),
    "ctc_lengths": (og.losses.ctc, {"lengths": "lengths"}),
}


def network(
    shape: tuple[int | str, ...], dtype: str = "float64", last: str = "Identity"
) -> og.Graph:
    """An input x that becomes, by one last node, the output logits."""
    b = og.Builder("network")
    axis = {"axis": 1} if last.endswith("Softmax") else {}
    b.output(getattr(b.op, last)(b.input("x", dtype, shape), **axis), "logits")
    return b.build()


def stored_feeds(name: str) -> dict[str, np.ndarray]:
    return {key: STORED[f"{name}.{key}"] for key in INPUTS if f"{name}.{key}" in STORED}


def open_shape(array: np.ndarray) -> tuple[int | str, ...]:
    """All sizes by name but the last two, which are numbers."""
    return tuple(f"d{k}" if k < array.ndim - 1 else n for k, n in enumerate(array.shape))


def run(graph: og.Graph, feeds: dict[str, Any], backend: str = "numpy") -> dict[str, np.ndarray]:
    return og.compile(graph, backend).run(feeds)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_torchs(name: str, backend: str) -> None:
    loss, settings = CASES[name]
    feeds = stored_feeds(name)
    graph = loss(network(open_shape(feeds["x"])), **settings)
    results = run(og.grad(graph, "loss", "x"), feeds, backend)
    assert results["loss"].shape == ()
    np.testing.assert_allclose(results["loss"], STORED[f"{name}.loss"], rtol=1e-9)
    np.testing.assert_allclose(results["x.grad"], STORED[f"{name}.grad"], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_files_run_in_stock_onnxruntime(name: str) -> None:
    """In float32, where it has a kernel of everything; half precision is widened."""
    loss, settings = CASES[name]
    feeds = stored_feeds(name)
    for dtype, rtol in (("float32", 1e-4), ("float16", 1e-2)):
        graph = og.grad(loss(network(open_shape(feeds["x"]), dtype), **settings), "loss", "x")
        given = {k: v.astype(dtype) if v.dtype == np.float64 else v for k, v in feeds.items()}
        session = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
        value: Any = session.run(["loss"], given)[0]
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, STORED[f"{name}.loss"], rtol=rtol)


def test_closed_forms() -> None:
    """Equal logits: log of the number of classes; the mean is over what is not ignored."""
    feeds = {"x": np.zeros((4, 3)), "label": np.array([0, 2, -100, -100])}
    graph = og.grad(og.losses.cross_entropy(network(("N", 3))), "loss", "x")
    results = run(graph, feeds)
    np.testing.assert_allclose(results["loss"], np.log(3), rtol=1e-15)
    expected = np.array([[-2 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, -2 / 3], [0] * 3, [0] * 3]) / 2
    np.testing.assert_allclose(results["x.grad"], expected, atol=1e-16)
    # one label over two frames of three classes: blank-label, label-blank, label-label
    graph = og.losses.ctc(network((1, 2, 3)))
    value = run(graph, {"x": np.zeros((1, 2, 3)), "label": np.array([[1]])})["loss"]
    np.testing.assert_allclose(value, -np.log(3 / 9), rtol=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_what_is_ignored_may_be_nan(smoothing: float) -> None:
    graph = og.losses.cross_entropy(network(("N", 3)), label_smoothing=smoothing)
    feeds = {"x": np.array([[0.0, 1, 2], [np.nan] * 3]), "label": np.array([1, -100])}
    results = run(og.grad(graph, "loss", "x"), feeds)
    assert np.isfinite(results["loss"])
    np.testing.assert_array_equal(results["x.grad"][1], 0)
    assert np.isfinite(results["x.grad"]).all()


@pytest.mark.parametrize("label", [-1, 3, 2**40])
def test_labels_out_of_range_are_named(label: int) -> None:
    """The loss is NaN, and so is the gradient of that row; `check_labels` says which it is."""
    graph = og.losses.cross_entropy(network(("N", 3)), label_smoothing=0.1)
    feeds = {"x": np.zeros((3, 3)), "label": np.array([0, label, 1])}
    for backend in ("numpy", "onnxruntime"):
        results = run(og.grad(graph, "loss", "x"), feeds, backend)
        assert np.isnan(results["loss"])
        assert np.isnan(results["x.grad"][1]).all()
        assert np.isfinite(results["x.grad"][[0, 2]]).all()
    with pytest.raises(og.GraphError, match=rf"label\[1\] is {label}, but the classes are 0 to 2"):
        og.losses.check_labels(og.load(og.to_onnx(graph)), feeds)
    og.losses.check_labels(graph, {"label": np.array([0, -100, 2])})


@pytest.mark.parametrize(
    ("label", "value"),
    [([[1, 1]], np.inf), ([[0, -100]], np.nan), ([[-100, 1]], np.nan), ([[3, -100]], np.nan)],
)
def test_labels_that_ctc_cannot_read(label: list[list[int]], value: float) -> None:
    """Two equal labels need three frames; blank, padding first, and no class are no labels."""
    feeds = {"x": np.zeros((1, 2, 3)), "label": np.array(label)}
    results = run(og.grad(og.losses.ctc(network((1, 2, 3))), "loss", "x"), feeds)
    np.testing.assert_array_equal(results["loss"], value)
    assert not np.isfinite(results["x.grad"]).all()


@pytest.mark.parametrize("length", [-1, 3])
def test_more_frames_than_there_are(length: int) -> None:
    graph = og.losses.ctc(network((1, 2, 3)), lengths="lengths")
    feeds = {"x": np.zeros((1, 2, 3)), "label": np.array([[1]]), "lengths": np.array([length])}
    assert np.isnan(run(graph, feeds)["loss"])
    with pytest.raises(og.GraphError, match=r"label\[0, 0\] is 3, but the classes are 0 to 2"):
        og.losses.check_labels(graph, {"label": np.array([[3]])})


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_ctc_of_a_class_that_logits_exclude(backend: str) -> None:
    """It harms only labels that need it, whose loss is infinite."""
    x = np.zeros((1, 2, 4))
    x[:, :, 3] = -np.inf
    graph = og.grad(og.losses.ctc(network((1, 2, 4))), "loss", "x")
    results = run(graph, {"x": x, "label": np.array([[1]])}, backend)
    np.testing.assert_allclose(results["loss"], -np.log(3 / 9), rtol=1e-14)
    assert np.isfinite(results["x.grad"]).all()
    assert run(graph, {"x": x, "label": np.array([[3]])}, backend)["loss"] == np.inf


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        ("Softmax", og.losses.cross_entropy),
        ("LogSoftmax", og.losses.cross_entropy),
        ("Sigmoid", og.losses.binary_cross_entropy),
    ],
)
def test_a_last_softmax_is_part_of_the_loss(last: str, loss: Loss) -> None:
    feeds = stored_feeds("binary" if last == "Sigmoid" else "plain")
    with pytest.warns(UserWarning, match=f"from before {last} .*'x'"):
        graph = loss(network(("N", 5), last=last))
    expected = run(loss(network(("N", 5))), feeds)["loss"]
    np.testing.assert_array_equal(run(graph, feeds)["loss"], expected)


def test_a_last_softmax_is_seen_through_a_cast() -> None:
    b = og.Builder()
    b.output(b.op.Cast(b.op.Softmax(b.input("x", "float16", ("N", 3))), to="float32"), "y")
    with pytest.warns(UserWarning, match="from before Softmax"):
        graph = og.losses.cross_entropy(b.build())
    feeds = {"x": np.array([[0, 20, -20]], np.float16), "label": np.array([2])}
    assert run(graph, feeds)["loss"] == 40


def moved_softmax(move: Callable[[Any, Any], Any], last: str = "Softmax") -> og.Graph:
    """Class scores (N, 5), moved, through a last node, moved back by a function of op and y."""
    b = og.Builder()
    x = b.input("x", "float64", ("N", 5))
    y = b.op.Unsqueeze(x, [2, 3])
    y = b.op.Sigmoid(y) if last == "Sigmoid" else getattr(b.op, last)(y, axis=1)
    b.output(move(b.op, y), "y")
    return b.build()


@pytest.mark.parametrize(
    "move",
    [
        lambda op, y: op.Squeeze(y, [2, 3]),
        lambda op, y: op.Flatten(y),
        lambda op, y: op.Reshape(y, [-1, 5]),
        lambda op, y: op.Squeeze(op.Transpose(op.Transpose(y, perm=[1, 0, 2, 3])), [0, 1]),
    ],
)
@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_a_last_softmax_is_seen_through_what_moves_it(move: Any, last: str) -> None:
    case, loss = "plain", og.losses.cross_entropy
    if last == "Sigmoid":
        case, loss = "binary", og.losses.binary_cross_entropy  # type: ignore[assignment]
    with pytest.warns(UserWarning, match=f"from before {last}"):
        graph = og.grad(loss(moved_softmax(move, last)), "loss", "x")
    results = run(graph, stored_feeds(case))
    np.testing.assert_allclose(results["loss"], STORED[f"{case}.loss"], rtol=1e-9)
    np.testing.assert_allclose(results["x.grad"], STORED[f"{case}.grad"], rtol=1e-9, atol=1e-11)


def test_softmax_of_an_old_file_is_seen() -> None:
    """Before opset 13 it counts all axes from its own on as one; reading brings Reshapes."""
    types = [onnx.helper.make_tensor_value_info(n, 1, ["N", 5, 1, 1]) for n in "xy"]
    node = onnx.helper.make_node("Softmax", ["x"], ["y"], axis=1)
    body = onnx.helper.make_graph([node], "old", types[:1], types[1:])
    old = onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", 9)])
    with pytest.warns(UserWarning, match="from before Softmax"):
        graph = og.losses.cross_entropy(og.load(old), axis=1)
    x = STORED["plain.x"].astype(np.float32)[:, :, None, None]
    results = run(graph, {"x": x, "label": STORED["plain.label"][:, None, None]})
    np.testing.assert_allclose(results["loss"], STORED["plain.loss"], rtol=1e-6)


def test_a_softmax_that_moves_out_of_sight_is_refused() -> None:
    with pytest.raises(og.GraphError, match="classes of Softmax .* name the logits with of="):
        og.losses.cross_entropy(moved_softmax(lambda op, y: op.Reshape(y, [5, -1])))
    with pytest.raises(og.GraphError, match="another axis than the loss, 1"):
        og.losses.cross_entropy(moved_softmax(lambda op, y: op.Transpose(op.Flatten(y))))


def test_a_target_in_the_graph_is_not_spread() -> None:
    b = og.Builder()
    b.input("t", "float64", ("N", 1))
    b.output(b.input("x", "float64", ("N", 5)) * 1, "y")
    with pytest.raises(og.GraphError, match=r"'t' is float64\[N, 1\].*needs float64\[N, 5\]"):
        og.losses.mse(b.build(), target="t")


EXTREME: list[tuple[Loss, dict[str, Any], list[float], float, list[float]]] = [
    (og.losses.cross_entropy, {"label": [1]}, [800, -800], 1600, [1, -1]),
    (og.losses.cross_entropy, {"label": [0]}, [800, -800], 0, [0, 0]),
    (og.losses.binary_cross_entropy, {"label": [[0.0, 0]]}, [800, -800], 400, [0.5, 0]),
    (og.losses.binary_cross_entropy, {"label": [[1.0, 1]]}, [800, -800], 400, [0, -0.5]),
    (og.losses.kl_divergence, {"target": [[0.0, 1]]}, [800, -800], 1600, [1, -1]),
    (og.losses.cross_entropy, {"label": [0]}, [3, -np.inf], 0, [0, 0]),
    (og.losses.kl_divergence, {"target": [[1.0, 0]]}, [3, -np.inf], 0, [0, 0]),
    (og.losses.huber, {"target": [[0.0, 0]]}, [1e200, 0], 5e199, [0.5, 0]),
    (og.losses.cosine, {"target": [[0.0, 0]]}, [3, 4], 1, [0, 0]),
    (og.losses.cosine, {"target": [[3.0, 4]]}, [0, 0], 1, [-6e7, -8e7]),
]


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize(("loss", "target", "x", "value", "slope"), EXTREME)
def test_nothing_overflows(
    loss: Loss,
    target: dict[str, Any],
    x: list[float],
    value: float,
    slope: list[float],
    backend: str,
) -> None:
    """The slope of a cosine at 0 is that of t·x / 1e-8, the shortest length that counts."""
    feeds = {"x": np.array([x], np.float64)} | {n: np.array(a) for n, a in target.items()}
    results = run(og.grad(loss(network(("N", 2))), "loss", "x"), feeds, backend)
    np.testing.assert_allclose(results["loss"], value, rtol=1e-12)
    np.testing.assert_allclose(results["x.grad"], [slope], rtol=1e-12)


def test_losses_add_up() -> None:
    graph = og.losses.mse(network(("N", 5)), name="near")
    graph = og.losses.l1(graph, "logits", name="far")
    results = run(og.losses.total(graph, {"near": 2.0, "far": 0.5}), stored_feeds("mse"))
    expected = 2 * STORED["mse.loss"] + 0.5 * run(graph, stored_feeds("mse"))["far"]
    np.testing.assert_allclose(results["loss"], expected, rtol=1e-12)


def test_a_target_may_be_in_the_graph() -> None:
    """Two towers: the positives are another output."""
    b = og.Builder()
    x, y = b.input("x", "float64", ("N", 5)), b.input("y", "float64", ("N", 5))
    b.output(b.op.Identity(x), "left")
    b.output(b.op.Identity(y), "right")
    graph = og.losses.info_nce(b.build(), "left", "right", temperature=0.1)
    feeds = stored_feeds("info_nce")
    value = run(graph, {"x": feeds["x"], "y": feeds["positive"]})["loss"]
    np.testing.assert_allclose(value, STORED["info_nce.loss"], rtol=1e-9)


REFUSED: list[tuple[Loss, tuple[int | str, ...], dict[str, Any], str]] = [
    (og.losses.cross_entropy, ("N", "T", 5), {}, "say where its classes are"),
    (og.losses.cross_entropy, ("N", 5), {"axis": 2}, "no axis 2"),
    (og.losses.cross_entropy, ("N", 5), {"weight": [1, 2]}, "each of the 5 classes"),
    (og.losses.cross_entropy, ("N", 5), {"label_smoothing": 1.5}, r"in \[0, 1\]"),
    (og.losses.cross_entropy, ("N", 5), {"ignore_index": 0.5}, "ignore_index must be an integer"),
    (og.losses.cross_entropy, ("N", 5), {"of": "logit"}, "did you mean 'logits'"),
    (og.losses.cross_entropy, ("N", 5), {"name": "logits"}, "call the loss name="),
    (og.losses.cross_entropy, ("N", 5), {"label": "x"}, "'x' is float64.*needs int64"),
    (og.losses.cross_entropy, ("N", 1), {}, "with one class.*binary_cross_entropy"),
    (og.losses.kl_divergence, ("N", 1), {}, "with one class.*binary_cross_entropy"),
    (og.losses.cross_entropy, ("N", 2), {"weight": [1, np.nan]}, "weight holds what is not"),
    (og.losses.mse, ("N", 5), {"target": "logits"}, "'logits' is the prediction itself"),
    (og.losses.ctc, ("N", "T", 5), {"blank": 5}, "blank=5 is none of the classes"),
    (og.losses.ctc, ("N", "T", 5), {"blank": -1}, "blank=-1 is none of the classes"),
    (og.losses.huber, ("N", 5), {"delta": 0}, "delta must be a number over 0"),
    (og.losses.info_nce, ("N", 5, 2), {}, r"\(batch, size\)"),
    (og.losses.ctc, ("N", 5), {}, r"\(batch, time, classes\)"),
]


@pytest.mark.parametrize(("loss", "shape", "settings", "message"), REFUSED)
def test_refusals(
    loss: Loss, shape: tuple[int | str, ...], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(og.OnnxgradError, match=message):
        loss(network(shape), **settings)


def test_another_loss_is_named_where_the_last_node_belongs_to_it() -> None:
    with pytest.raises(og.GraphError, match="the loss for that is og.losses.cross_entropy"):
        og.losses.binary_cross_entropy(network(("N", 5), last="Softmax"))
    with pytest.raises(og.GraphError, match="which output is the loss about"):
        og.losses.mse(og.losses.mse(network(("N", 5)), name="near"))
    with pytest.raises(og.GraphError, match="weights is empty"):
        og.losses.total(network(("N", 5)), {})
    with pytest.raises(og.GradientError, match="not a scalar"):
        og.losses.total(network(("N", 5)), {"logits": 1.0})
