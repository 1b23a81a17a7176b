"""What a new user hands to the public face by mistake: each gives one clear error of ours."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxgrad as og

FEEDS = {"x": np.ones((2, 3), np.float32), "k": np.array(1)}


def network() -> og.Graph:
    """loss = Σ tanh(x·w)², with an unused weight and an integer input."""
    b = og.Builder("net")
    x = b.input("x", "float32", ("N", 3))
    w = b.parameter("w", np.arange(6, dtype=np.float32).reshape(3, 2) / 5)
    b.parameter("unused", np.ones(2, np.float32))
    h = b.op.Tanh(x @ w)
    b.output(h, "h")
    b.output(b.op.ReduceSum(h * h, keepdims=0), "loss")
    b.output(b.op.Cast(b.input("k", "int64", ()), to=onnx.TensorProto.FLOAT), "count")
    return b.build()


TAKES_A_GRAPH: list[Callable[[Any], Any]] = [
    lambda g: og.grad(g, "loss", "x"),
    lambda g: og.vjp(g, "loss", "x"),
    lambda g: og.jvp(g, "loss", "x"),
    lambda g: og.hvp(g, "loss", "x"),
    lambda g: og.jacobian(g, "loss", "x"),
    lambda g: og.hessian(g, "loss", "x"),
    lambda g: og.train_step(g, "loss", og.optim.SGD(0.1)),
    lambda g: og.check_gradients(g, "loss", "x"),
    lambda g: og.with_parameters(g, {}),
    og.vmap,
    og.optimize,
    og.straight_through,
    og.untie,
    og.dequantize_weights,
    og.quantize_weights,
    lambda g: og.lora(g, "w"),
    og.merge_lora,
    lambda g: og.save_adapter(g, "nowhere.safetensors"),
    og.to_inference,
    lambda g: og.new_head(g, "y", 3),
    lambda g: og.keep(g, "y"),
    lambda g: og.rename(g, {}),
    lambda g: og.replace_output(g, "y", "x"),
    og.compile,
    og.to_onnx,
    lambda g: og.save(g, "nowhere.onnx"),
    og.draw,
    og.validate,
    og.initial_state,
    og.start_graph,
    og.Builder.extend,
]


@pytest.mark.parametrize("function", TAKES_A_GRAPH)
@pytest.mark.parametrize("given", ["model.onnx", onnx.ModelProto(), None, {}])
def test_what_is_no_graph(function: Callable[[Any], Any], given: object) -> None:
    with pytest.raises(og.GraphError, match="a Graph is wanted, not"):
        function(given)


@pytest.mark.parametrize("function", [og.grad, og.vjp, og.hvp, og.jacobian, og.hessian])
@pytest.mark.parametrize(
    ("of", "wrt", "message"),
    [
        ("loss", None, "goes by its name or as a Value, not as None"),
        ("loss", ["w", 5], "goes by its name or as a Value, not as 5"),
        (b"loss", "w", "goes by its name"),
        ("loss", [["w"]], "goes by its name"),
        ("loss", [], "empty list"),
        ("loss", ["w", "w"], "'w' is named twice"),
        ("loss", "W", "no value 'W'"),
        ("loss", network().find("w"), "'w' is a value of another graph"),
        ("loss", "k", "int64"),
        ("loss", "unused", "does not depend on 'unused' .* allow_unused=True"),
        ("count", "w", "'count' does not depend on 'w'"),
    ],
)
def test_what_is_no_value(
    function: Callable[[og.Graph, Any, Any], og.Graph], of: object, wrt: object, message: str
) -> None:
    with pytest.raises(og.OnnxgradError, match=message):
        function(network(), of, wrt)


@pytest.mark.parametrize("function", [og.grad, og.hvp, og.jacobian, og.hessian])
def test_one_value_is_differentiated(
    function: Callable[[og.Graph, Any, Any], og.Graph],
) -> None:
    with pytest.raises(og.GraphError, match="2 values where one is wanted"):
        function(network(), ["loss", "h"], "w")


def test_zeros_where_they_are_allowed() -> None:
    graph = og.jacobian(network(), "loss", ["w", "unused"], allow_unused=True)
    graph = og.hessian(graph, "loss", ["w", "unused"], allow_unused=True)
    graph = og.hvp(graph, "loss", ["w", "unused"], allow_unused=True)
    tangents = {"w.tangent": np.ones((3, 2), np.float32), "unused.tangent": np.ones(2, np.float32)}
    results = og.compile(graph).run({**FEEDS, **tangents})
    for name, shape in {
        "loss.jacobian.unused": (2,),
        "loss.hessian.unused.w": (2, 3, 2),
        "loss.hessian.w.unused": (3, 2, 2),
        "unused.hvp": (2,),
    }.items():
        assert results[name].shape == shape and not results[name].any()
    hessian = results["loss.hessian.w.w"].reshape(6, 6)
    np.testing.assert_allclose(hessian.sum(1), results["w.hvp"].ravel(), rtol=1e-4, atol=1e-5)


def test_a_hessian_names_what_lacks_its_numbers() -> None:
    with pytest.raises(og.GraphError, match=r"^'x' is float32\[N, 3\]") as caught:
        og.hessian(network(), "loss", "x")
    assert "mode=" not in str(caught.value)


def test_jacobian_has_two_modes() -> None:
    with pytest.raises(og.GraphError, match="mode='sideways' must be"):
        og.jacobian(network(), "loss", "w", mode="sideways")
    with pytest.raises(og.GraphError, match=r"'x' is .*, or take mode='reverse'$"):
        og.jacobian(network(), "loss", "x", mode="forward")
    with pytest.raises(og.GraphError, match=r"'h' is .*, or take mode='forward'$"):
        og.jacobian(network(), "h", "w", mode="reverse")
    with pytest.raises(og.GraphError, match=r"shapes=\{…\}$"):
        og.jacobian(network(), "h", "x", mode="reverse")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"X": "dx"}, "there is no 'X' among loss, x"),
        ({"x": ""}, "a name is a text"),
        ({"x": 5}, r"names\['x'\] must be a text"),
        ({"x": "loss"}, "the name 'loss' is taken"),
        (["dx"], "names must be a dict"),
    ],
)
def test_names_that_are_none(names: Any, message: str) -> None:
    with pytest.raises(og.OnnxgradError, match=message):
        og.grad(network(), "loss", "x", names=names)


def test_a_second_hvp_says_what_to_take() -> None:
    with pytest.raises(og.GradientError, match="'w.tangent' is taken; take jvp of grad"):
        og.hvp(og.hvp(network(), "loss", "w"), "loss", "w")


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": None}, "None cannot be a tensor of float32"),
        ({"x": [[1, 2], [3]]}, "inhomogeneous"),
        ({"x": "abc"}, "it is string"),
        ({"x": np.ma.masked_array(FEEDS["x"], FEEDS["x"] > 0)}, "mask"),
        ({"x": np.ones((2, 3))}, "got float64; convert it with .astype"),
        ({"k": 1.5}, "'k' wants int64.*: 1.5 cannot be a tensor of int64"),
        ({"k": float("nan")}, "nan cannot be a tensor of int64"),
        ({"k": 2**70}, "'k' wants int64"),
        ({"z": 1}, "not an input: z"),
        ({5: 1}, "feeds must be a dict with names as keys"),
    ],
)
def test_feeds_that_do_not_fit(backend: str, given: dict[Any, Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.compile(network(), backend).run({**FEEDS, **given})


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("given", [FEEDS["x"].astype(">f4"), FEEDS["x"].tolist(), FEEDS["x"][::-1]])
def test_feeds_that_fit(backend: str, given: Any) -> None:
    f = og.compile(network(), backend)
    np.testing.assert_array_equal(f(x=given, k=1)["loss"], f(**FEEDS)["loss"])


def test_a_list_for_a_sequence_is_checked() -> None:
    b = og.Builder()
    b.output(b.op.SequenceConstruct(b.input("x", "float32", (2,))), "s")
    b = og.Builder.extend(og.vjp(b.build(), "s", "x"))  # its input s.grad is a sequence
    f = og.compile(b.build())
    x, dy = np.ones(2, np.float32), np.full(2, 3, np.float32)
    np.testing.assert_array_equal(f.run({"x": x, "s.grad": [dy]})["x.grad"], dy)
    with pytest.raises(og.GraphError, match=r"'s.grad\[0\]' wants float32\[2\], got float64"):
        f.run({"x": x, "s.grad": [np.ones(2)]})
    with pytest.raises(og.GraphError, match=r"'s.grad' wants seq.*, a list, got ndarray"):
        f.run({"x": x, "s.grad": dy})


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_a_step_is_not_fed_its_state(backend: str) -> None:
    step = og.compile(og.train_step(network(), "loss", og.optim.SGD(0.1)), backend).stepper()
    with pytest.raises(og.GraphError, match="w"):
        step.run({**FEEDS, "w": np.zeros((3, 2), np.float32)})


def test_parameters_go_by_one_name_too() -> None:
    step = og.train_step(network(), "loss", og.optim.SGD(0.1), parameters="w")
    assert "w.new" in [v.name for v in step.outputs]
    with pytest.raises(og.GraphError, match="goes by its name"):
        og.train_step(network(), "loss", og.optim.SGD(0.1), parameters=[5])  # type: ignore[list-item]


def test_an_unused_weight_outlives_transformations() -> None:
    graph = og.grad(network(), "loss", "x")
    graph = og.jvp(graph, "x.grad", "x")
    graph = og.vjp(graph, "x.grad", "unused", allow_unused=True)
    assert not og.compile(
        og.grad(graph, "loss", "unused", allow_unused=True, names={"unused": "z"})
    )(**FEEDS, **{"x.tangent": FEEDS["x"], "x.grad.grad": FEEDS["x"]})["z"].any()


@pytest.mark.parametrize("taken", ["x", "w", "loss"])
def test_a_learning_rate_has_a_name_of_its_own(taken: str) -> None:
    with pytest.raises(og.GraphError, match=f"has a '{taken}'; rename the learning rate"):
        og.train_step(network(), "loss", og.optim.SGD(taken))


@pytest.mark.parametrize("rate", [float("nan"), [0.1], None, np.ones(1)])
def test_a_learning_rate_is_one_number(rate: Any) -> None:
    with pytest.raises(og.GraphError, match="learning rate|None cannot be"):
        og.train_step(network(), "loss", og.optim.SGD(rate))


@pytest.mark.parametrize("optimizer", [None, "sgd", og.optim.SGD])
def test_an_optimizer_is_an_object(optimizer: Any) -> None:
    with pytest.raises(og.GraphError, match="an optimizer is wanted"):
        og.train_step(network(), "loss", optimizer)


def test_a_training_step_is_not_trained_again() -> None:
    step = og.train_step(network(), "loss", og.optim.SGD(0.1))
    with pytest.raises(og.GraphError, match="'w.new', of what 'w' becomes, is taken"):
        og.train_step(step, "loss", og.optim.SGD(0.1))


@pytest.mark.parametrize("size", [-1, 2.5, ""])
def test_the_size_of_a_batch(size: Any) -> None:
    with pytest.raises(og.GraphError, match="size: .* is not a dimension"):
        og.vmap(network(), size=size)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_a_batch_of_an_input_that_is_an_output(backend: str) -> None:
    b = og.Builder()
    x = b.input("x", "float32", (3,))
    b.output(x)
    b.output(b.op.ReduceSum(x, keepdims=0), "sum")
    batch = np.arange(6, dtype=np.float32).reshape(2, 3)
    results = og.compile(og.vmap(b.build()), backend)(x=batch)
    np.testing.assert_array_equal(results["x"], batch)
    np.testing.assert_array_equal(results["sum"], batch.sum(1))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (), (1, 1)])
def test_gradients_of_tensors_of_any_size_are_checked(shape: tuple[int, ...]) -> None:
    b = og.Builder()
    x = b.input("x", "float32", shape)
    b.output(b.op.ReduceSum(b.op.Tanh(x), keepdims=0), "y")
    assert og.check_gradients(b.build(), "y", "x")


@pytest.mark.parametrize("backends", ["tpu", ["numpy", "tpu"]])
def test_checks_on_a_backend_that_is_none(backends: Any) -> None:
    with pytest.raises(og.GraphError, match="no backend 'tpu'; there are numpy"):
        og.validate(network(), FEEDS, backends)
    with pytest.raises(og.GraphError, match="no backend 'tpu'; there are numpy"):
        og.check_gradients(network(), "loss", "x", FEEDS, backends)


@pytest.mark.parametrize("feeds", [["x"], {"x": [[1], [2, 3]]}])
def test_checks_of_feeds_that_do_not_fit(feeds: Any) -> None:
    with pytest.raises(og.GraphError, match="feeds must be|inhomogeneous"):
        og.validate(network(), feeds)


def test_files_take_the_place_of_files_alone(tmp_path: Path) -> None:
    """A link stays a link, a pipe a pipe; nothing is left of what could not be written."""
    file, link, pipe = (tmp_path / name for name in ("file.onnx", "link.onnx", "pipe"))
    link.symlink_to(file)
    og.save(network(), link)
    assert link.is_symlink() and og.load(file).outputs
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    og.save(network(), pipe)
    assert pipe.is_fifo() and og.load(os.read(reader, 1 << 16)).outputs
    os.close(reader)
    before = sorted(os.listdir(tmp_path))
    for target in (tmp_path, tmp_path / "no" / "y.svg", Path("")):
        with pytest.raises(og.ModelFileError, match=f"cannot write {target}: [A-Z]"):
            og.draw(network(), target)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_what_only_running_finds(backend: str) -> None:
    b = og.Builder()
    i = b.input("i", "int64", ("M",))
    b.output(b.op.Gather(b.input("x", "float32", ("N",)), i, name="pick"), "y")
    f = og.compile(b.build(), backend)
    with pytest.raises(og.GraphError, match="does not run on these arrays: .*5"):
        f(x=np.ones(3, np.float32), i=[5])


@pytest.mark.parametrize("number", [0, -1, 2.5, True, None])
def test_a_pinned_size_is_a_size(number: Any) -> None:
    model = og.to_onnx(network())
    if number in (0, True):
        assert og.load(model, shapes={"N": number}).find("x").shape == (int(number), 3)
        return
    with pytest.raises(og.GraphError, match=r"shapes\['N'\]: .* is not a dimension"):
        og.load(model, shapes={"N": number})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": "21"}, "opset '21' cannot be written"),
        ({"opset": None}, "opset None cannot be written"),
        ({"forms": ["derived"]}, "forms must be a dict"),
    ],
)
def test_options_of_export(options: dict[str, Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.to_onnx(network(), **options)


def test_save_takes_the_graph_first() -> None:
    with pytest.raises(og.GraphError, match="the graph first, then the path"):
        og.save("x.onnx", network())  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [5, None, b"x.onnx", "a\0b", "\ud800"])
def test_a_path_is_one_that_a_file_can_have(path: Any) -> None:
    writers: Any = (og.save, og.draw)
    for write in writers[: 1 if path is None else 2]:
        with pytest.raises(og.ModelFileError, match="a path is a text or a Path"):
            write(network(), path)
    if isinstance(path, str):
        with pytest.raises(og.ModelFileError, match="a path is a text or a Path"):
            og.load(path)


@pytest.mark.parametrize("name", ["a.png", "a.svg.gz", Path("a.PDF")])
def test_a_drawing_is_svg(name: Any) -> None:
    with pytest.raises(og.GraphError, match="a drawing is SVG or DOT, so it is not written as a"):
        og.draw(network(), name)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_few_boxes(most: int) -> None:
    assert og.draw(network(), most=most).startswith("<svg")


def test_checks_that_check_nothing() -> None:
    with pytest.raises(og.GradientError, match="there is nothing to check"):
        og.check_gradients(network(), ["loss", "h"], ["w", "h"])
    with pytest.raises(og.GraphError, match="tolerances must be a dict"):
        og.validate(network(), FEEDS, tolerances=1e-3)  # type: ignore[arg-type]


def test_an_error_names_the_file_that_it_is_about(tmp_path: Path) -> None:
    """In its text, not in a note beside it."""
    model = og.to_onnx(network())
    model.graph.node[-1].op_type = "Tnah"
    path = tmp_path / "wrong.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(og.UnsupportedOpError) as caught:
        og.load(path)
    assert str(caught.value).startswith(f"in the file {path}: ") and "Tnah" in str(caught.value)
    assert "Tnah" in caught.value.ops and not hasattr(caught.value, "__notes__")
