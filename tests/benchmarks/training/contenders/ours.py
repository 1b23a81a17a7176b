"""A workload in a graph of ours, on one of our backends."""

from typing import Any

import numpy as np
from workload import Job

import onnxgrad as og

from . import Started


def start(job: Job, backend: str, tune: bool = False) -> Started:
    """Give the step on a backend; NumPy and numba take their threads from the environment."""
    options: dict[str, Any] = {}
    if job.threads and backend not in ("numpy", "numba"):
        options["threads"] = job.threads
    compiled = og.compile(derived(job), backend, tune=tune, **options)
    feeds = dict(job.data)
    if job.work.by == "weights":
        stepper = compiled.stepper()
        return lambda: float(stepper.run(feeds)["loss"]), stepper.state
    last: dict[str, Any] = {}

    def step() -> float:
        last.update(compiled.run(feeds))
        return float(last["loss"].sum())

    return step, lambda: {"x": np.asarray(last["x.grad"])}


def model(job: Job) -> og.Graph:
    """Give the loss; of one example where the gradient is by x."""
    b = og.Builder("workload")
    one = job.work.by == "x"
    inputs = {
        name: b.input(name, str(array.dtype), array.shape[one:]) for name, array in job.data.items()
    }
    weights = {name: b.parameter(name, array) for name, array in job.weights.items()}
    b.output(job.work.ours(b.op, weights, **inputs), "loss")
    return b.build()


def derived(job: Job) -> og.Graph:
    """Give the training step, or the gradients by x of a batch of examples."""
    if job.work.by == "weights":
        optimizer = getattr(og.optim, job.work.optimizer)(job.work.rate)
        return og.train_step(model(job), "loss", optimizer)
    return og.vmap(og.grad(model(job), of="loss", wrt="x"), size=len(job.data["x"]))
