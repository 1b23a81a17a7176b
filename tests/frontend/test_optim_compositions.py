"""Optimizers wrapped at random: backends agree, and a loop and two graphs give a step's bits."""

from collections.abc import Callable

import numpy as np
import pytest
from trajectories import FEEDS, regression

import onnxgrad as og
from onnxgrad import optim

RULES: list[Callable[[optim.Rate], optim.Optimizer]] = [
    lambda rate: optim.SGD(rate, momentum=0.5),
    optim.Adam,
    lambda rate: optim.Adagrad(rate, start=0.1),
    lambda rate: optim.RMSprop(rate, centered=True),
    optim.Adafactor,
    optim.Lion,
    lambda rate: optim.groups(optim.SGD(rate), {"w": optim.Muon(rate)}),
]
RATES: list[optim.Rate] = [
    0.05,
    optim.cosine(0.1, steps=8, warm_up=2),
    optim.one_cycle(0.1, steps=9),
    optim.linear_warm_up(optim.piecewise(0.05, {2: 0.01}), steps=3, start=0.01),
]
WRAPPERS: list[Callable[[optim.Optimizer], optim.Optimizer]] = [
    lambda inner: optim.clip_by_value(inner, 0.2),
    lambda inner: optim.clip_by_global_norm(inner, 0.5),
    lambda inner: optim.decay_weights(inner, 0.1),
    lambda inner: optim.accumulate(inner, 2),
    lambda inner: optim.average_weights(inner, 0.9),
    optim.skip_non_finite,
    lambda inner: optim.scale_loss(inner, start=4.0, interval=2),
]


def composed(seed: int) -> optim.Optimizer:
    """Draw a rule, its rate and up to four wrappers, a scaled loss only as the last."""
    random = np.random.default_rng(seed)
    optimizer = RULES[seed % len(RULES)](RATES[random.integers(len(RATES))])
    depth = int(random.integers(1, 5))
    for k in range(depth):
        optimizer = WRAPPERS[random.integers(len(WRAPPERS) - (k < depth - 1))](optimizer)
    return optimizer


@pytest.mark.parametrize("seed", range(14))
def test_all_ways_to_take_steps_agree(seed: int) -> None:
    optimizer = composed(seed)
    xs = [np.roll(FEEDS["x"], k, 0) for k in range(6)]
    step = og.train_step(regression(), optimizer=optimizer)
    one, other = (og.compile(step, backend).stepper() for backend in ("numpy", "onnxruntime"))
    losses = [one(x=x, t=FEEDS["t"])["loss"] for x in xs]
    np.testing.assert_allclose([other(x=x, t=FEEDS["t"])["loss"] for x in xs], losses, rtol=1e-9)
    loop = og.compile(og.train_loop(step)).stepper()
    data = {"x": np.concatenate(xs), "t": np.tile(FEEDS["t"], (6, 1))}
    looped = loop(**data, rows=np.arange(36).reshape(6, 6))["loss"]
    np.testing.assert_array_equal(looped, losses)
    backward, update = og.split_step(regression(), optimizer=optimizer)
    gradients, second = og.compile(backward), og.compile(update).stepper()
    for x, loss in zip(xs, losses, strict=True):
        state = second.state()
        shared = {v.name: state[v.name] for v in backward.inputs if v.name in state}
        results = gradients.run({"x": x, "t": FEEDS["t"]} | shared)
        second.run({n: a for n, a in results.items() if n.endswith(".grad")})
        np.testing.assert_array_equal(results["loss"], loss)
    for name, array in one.state().items():
        np.testing.assert_array_equal(loop.state()[name], array)
        np.testing.assert_array_equal(second.state()[name], array)
