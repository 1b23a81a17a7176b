"""Every public function with every kind of wrong argument: it works, or gives one error of ours."""

from collections.abc import Callable, Iterator
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import pytest
from public_calls import CALLS, FEEDS, GRAPH, SGD, STEP, network

import onnxgrad as og

WRONG: list[Any] = [
    *(None, True, 5, -1, 2.5, 10**30, float("nan"), "", "nope", "a\udc80", "a\0b", b"x", ()),
    *([], [None], [[1]], ["x", "x"], {}, {"x": 1}, {"x": None}, {5: 1}, np.ones(2), object()),
    *(int, network(), lambda: 0),
    *({"x"}, 1j, ..., "a" * 300, np.array(None), np.array([None, {}], object), [[1], [1, 2]]),
    *({"w": ["x"]}, {"ConvWeightGrad": ["x"]}, np.zeros(2, [("a", "i4")]), np.ma.array([1.0])),
    *(np, og.optim.Adam, lambda *given: given, partial(network), ValueError("wrong")),
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


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    types = {"Compiled", "Fitted", "Graph", "Node", "Tensor", "Value"}
    apart = {"Gradients", "Optimizer", "Rate", "Schedule", "Update"}
    for module, kinds in ((og, types), (og.losses, set()), (og.optim, apart)):
        for name in sorted(set(module.__all__) - kinds - {"available_backends"}):
            found = getattr(module, name)
            if callable(found) and not name.endswith("Error"):
                yield name, found


@pytest.mark.parametrize(("name", "function"), [*public_functions()])
def test_every_argument_of_every_public_function_is_tried(
    name: str, function: Callable[..., Any]
) -> None:
    """Those of torch and jax have tests of their own, for those that have them."""
    calls = [arguments for called, _, arguments in CALLS if called.rpartition(".")[2] == name]
    parameters = signature(function).parameters.values()
    asked = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    assert asked <= set().union(*calls)


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
    (lambda: og.keep(GRAPH, []), "^outputs is an empty list of values"),
    (lambda: og.keep(GRAPH, ["h", "h"]), "^outputs: 'h' is named twice"),
    (
        lambda: og.replace_output(GRAPH, "q*", "h"),
        r"^output: nothing matches 'q\*'; there",
    ),
    (lambda: og.grad(GRAPH, "loss", "x", names={"x": ["y"]}), r"names\['x'\] must be a text"),  # type: ignore[dict-item]
    (lambda: og.to_onnx(GRAPH, forms={"ConvWeightGrad": ["x"]}), r"forms\['ConvWeightGrad'\] must"),  # type: ignore[dict-item]
    (lambda: og.to_onnx(GRAPH, tensor=lambda a, n: None), "tensor gives NoneType for 'w'"),  # type: ignore[arg-type,return-value]
    (lambda: og.save(GRAPH, "a.onnx", runtime=["onnxruntime"]), "runtime must be a text"),  # type: ignore[arg-type]
    (lambda: og.mixed_precision(GRAPH, operators="Conv"), "no Conv of the graph 'net' reads"),
    (lambda: og.mixed_precision(GRAPH, operators=[]), "operators is an empty list"),
    (lambda: og.random.bits(None, 1, [2]), "random numbers are drawn in a Builder"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_is_wrong_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        call()


@pytest.mark.parametrize("make", [og.train_step, og.split_step])
def test_a_loss_is_not_called_otherwise(make: Callable[..., Any]) -> None:
    with pytest.raises(og.GradientError, match=r"^loss='h' is .*ReduceMean\)$"):
        make(GRAPH, "h", SGD)
    assert make(GRAPH, "l*s", SGD)
