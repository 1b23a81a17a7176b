"""A workload in torch: eager, with images in channels_last, or compiled."""

from functools import partial
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]  # of the bench extra
from workload import Arrays, Job

from . import Started


def start(job: Job, compiled: bool = False, channels_last: bool = False) -> Started:
    """Give the step on tensors; the weights need no modules around them."""
    if job.threads:
        torch.set_num_threads(job.threads)
    data = {name: torch.from_numpy(array) for name, array in job.data.items()}
    weights = {name: torch.from_numpy(array.copy()) for name, array in job.weights.items()}
    if channels_last:
        if not any(x.ndim == 4 for x in data.values()):
            raise NotImplementedError("no images")
        for held in (data, weights):
            held.update({name: _channels_last(x) for name, x in held.items()})
    loss = partial(job.work.in_torch, torch)
    loss = torch.compile(loss) if compiled else loss
    return (_training if job.work.by == "weights" else _gradient)(job, loss, weights, data)


def _training(job: Job, loss: Any, weights: Any, data: Any) -> Started:
    for w in weights.values():
        w.requires_grad_()
    optimizer = getattr(torch.optim, job.work.optimizer)(weights.values(), job.work.rate)

    def step() -> float:
        optimizer.zero_grad()
        found = loss(weights, **data)
        found.backward()
        optimizer.step()
        return float(found.item())

    return step, lambda: {name: w.detach().numpy() for name, w in weights.items()}


def _gradient(job: Job, loss: Any, weights: Any, data: Any) -> Started:
    x = data["x"].requires_grad_()
    last: Arrays = {}

    def step() -> float:
        found = loss(weights, **data).sum()
        last["x"] = np.asarray(torch.autograd.grad(found, x)[0])
        return float(found.item())

    return step, lambda: last


def _channels_last(x: Any) -> Any:
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
