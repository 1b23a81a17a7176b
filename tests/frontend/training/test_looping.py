"""Steps in an ONNX Loop: the same bits as one by one, within one runtime."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og


def convolutional() -> og.Graph:
    """Convolution, training BatchNormalization, pooling and a linear layer: three classes."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32) / 3

    b = og.Builder("network")
    x = b.input("x", "float32", ("N", 1, 6, 6))
    h = b.op.Conv(x, b.parameter("kernel", normal(4, 1, 3, 3)), b.parameter("c", normal(4)))
    ones = np.ones(4, np.float32)
    scales = [b.parameter(n, a) for n, a in [("s", ones), ("o", 0 * ones), ("m", 0 * ones)]]
    h, *_ = b.op.BatchNormalization(h, *scales, b.parameter("v", ones), training_mode=1, outputs=3)
    h = b.op.MaxPool(b.op.Gelu(h), kernel_shape=[2, 2], strides=[2, 2])
    h = b.op.Flatten(h) @ b.parameter("w", normal(16, 3))
    b.output(h, "logits")
    return og.losses.cross_entropy(b.build())


def task() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "x": random.normal(size=(40, 1, 6, 6)).astype(np.float32),
        "label": random.integers(0, 3, 40),
    }


ROWS = np.random.default_rng(2).integers(0, 40, (7, 8))
OPTIMIZERS: dict[str, og.optim.Optimizer] = {
    "sgd": og.optim.SGD(0.1, momentum=0.9),
    "adamw": og.optim.clip_by_global_norm(og.optim.AdamW(og.optim.cosine(1e-2, 20)), 1.0),
    "accumulate": og.optim.accumulate(og.optim.average_weights(og.optim.Adam(1e-2)), 2),
}


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loop_gives_the_bits_of_its_steps(name: str, backend: str) -> None:
    step, data = og.train_step(convolutional(), optimizer=OPTIMIZERS[name]), task()
    one = og.compile(step, backend).stepper()
    singles = [one(x=data["x"][r], label=data["label"][r]) for r in ROWS]
    many = og.compile(og.train_loop(step, steps=7), backend).stepper()
    results = many(**data, rows=ROWS)
    for output in singles[0]:
        np.testing.assert_array_equal(results[output], np.stack([s[output] for s in singles]))
    for key, array in one.state().items():
        np.testing.assert_array_equal(many.state()[key], array)
    assert results["logits"].shape == (7, 8, 3)


def test_files_give_the_same_bits_in_stock_onnxruntime(tmp_path: Any) -> None:
    step, data = og.train_step(convolutional(), optimizer=og.optim.SGD("rate")), task()
    loop = og.train_loop(step)
    og.save(loop, tmp_path / "loop.onnx")
    og.save(step, tmp_path / "step.onnx")
    og.save(og.start_graph(loop), tmp_path / "start.onnx")
    sessions = [
        onnxruntime.InferenceSession(tmp_path / f"{n}.onnx") for n in ("loop", "step", "start")
    ]
    names = [v.name for v in sessions[2].get_outputs()]
    state = dict(zip(names, sessions[2].run(None, {}), strict=True))
    rates = np.linspace(0.1, 0.01, 7, dtype=np.float32)
    given = data | {"rate": rates, "rows": ROWS} | state
    outputs = ["loss", *(f"{n}.new" for n in names)]
    results: list[Any] = list(sessions[0].run(outputs, given))
    losses, *after = results
    for k, r in enumerate(ROWS):
        feeds = {n: a[r] for n, a in data.items()} | {"rate": np.array(rates[k])} | state
        loss, *changed = sessions[1].run(outputs, feeds)
        state = dict(zip(names, changed, strict=True))
        np.testing.assert_array_equal(losses[k], loss)
    for array, name in zip(after, names, strict=True):
        np.testing.assert_array_equal(array, state[name])


def test_what_is_no_data_is_the_same_in_all_steps() -> None:
    b = og.Builder()
    x, m = b.input("x", "float64", ("N",)), b.input("mask", "float64", (1,))
    b.output(b.op.ReduceSum(x * m * b.parameter("w", np.ones(1)), keepdims=0), "loss")
    step = og.train_step(b.build(), optimizer=og.optim.SGD(1.0), parameters=["w"])
    loop = og.compile(og.train_loop(step, data=["x"], rows="order")).stepper()
    order = np.array([[0, 1], [2, 2]])
    losses = loop(x=np.array([1.0, 2, 3]), mask=np.array([0.5]), order=order)["loss"]
    np.testing.assert_array_equal(losses, [1.5, 3.0 * (1 - 1.5)])
    assert [str(v.type) for v in og.train_loop(step, data=["x"]).inputs][:2] == [
        "float64[examples]",
        "float64[1]",
    ]


def test_sizes_of_the_step_keep_their_names() -> None:
    """A size called "steps" is not the number of steps."""
    b = og.Builder()
    x = b.input("x", "float64", ("examples", "steps"))
    b.output(b.op.ReduceSum(x * b.parameter("w", np.ones(1)), keepdims=0), "loss")
    step = og.train_step(b.build(), optimizer=og.optim.SGD(0.0), parameters=["w"])
    loop = og.compile(og.train_loop(step)).stepper()
    losses = loop(x=np.ones((5, 3)), rows=np.array([[0, 1], [2, 3]]))["loss"]
    np.testing.assert_array_equal(losses, [6, 6])


def test_refusals() -> None:
    step = og.train_step(convolutional(), optimizer=og.optim.SGD(0.1))
    with pytest.raises(og.GraphError, match="not a training step"):
        og.train_loop(convolutional())
    with pytest.raises(og.GraphError, match="data: the step is fed no 'labels'; did you mean"):
        og.train_loop(step, data=["labels"])
    with pytest.raises(og.GraphError, match="the step has a 'x' already"):
        og.train_loop(step, rows="x")
    with pytest.raises(og.GraphError, match="steps must be an integer of at least 1"):
        og.train_loop(step, steps=0)
    b = og.Builder()
    b.output(b.op.ReduceSum(b.parameter("w", np.ones(2)), keepdims=0), "loss")
    alone = og.train_step(b.build(), optimizer=og.optim.SGD(0.5))
    with pytest.raises(og.GraphError, match="give steps="):
        og.train_loop(alone)
    loop = og.compile(og.train_loop(alone, steps=3)).stepper()
    np.testing.assert_array_equal(loop()["loss"], [2, 1, 0])
