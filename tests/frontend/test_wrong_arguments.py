"""Every public function with every kind of wrong argument: it works, or gives one error of ours."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og


def network() -> og.Graph:
    """loss = Σ tanh(x·w)², with an integer input."""
    b = og.Builder("net")
    x, w = b.input("x", "float32", ("N", 3)), b.parameter("w", np.ones((3, 2), np.float32))
    h = b.op.Tanh(x @ w)
    b.output(h, "h")
    b.output(b.op.ReduceSum(h * h, keepdims=0), "loss")
    b.output(b.input("k", "int64", ()) + 1, "next")
    return b.build()


def scores() -> og.Graph:
    """y = x·w: scores of 2 classes; frames: the same over time."""
    b = og.Builder("scores")
    x, w = b.input("x", "float32", ("N", 3)), b.parameter("w", np.ones((3, 2), np.float32))
    b.output(x @ w, "y")
    b.output(b.input("z", "float32", ("N", "T", 3)) @ w, "frames")
    return b.build()


def quantized() -> og.Graph:
    """y = x·w with a w of integers."""
    b = og.Builder("quantized")
    w = b.constant(np.ones((3, 2), np.int8), "w")
    b.output(b.input("x", "float32", ("N", 3)) @ b.op.DequantizeLinear(w, np.float32(0.5)), "y")
    return b.build()


WRONG: list[Any] = [
    *(None, True, 5, -1, 2.5, 10**30, float("nan"), "", "nope", "a\udc80", "a\0b", b"x", ()),
    *([], [None], [[1]], ["x", "x"], {}, {"x": 1}, {"x": None}, {5: 1}, np.ones(2), object()),
    *(int, network(), lambda: 0),
]

og.register_operator("wrong.Same(x: T) -> y: T")
GRAPH = network()
STATIC = og.load(og.to_onnx(GRAPH), shapes={"N": 2})
SGD = og.optim.SGD(0.1)
STEP = og.train_step(GRAPH, "loss", SGD)
FEEDS = {"x": np.ones((2, 3), np.float32), "k": 1}
ADAPTED = og.lora(GRAPH, "w", rank=2)
QUANTIZED = quantized()
OBJECTIVE = og.scipy.objective(GRAPH, "loss", "x", FEEDS)


def save_weights(**arguments: Any) -> Any:
    og.save(GRAPH, "like.onnx")
    return og.save_weights(**arguments)


def stepped(optimizer: Any) -> og.Graph:
    """Use an optimizer, for some of what is wrong with it shows only then."""
    return og.train_step(GRAPH, "loss", optimizer)


def load_adapter(**arguments: Any) -> Any:
    og.save_adapter(ADAPTED, "adapter.safetensors")
    return og.load_adapter(**arguments)


def building(call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a call on a new builder, with x: float32[2, 4] where x is asked for by "x"."""

    def called(**arguments: Any) -> Any:
        b = og.Builder()
        x = b.input("x", "float32", (2, 4))
        return call(b, x, **arguments)

    return called


DERIVATIVE = {"graph": GRAPH, "of": "loss", "wrt": "w", "allow_unused": False}
DRAWN = {"seed": 1, "shape": [2]}

SCORES = scores()

LOSS = {"graph": SCORES, "of": "y", "name": "loss"}
LABELLED = {**LOSS, "label": "label"}
AIMED = {**LOSS, "target": "target"}
LOSSES: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
    (
        "losses.cross_entropy",
        og.losses.cross_entropy,
        {**LABELLED, "axis": None, "label_smoothing": 0.0, "ignore_index": -100, "weight": None},
    ),
    (
        "losses.binary_cross_entropy",
        og.losses.binary_cross_entropy,
        {**LABELLED, "positive_weight": 1.0},
    ),
    (
        "losses.ctc",
        og.losses.ctc,
        {
            **{**LABELLED, "of": "frames", "lengths": None, "blank": 0, "ignore_index": -100},
            "time_first": False,
        },
    ),
    ("losses.kl_divergence", og.losses.kl_divergence, {**AIMED, "axis": None}),
    ("losses.mse", og.losses.mse, AIMED),
    ("losses.l1", og.losses.l1, AIMED),
    ("losses.huber", og.losses.huber, {**AIMED, "delta": 1.0}),
    ("losses.cosine", og.losses.cosine, {**AIMED, "axis": -1}),
    ("losses.info_nce", og.losses.info_nce, {**LOSS, "positive": "p", "temperature": 0.07}),
    ("losses.total", og.losses.total, {"graph": GRAPH, "weights": {"loss": 2.0}, "name": "sum"}),
    (
        "losses.check_labels",
        og.losses.check_labels,
        {"graph": og.losses.cross_entropy(SCORES, "y"), "feeds": {"label": np.zeros(2, "i8")}},
    ),
    (
        "losses.check_labels",
        lambda label: og.losses.check_labels(
            og.losses.cross_entropy(SCORES, "y"), {"label": label}
        ),
        {"label": np.zeros(2, "i8")},
    ),
]

OPTIMIZERS: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
    ("SGD", og.optim.SGD, {"learning_rate": 0.1, "momentum": 0.1, "nesterov": True}),
    ("SGD", og.optim.SGD, {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("Adam", og.optim.Adam, {"learning_rate": 0.1, "b1": 0.9, "b2": 0.9, "eps": 1e-8}),
    ("AdamW", og.optim.AdamW, {"b1": 0.9, "b2": 0.9, "eps": 1e-8, "weight_decay": 0.1}),
    ("Adagrad", og.optim.Adagrad, {"learning_rate": 0.1, "start": 0.0, "eps": 1e-8}),
    (
        "RMSprop",
        og.optim.RMSprop,
        {"learning_rate": 0.1, "decay": 0.9, "eps": 0.1, "momentum": 0.0, "centered": False},
    ),
    (
        "Adafactor",
        og.optim.Adafactor,
        {"learning_rate": 0.1, "decay": -0.8, "least": 0.1, "clip": 1.0, "weight_decay": 0.0},
    ),
    ("Lion", og.optim.Lion, {"learning_rate": 0.1, "b1": 0.9, "b2": 0.9, "weight_decay": 0.1}),
    (
        "Muon",
        og.optim.Muon,
        {"learning_rate": 0.1, "nesterov": True, "weight_decay": 0.1, "iterations": 1},
    ),
    ("clip_by_value", og.optim.clip_by_value, {"optimizer": SGD, "most": 1.0}),
    ("clip_by_global_norm", og.optim.clip_by_global_norm, {"optimizer": SGD, "most": 1.0}),
    ("accumulate", og.optim.accumulate, {"optimizer": SGD, "steps": 2}),
    ("average_weights", og.optim.average_weights, {"optimizer": SGD, "decay": 0.9}),
    ("averages", og.optim.averages, {"state": {"w": np.ones(2), "w.average": np.ones(2)}}),
    ("skip_non_finite", og.optim.skip_non_finite, {"optimizer": SGD}),
    (
        "scale_loss",
        og.optim.scale_loss,
        {"optimizer": SGD, "start": 8.0, "growth": 2.0, "interval": 3, "backoff": 0.5},
    ),
    ("groups", lambda by: stepped(og.optim.groups(SGD, by)), {"by": {"w": SGD}}),
    ("groups", lambda one: stepped(og.optim.groups(SGD, {"w": one})), {"one": SGD}),
    (
        "decay_weights",
        lambda **how: stepped(og.optim.decay_weights(SGD, **how)),
        {"weight_decay": 0.1, "of": "w"},
    ),
    ("constant", og.optim.constant, {"rate": 0.1}),
    ("cosine", og.optim.cosine, {"peak": 0.1, "steps": 9, "warm_up": 1, "end": 0.0}),
    (
        "linear_warm_up",
        lambda **how: stepped(og.optim.SGD(og.optim.linear_warm_up(**how))),
        {"schedule": 0.1, "steps": 3, "start": 0.0},
    ),
    (
        "one_cycle",
        og.optim.one_cycle,
        {"peak": 0.1, "steps": 9, "rise": 0.3, "first": 25.0, "last": 1e4},
    ),
    ("piecewise", og.optim.piecewise, {"rate": 0.1, "later": {3: 0.2}}),
    ("a schedule", lambda rate: stepped(og.optim.SGD(rate)), {"rate": 0.1}),
]

CALLS: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
    ("grad", og.grad, {**DERIVATIVE, "names": None}),
    ("vjp", og.vjp, {**DERIVATIVE, "names": None}),
    ("jvp", og.jvp, {**DERIVATIVE, "names": None}),
    ("hvp", og.hvp, DERIVATIVE),
    ("jacobian", og.jacobian, {**DERIVATIVE, "mode": None}),
    ("hessian", og.hessian, DERIVATIVE),
    ("vmap", og.vmap, {"graph": GRAPH, "inputs": None, "size": None}),
    (
        "train_step",
        og.train_step,
        {"graph": GRAPH, "loss": "loss", "optimizer": SGD, "parameters": None, "frozen": None},
    ),
    (
        "split_step",
        og.split_step,
        {"graph": GRAPH, "loss": "loss", "optimizer": SGD, "parameters": None, "frozen": None},
    ),
    (
        "train_loop",
        og.train_loop,
        {"step": STEP, "steps": 3, "data": None, "rows": "rows"},
    ),
    (
        "fit",
        og.fit,
        {
            **{"graph": GRAPH, "data": {"x": np.ones((2, 3), np.float32)}, "loss": "loss"},
            **{"optimizer": SGD, "batch_size": None, "parameters": None, "frozen": None},
            **{"validation": None, "patience": None, "backend": "numpy", "checkpoints": None},
            **{"resume": False, "seed": 0, "shuffle": True},
        },
    ),
    ("keep", og.keep, {"graph": GRAPH, "outputs": "h"}),
    ("cost", og.cost, {"graph": STATIC, "shapes": {}, "measure": "numpy", "feeds": FEEDS}),
    ("recompute", og.recompute, {"graph": STATIC, "limit": "2GB"}),
    ("rename", og.rename, {"graph": GRAPH, "names": {"h": "hidden"}}),
    ("replace_output", og.replace_output, {"graph": GRAPH, "output": "loss", "value": "h"}),
    ("new_head", og.new_head, {"graph": SCORES, "output": "y", "classes": 3, "seed": 0}),
    ("to_inference", og.to_inference, {"graph": GRAPH}),
    ("untie", og.untie, {"graph": GRAPH, "parameters": "w"}),
    *LOSSES,
    ("lora", og.lora, {"graph": GRAPH, "layers": "w", "rank": 2, "alpha": None, "seed": 0}),
    ("merge_lora", og.merge_lora, {"graph": ADAPTED}),
    ("dequantize_weights", og.dequantize_weights, {"graph": QUANTIZED}),
    ("quantize_weights", og.quantize_weights, {"graph": og.dequantize_weights(QUANTIZED)}),
    ("Builder.call", building(lambda b, x, g, **how: b.call(g, x=x, **how)), {"g": GRAPH, "k": 1}),
    ("Builder.call", building(lambda b, x, v: b.call(GRAPH, x=v, k=1)), {"v": FEEDS["x"]}),
    (
        "save_adapter",
        og.save_adapter,
        {"graph": ADAPTED, "path": "a.safetensors", "model": None},
    ),
    ("load_adapter", load_adapter, {"graph": ADAPTED, "path": "adapter.safetensors"}),
    *OPTIMIZERS,
    (
        "scipy.objective",
        og.scipy.objective,
        {"graph": GRAPH, "of": "loss", "wrt": "x", "feeds": FEEDS, "backend": "numpy"},
    ),
    ("scipy.fun", lambda x: OBJECTIVE.fun(x), {"x": OBJECTIVE.x0}),
    ("scipy.hessp", lambda p: OBJECTIVE.hessp(OBJECTIVE.x0, p), {"p": OBJECTIVE.x0}),
    ("initial_state", og.initial_state, {"step": STEP}),
    ("start_graph", og.start_graph, {"step": STEP}),
    ("with_parameters", og.with_parameters, {"graph": GRAPH, "arrays": {}}),
    ("straight_through", og.straight_through, {"graph": GRAPH}),
    ("optimize", og.optimize, {"graph": GRAPH}),
    (
        "mixed_precision",
        og.mixed_precision,
        {"graph": GRAPH, "dtype": "float16", "operators": ["MatMul"]},
    ),
    ("compile", og.compile, {"graph": GRAPH, "backend": "numpy"}),
    ("run", og.compile(GRAPH).run, {"feeds": FEEDS}),
    ("call", og.compile(GRAPH), FEEDS),
    ("stepper", og.compile(STEP).stepper, {"state": None, "feedback": None}),
    ("step", og.compile(STEP).stepper().run, {"feeds": FEEDS}),
    ("step", og.compile(STEP, "onnxruntime").stepper().run, {"feeds": FEEDS}),
    (
        "validate",
        og.validate,
        {"graph": GRAPH, "feeds": FEEDS, "backends": "numpy", "seed": 0, "tolerances": None},
    ),
    (
        "check_gradients",
        og.check_gradients,
        {"graph": GRAPH, "of": "loss", "wrt": "x", "feeds": FEEDS, "backends": "numpy", "seed": 0},
    ),
    (
        "check_gradients",
        lambda tolerance: og.check_gradients(GRAPH, "loss", "x", tolerance=tolerance),
        {"tolerance": 1e-6},
    ),
    ("draw", og.draw, {"graph": GRAPH, "path": None, "most": 100}),
    (
        "save",
        og.save,
        {"graph": GRAPH, "path": "a.onnx", "opset": 21, "forms": None, "external_data": None},
    ),
    ("to_onnx", og.to_onnx, {"graph": GRAPH, "opset": 21, "forms": None, "functions": False}),
    (
        "save_weights",
        save_weights,
        {"graph": GRAPH, "like": "like.onnx", "path": "a.onnx"},
    ),
    ("load", og.load, {"source": og.to_onnx(GRAPH), "shapes": None}),
    ("find", GRAPH.find, {"name": "x"}),
    ("Builder", og.Builder, {"name": "net"}),
    ("extend", og.Builder.extend, {"graph": GRAPH}),
    ("value", og.Builder.extend(GRAPH).value, {"name": "x"}),
    (
        "input",
        building(lambda b, x, **how: b.input(**how)),
        {"name": "y", "dtype": "float32", "shape": (2,)},
    ),
    ("parameter", building(lambda b, x, **how: b.parameter(**how)), {"name": "w", "array": 1.0}),
    (
        "constant",
        building(lambda b, x, **how: b.constant(**how)),
        {"array": 1.0, "name": "c", "dtype": None},
    ),
    ("output", building(lambda b, x, tensor: b.output(tensor)), {"tensor": 1}),
    ("output", building(lambda b, x, name: b.output(x + 1, name)), {"name": "y"}),
    ("subgraph", building(lambda b, x, function: b.subgraph(function, x)), {"function": abs}),
    ("subgraph", building(lambda b, x, v: b.subgraph(lambda t: t, v)), {"v": ("float32", ())}),
    (
        "op",
        building(lambda b, x, **how: b.op.Softmax(x, **how)),
        {"axis": 1, "name": None, "outputs": None, "domain": ""},
    ),
    ("op", building(lambda b, x, other: b.op.Add(x, other)), {"other": 1.0}),
    ("op", building(lambda b, x, sizes: b.op.Split(x, sizes, axis=1)), {"sizes": [1, 3]}),
    ("Tensor", building(lambda b, x, k: x[k]), {"k": 0}),
    ("Tensor", building(lambda b, x, k: x[k:, 0]), {"k": 0}),
    ("Tensor", building(lambda b, x, other: x**other), {"other": 2}),
    (
        "register_operator",
        og.register_operator,
        {"schema": "wrong.Same(x: T) -> y: T", "body": None, "shapes": None},
    ),
    ("register_gradient", og.register_gradient, {"operator": "wrong.Same", "broadcasts": False}),
    ("register_gradient", lambda rule: og.register_gradient("wrong.Same")(rule), {"rule": 1}),
    ("register_kernel", og.register_kernel, {"operator": "wrong.Same"}),
    ("register_kernel", lambda kernel: og.register_kernel("wrong.Same")(kernel), {"kernel": 1}),
    ("stop_gradient", og.stop_gradient, {"x": 1}),
    ("custom_gradient", og.custom_gradient, {"function": abs}),
    ("custom_gradient", building(lambda b, x, y: og.custom_gradient(abs)(x, y)), {"y": 1}),
    ("optimize", og.optimize, {"graph": GRAPH, "passes": []}),
    ("casadi", og.casadi.family, {"graph": STATIC, "folder": "f", "name": "f", "wrt": None}),
    ("torch", og.torch.function, {"graph": GRAPH, "of": "loss", "parameters": "w"}),
    ("jax", og.jax.function, {"graph": GRAPH, "of": "loss", "parameters": "w"}),
    (
        "scipy",
        og.scipy.objective,
        {"graph": GRAPH, "of": "loss", "wrt": ["x", "w"], "feeds": FEEDS, "backend": "numpy"},
    ),
    (
        "compile",
        lambda **how: og.compile(GRAPH, "onnxruntime", **how),
        {"providers": ["cpu"], "options": {}, "threads": 1},
    ),
    ("random.bits", building(lambda b, x, **how: og.random.bits(b, **how)), DRAWN),
    ("random.bits", lambda b: og.random.bits(b, 1, [2]), {"b": og.Builder()}),
    (
        "random.uniform",
        building(lambda b, x, **how: og.random.uniform(b, **how)),
        {**DRAWN, "low": 0.0, "high": 1.0},
    ),
    (
        "random.normal",
        building(lambda b, x, **how: og.random.normal(b, **how)),
        {**DRAWN, "mean": 0.0, "scale": 1.0},
    ),
    (
        "random.bernoulli",
        building(lambda b, x, **how: og.random.bernoulli(b, **how)),
        {**DRAWN, "probability": 0.5},
    ),
    (
        "random.dropout",
        building(lambda b, x, **how: og.random.dropout(b, x, **how)),
        {"seed": 1, "ratio": 0.5},
    ),
    ("random.dropout", building(lambda b, x, v: og.random.dropout(b, v, 1)), {"v": 1}),
]


@pytest.mark.parametrize(("name", "call", "arguments"), CALLS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_argument_in_turn(
    name: str,
    call: Callable[..., Any],
    arguments: dict[str, Any],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for argument in arguments:
        for wrong in WRONG:
            try:
                call(**{**arguments, argument: wrong})
            except og.OnnxgradError as error:
                message = str(error)
                assert message and len(message) < 1000, f"{name}({argument}={wrong!r})"
            except Exception as error:  # whatever is not ours is the finding
                pytest.fail(f"{name}({argument}={wrong!r}): {type(error).__name__}: {error}")


def test_every_public_function_is_tried() -> None:
    """Calls of torch and jax have tests of their own, for those that have them."""
    tried = {name.partition(".")[0] for name, _, _ in CALLS} | {"Compiled", "Tensor"}
    types = {n for n in og.__all__ if n.endswith("Error")} | {"Fitted", "Graph", "Node", "Value"}
    assert set(og.optim.__all__) - {"Gradients", "Optimizer", "Rate", "Schedule", "Update"} <= tried
    assert set(og.__all__) - types - {"available_backends", "optim", "torch", "jax"} <= tried


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: og.grad(GRAPH, "loss", "x", allow_unused="no"), "allow_unused must be True or False"),  # type: ignore[arg-type]
    (lambda: og.grad(GRAPH, "loss", np.array(None)), "wrt: a value goes by its name"),  # type: ignore[arg-type]
    (lambda: og.fit(GRAPH, np.array(None), optimizer=SGD, loss="loss"), "data"),
    (lambda: og.vmap(GRAPH, inputs=5), "inputs must be a name or a list of names, not 5"),  # type: ignore[arg-type]
    (lambda: og.train_step(GRAPH, "loss", {}), "an optimizer is wanted"),  # type: ignore[arg-type]
    (lambda: og.compile(GRAPH, ["numpy"]), "the name of a backend must be a text"),  # type: ignore[arg-type]
    (lambda: og.compile(GRAPH)(FEEDS["x"]), "arrays go by name, x=array or run"),
    (lambda: og.compile(STEP).stepper()(FEEDS["x"]), "arrays go by name, x=array or run"),
    (lambda: og.compile(STEP).stepper().run(5), "feeds must be a dict with names as keys"),  # type: ignore[arg-type]
    (lambda: og.validate(GRAPH, seed=-1), "seed must be an integer of at least 0, not -1"),
    (lambda: og.validate(GRAPH, backends=5), "backends must be a name or a list of names"),  # type: ignore[arg-type]
    (lambda: og.validate(GRAPH, tolerances={"float32": -1}), r"tolerances\['float32'\] must be a"),
    (lambda: og.draw(GRAPH, most="many"), "most must be an integer of at least 0"),  # type: ignore[arg-type]
    (lambda: og.fit(GRAPH, {}, optimizer=SGD, epochs=0), "epochs must be an integer"),
    (lambda: og.fit(GRAPH, {}, optimizer=SGD, report=5), "report must be a function"),  # type: ignore[arg-type]
    (lambda: og.fit(GRAPH, {}, optimizer=SGD, metric=5), "metric must be a function"),  # type: ignore[arg-type]
    (lambda: og.save(GRAPH, "a.onnx", external_data=5), "external_data must be True or False"),  # type: ignore[arg-type]
    (lambda: og.optim.SGD(None), "that is neither a name nor a schedule must be a finite"),  # type: ignore[arg-type]
    (lambda: og.optim.SGD(0.1, momentum="a"), "momentum must be a finite number, not 'a'"),  # type: ignore[arg-type]
    (lambda: og.optim.Adam(eps=-1), "eps must be a finite number of at least 0, not -1"),
    (lambda: og.random.bits(None, 1, [2]), "random numbers are drawn in a Builder"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_is_wrong_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        call()
