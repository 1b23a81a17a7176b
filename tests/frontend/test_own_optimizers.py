"""Optimizers of the user's own, and what is handed over in place of one."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import onnxgrad as og


def network() -> og.Graph:
    b = og.Builder()
    w = b.parameter("w", np.ones((3, 2), np.float32))
    b.output(b.op.ReduceSum(b.op.Tanh(b.input("x", "float32", (2, 3)) @ w), keepdims=0), "loss")
    return b.build()


class Own:
    """What is handed in decides what each parameter, and the state "m", become."""

    learning_rate = 0.1

    def __init__(self, new: Any, state: Any = lambda update, m: m) -> None:
        self.new, self.state = new, state

    def update(self, update: Any, gradients: Any) -> Any:
        if not callable(self.new):
            return self.new
        for w in gradients:
            m = update.state("m", w)
            update.keep(m, self.state(update, m))
        return {w: self.new(update, w) for w in gradients}

    def __repr__(self) -> str:
        return "Own()"


WRONG_UPDATES: list[tuple[Any, str]] = [
    (Own(None), "must give a new value for each parameter"),
    (Own([1]), "must give a new value for each parameter"),
    (Own({}), "must give a new value for each parameter"),
    (Own(lambda u, w: 0.1), "gives 0.1 for 'w', which is float32"),
    (Own(lambda u, w: np.ones(2)), r"gives array\(\[1., 1.\]\) for 'w'"),
    (Own(lambda u, w: u.op.ReduceSum(w, keepdims=0)), r"gives float32\[\] for 'w'"),
    (Own(lambda u, w: w, lambda u, m: None), "the state 'w.m' .* cannot become None"),
    (Own(lambda u, w: w, lambda u, m: u.op.ReduceMax(m)), r"cannot become float32\[1, 1\]"),
    (Own(lambda u, w: w, lambda u, m: u.op.Cast(m, to=11)), "cannot become float64"),
]


@pytest.mark.parametrize(("optimizer", "why"), WRONG_UPDATES)
def test_an_update_that_does_not_fit_is_refused(optimizer: Any, why: str) -> None:
    """At once: the first step would run, and the second would be fed what does not fit."""
    for make in (og.train_step, og.split_step):
        with pytest.raises(og.GraphError, match=why):
            make(network(), "loss", optimizer)


class WithoutCall:
    learning_rate, update = 0.1, 5


class OfNothing:
    learning_rate = 0.1

    def update(self) -> None:
        """Take nothing."""


NONE: list[tuple[Any, str]] = [
    (og.optim.adam, "not the module onnxgrad.optim.adam; call the Adam or AdamW in it"),
    (og.optim, "not the module onnxgrad.optim$"),
    (np, "not the module numpy$"),
    (og.optim.Adam, r"not the class Adam; call it, Adam\(…\)"),
    ("adam", "not 'adam'"),
    (og.optim.cosine, "not <class"),
    ([og.optim.SGD(0.1)], r"not \[SGD"),
    (WithoutCall(), "the update of .* must be a function, not 5"),
    (OfNothing(), "the update of .* takes .*, but is called with 2 values"),
]


@pytest.mark.parametrize(("given", "why"), NONE)
def test_what_is_no_optimizer_is_named(given: Any, why: str) -> None:
    g = network()
    calls: list[Callable[[], Any]] = [
        lambda: og.train_step(g, "loss", given),
        lambda: og.split_step(g, "loss", given),
        lambda: og.fit(g, {"x": np.ones((2, 3), np.float32)}, "loss", given),
        lambda: og.optim.clip_by_value(given, 1.0),
        lambda: og.optim.groups(og.optim.SGD(0.1), {"w": given}),
    ]
    for call in calls:
        with pytest.raises(og.GraphError, match=why):
            call()


@pytest.mark.parametrize(
    ("module", "name", "meant"),
    [
        (og.losses, "crossentropy", "'cross_entropy'"),
        (og.losses, "MSE", "'mse'"),
        (og.optim, "adamw", "'Adam' or 'AdamW'"),
        (og.random, "unifrom", "'uniform'"),
        (og.scipy, "objectve", "'objective'"),
        (og.casadi, "famly", "'family'"),
        (og.torch, "functoin", "'function'"),
        (og.jax, "functoin", "'function'"),
    ],
)
def test_a_misspelt_name_of_a_module_is_told_what_is_meant(
    module: ModuleType, name: str, meant: str
) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; did you mean {meant}"):
        getattr(module, name)
