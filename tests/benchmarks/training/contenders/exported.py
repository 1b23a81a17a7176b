"""The file that ours writes, in stock onnxruntime."""

from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from workload import Job

import onnxgrad as og

from . import Started
from .ours import derived


def start(job: Job, **how: Any) -> Started:
    """Give the step of the file, saved so; the state goes in and comes out as arrays."""
    graph = derived(job)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    with TemporaryDirectory() as folder:
        path = f"{folder}/step.onnx"
        og.save(graph, path, **how)
        session: Any = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
    feeds: dict[str, Any] = dict(job.data)
    if job.work.by == "weights":
        feeds |= og.initial_state(graph)
    kept = {name: f"{name}.new" for name in feeds if name not in job.data} or {"x": "x.grad"}
    last: dict[str, np.ndarray] = {}

    def step() -> float:
        loss, *found = session.run(["loss", *kept.values()], feeds)
        last.update(zip(kept, found, strict=True))
        if job.work.by == "weights":
            feeds.update(last)
        return float(np.sum(loss))

    return step, lambda: last
