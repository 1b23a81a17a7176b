"""A workload in jax, its whole step compiled; the state is donated."""

import os
from functools import partial
from typing import Any

import jax  # pyright: ignore[reportMissingImports]  # of the bench extra
import numpy as np
from jax import numpy as jnp  # pyright: ignore[reportMissingImports]
from workload import Job

from . import Started


def start(job: Job) -> Started:
    """Give the step on arrays of jax's, which takes as many threads as it is shown cores."""
    if job.threads and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-job.threads :])
    data = {name: jnp.asarray(array) for name, array in job.data.items()}
    weights = {name: jnp.asarray(array) for name, array in job.weights.items()}
    loss = partial(job.work.in_jax, jax)
    return (_training if job.work.by == "weights" else _gradient)(job, loss, weights, data)


def _training(job: Job, loss: Any, weights: Any, data: Any) -> Started:
    update = {"SGD": _sgd, "AdamW": _adamw}[job.work.optimizer]
    zeros = jax.tree.map(jnp.zeros_like, weights)

    @partial(jax.jit, donate_argnums=0)
    def changed(state: Any, data: Any) -> Any:
        found, gradients = jax.value_and_grad(loss)(state["weights"], **data)
        return found, update(state, gradients, job.work.rate)

    state = {"weights": weights}
    if job.work.optimizer == "AdamW":
        state |= {"mean": zeros, "square": jax.tree.map(jnp.copy, zeros), "count": jnp.zeros(())}

    def step() -> float:
        nonlocal state
        found, state = changed(state, data)
        jax.block_until_ready(state)
        return float(found)

    return step, lambda: {name: np.asarray(w) for name, w in state["weights"].items()}


def _gradient(job: Job, loss: Any, weights: Any, data: Any) -> Started:
    one = jax.value_and_grad(loss, argnums=1)
    slope = jax.jit(jax.vmap(one, in_axes=(None, 0)))
    last: dict[str, Any] = {}

    def step() -> float:
        found, last["x"] = slope(weights, data["x"])
        jax.block_until_ready(last)
        return float(found.sum())

    return step, lambda: {"x": np.asarray(last["x"])}


def _sgd(state: Any, gradients: Any, rate: float) -> Any:
    """w − η·dw"""
    return {"weights": jax.tree.map(lambda w, dw: w - rate * dw, state["weights"], gradients)}


def _adamw(state: Any, gradients: Any, rate: float) -> Any:
    """AdamW with torch's settings"""
    count = state["count"] + 1
    mean = jax.tree.map(lambda m, dw: 0.9 * m + 0.1 * dw, state["mean"], gradients)
    square = jax.tree.map(lambda v, dw: 0.999 * v + 0.001 * dw * dw, state["square"], gradients)

    def new(w: Any, m: Any, v: Any) -> Any:
        root = jnp.sqrt(v / (1 - 0.999**count)) + 1e-8
        return w * (1 - 0.01 * rate) - rate * m / (1 - 0.9**count) / root

    weights = jax.tree.map(new, state["weights"], mean, square)
    return {"weights": weights, "mean": mean, "square": square, "count": count}
