"""Training steps: state that feeds back, weights that go back, clear refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trajectories import STORED, regression

import onnxgrad as og


def stepper(step: og.Graph) -> Any:
    return og.compile(step).stepper()


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    return STORED


def test_learning_rate_as_an_input(stored: dict[str, np.ndarray]) -> None:
    graph = regression(stored["w"], stored["c"])
    trainer = stepper(og.train_step(graph, optimizer=og.optim.SGD("rate")))
    feeds = {"x": stored["x"], "t": stored["t"]}
    trainer(**feeds, rate=np.float32(0))
    np.testing.assert_array_equal(trainer.state()["w"], stored["w"])
    trainer(**feeds, rate=np.float32(0.05))
    np.testing.assert_allclose(trainer.state()["w"], stored["sgd.w"][0], rtol=1e-6)


def test_inputs_and_outputs_in_order(stored: dict[str, np.ndarray]) -> None:
    graph = regression(stored["w"], stored["c"])
    step = og.train_step(graph, optimizer=og.optim.Adam("rate"), parameters=["w"])
    inputs = ["x", "t", "rate", "w", "step", "w.mean", "w.square"]
    assert [v.name for v in step.inputs] == inputs
    outputs = ["loss", "w.new", "step.new", "w.mean.new", "w.square.new"]
    assert [v.name for v in step.outputs] == outputs
    assert [v.name for v in graph.inputs] == ["x", "t"]  # the argument is untouched


def test_trained_parameters_go_back_into_the_model(stored: dict[str, np.ndarray]) -> None:
    graph = regression(stored["w"], stored["c"])
    trainer = stepper(og.train_step(graph, optimizer=og.optim.Adam(0.05)))
    feeds = {"x": stored["x"], "t": stored["t"]}
    for _ in range(3):
        trainer(**feeds)
    trained = og.with_parameters(graph, trainer.state())
    loss = og.compile(trained).run(feeds)["loss"]
    assert loss == trainer(**feeds)["loss"]
    assert og.compile(graph).run(feeds)["loss"] > loss
    with pytest.raises(og.GraphError, match="'w' is float64"):
        og.with_parameters(graph, {"w": np.zeros(3)})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"fc.wieght": 1}, "no parameter 'fc.wieght'; did you mean 'fc.weight'"),
        ({"fc.weight": 1, "zzz": 1}, "no parameter 'zzz'; there are fc.weight"),
        ({"step": 1}, "no parameter 'step'"),
        ({"fc.weight.mean": 1}, "no parameter 'fc.weight.mean'; did you mean 'fc.weight'"),
        ({"x": 1}, "'x' is an input, which holds no array; feed it"),
        ({"y": 1}, "no parameter 'y'"),
        ({5: 1}, "arrays must be a dict with names as keys"),
        (["fc.weight"], "arrays must be a dict"),
    ],
)
def test_other_parameters_are_those_that_there_are(arrays: Any, message: str) -> None:
    b = og.Builder("net")
    b.output(b.input("x", "int64", ()) * b.parameter("fc.weight", np.array(2)), "y")
    with pytest.raises(og.GraphError, match=message):
        og.with_parameters(b.build(), arrays)


def test_a_step_from_a_file_names_the_start_graph(
    tmp_path: Path, stored: dict[str, np.ndarray]
) -> None:
    made = og.train_step(regression(stored["w"], stored["c"]), optimizer=og.optim.Adam(0.05))
    og.save(made, tmp_path / "step.onnx")
    step = og.load(tmp_path / "step.onnx")
    for ask in (og.compile(step).stepper, lambda: og.initial_state(step)):
        with pytest.raises(og.GraphError, match="first value of w, .*run the start graph"):
            ask()
    for backend in ("numpy", "onnxruntime"):
        with pytest.raises(og.GraphError, match="missing: w, .*a training step.*its start graph"):
            og.compile(step, backend).run({"x": stored["x"], "t": stored["t"]})
    state = og.compile(og.start_graph(made)).run({})
    og.compile(step).stepper(state)(x=stored["x"], t=stored["t"])


def test_sixteen_bits_are_updated_in_float32(stored: dict[str, np.ndarray]) -> None:
    """A gradient of zero gives no NaN although ε is zero in float16; the moments are float32."""
    half = {k: v.astype(np.float16) for k, v in stored.items()}
    step = og.train_step(regression(half["w"], half["c"]), optimizer=og.optim.Adam(0.05))
    trainer = stepper(step)
    trainer(x=np.zeros_like(half["x"]), t=half["t"])
    assert trainer.state()["w"].dtype == np.float16
    assert trainer.state()["w.mean"].dtype == np.float32
    np.testing.assert_array_equal(trainer.state()["w"], half["w"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_small_steps_move_sixteen_bits(dtype: str) -> None:
    """Each is less than half of what the weight can tell, so that alone it would round away."""
    b = og.Builder()
    x, w = b.input("x", dtype, ()), b.constant(1, dtype=dtype).value.constant
    b.output(b.parameter("w", w) * x, "loss")
    step = og.train_step(b.build(), optimizer=og.optim.SGD(1.0), parameters=["w"])
    assert list(og.initial_state(step)) == ["w", "w.master"]
    trainer = stepper(step)
    change = np.array(3.3e-5, w.dtype if w is not None else None)
    for _ in range(1000):
        trainer(x=change)
    state = trainer.state()
    np.testing.assert_allclose(state["w.master"], 1 - 1000 * float(change), rtol=1e-6)
    assert state["w"] == state["w.master"].astype(state["w"].dtype)
    np.testing.assert_allclose(float(state["w"]), 0.967, atol=2e-3)
    og.with_parameters(b.build(), state)


def test_a_plain_input_can_be_trained(stored: dict[str, np.ndarray]) -> None:
    graph = regression(stored["w"], stored["c"])
    step = og.train_step(graph, optimizer=og.optim.SGD(0.05), parameters=["x"])
    with pytest.raises(og.GraphError, match="first value of x"):
        og.initial_state(step)
    trainer = og.compile(step).stepper({"x": stored["x"]})
    first = trainer(t=stored["t"])["loss"]
    assert trainer(t=stored["t"])["loss"] < first
    with pytest.raises(og.GraphError, match="needs its shape in numbers"):
        og.train_step(graph, optimizer=og.optim.Adam(), parameters=["x"])


def test_own_optimizer(stored: dict[str, np.ndarray]) -> None:
    """Anything with a learning rate and an update will do."""

    class SignDescent:
        learning_rate = 0.5

        def update(self, update: Any, gradients: Any) -> Any:
            op = update.op
            return {w: op.Sub(w, op.Mul(update.rate(w), op.Sign(d))) for w, d in gradients.items()}

    graph = regression(stored["w"], stored["c"])
    trainer = stepper(og.train_step(graph, optimizer=SignDescent()))
    trainer(x=stored["x"], t=stored["t"])
    np.testing.assert_allclose(np.abs(trainer.state()["w"] - stored["w"]), 0.5)


def test_merged_initializers_are_warned_of() -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2))
    c = b.parameter("c", np.ones(2, np.float32))
    y = b.op.Tanh(x * c) * c
    b.output(b.op.ReduceSum(y, keepdims=0), "loss")
    with pytest.warns(UserWarning, match="'c' is a scale or bias of 2 operators"):
        og.train_step(b.build(), optimizer=og.optim.SGD(0.1))


def test_refusals(stored: dict[str, np.ndarray]) -> None:
    graph = regression(stored["w"], stored["c"])
    sgd = og.optim.SGD(0.1)
    b = og.Builder()
    b.output(b.op.ReduceSum(b.input("x", "float32", (2,)), keepdims=0), "loss")
    frozen = b.build()
    with pytest.raises(og.GraphError, match="an optimizer is wanted"):
        og.train_step(graph)
    with pytest.raises(og.GraphError, match="no value 'los'"):
        og.train_step(graph, "los", sgd)
    with pytest.raises(og.GraphError, match="empty list"):
        og.train_step(graph, optimizer=sgd, parameters=[])
    with pytest.raises(og.GraphError, match="'Tanh' is computed"):
        og.train_step(graph, optimizer=sgd, parameters=["Tanh"])
    with pytest.raises(og.GradientError, match="no float initializer"):
        og.train_step(frozen, optimizer=sgd)
    with pytest.raises(og.GraphError, match="is not a training step"):
        og.initial_state(graph)
    wrongs: list[dict[str, Any]] = [{"momentum": 1.0}, {"nesterov": True}, {"weight_decay": -1.0}]
    for wrong in wrongs:
        with pytest.raises(og.GraphError, match="must be"):
            og.optim.SGD(0.1, **wrong)
    for name in ("b1", "b2"):
        with pytest.raises(og.GraphError, match=f"{name} must be in"):
            og.optim.Adam(**{name: 1.0})


def test_a_loaded_model_gets_its_loss(tmp_path: Path) -> None:
    """`Builder.extend` adds to a copy; values are found by name."""
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2))
    b.output(x @ b.parameter("w", np.zeros((2, 3), np.float32)), "logits")
    og.save(b.build(), tmp_path / "model.onnx")
    model = og.load(tmp_path / "model.onnx")
    b = og.Builder.extend(model)
    label = b.input("label", "int64", ("N",))
    b.output(b.op.SoftmaxCrossEntropyLoss(b.value("logits"), label), "loss")
    step = stepper(og.train_step(b.build(), optimizer=og.optim.SGD(1.0)))
    feeds = {"x": np.ones((1, 2), np.float32), "label": np.array([2])}
    np.testing.assert_allclose(step(**feeds)["loss"], np.log(3), rtol=1e-6)
    np.testing.assert_allclose(step.state()["w"][0], [-1 / 3, -1 / 3, 2 / 3], rtol=1e-6)
    assert [v.name for v in model.outputs] == ["logits"]


@pytest.mark.filterwarnings("ignore:.* is a scale or bias of 2 operators")
@pytest.mark.parametrize("skip", [False, True])
def test_shared_statistics_are_updated_one_after_the_other(skip: bool) -> None:
    inner = og.Builder("layer")
    x = inner.input("x", "float32", ("N", 2))
    held = [inner.parameter(n, np.ones(2, np.float32)) for n in "sbmv"]
    settings = {"training_mode": 1, "momentum": 0.5, "outputs": 3}
    inner.output(inner.op.BatchNormalization(x, *held, **settings)[0], "y")
    layer = inner.build()
    b = og.Builder()
    x, z = (b.input(n, "float32", ("N", 2)) for n in "xz")
    product = b.call(layer, x=x) * b.call(layer, x=z)
    b.output(b.op.ReduceSum(product, keepdims=0), "loss")
    optimizer = og.optim.SGD(0.1)
    step = og.train_step(
        b.build(), "loss", og.optim.skip_non_finite(optimizer) if skip else optimizer
    )
    feeds = {"x": np.array([[1, 3], [2, 7]], np.float32), "z": np.eye(2, dtype=np.float32)}
    trainer = stepper(step)
    trainer.run(feeds)
    for name, of in (("m", np.mean), ("v", np.var)):
        first = 0.5 * np.ones(2) + 0.5 * of(feeds["x"], axis=0)
        expected = 0.5 * first + 0.5 * of(feeds["z"], axis=0)
        np.testing.assert_allclose(trainer.state()[name], expected, rtol=1e-6)
