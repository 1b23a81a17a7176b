"""The file that ours writes, in stock onnxruntime."""

from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from workload import Arrays, Job

import onnxgrad as og

from . import Started
from .ours import derived


def start(job: Job, **how: Any) -> Started:
    """Give the step of the file, saved so; data and state stay in memory that is bound to it."""
    graph = derived(job)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    with TemporaryDirectory() as folder:
        path = f"{folder}/step.onnx"
        og.save(graph, path, **how)
        session: Any = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
    feeds = {name: _held(array) for name, array in job.data.items()}
    if job.work.by != "weights":
        return _gradients(session, feeds)
    return _training(session, feeds, og.initial_state(graph))


def _training(session: Any, feeds: Any, state: Arrays) -> Started:
    """Bind two sets of arrays for the state, each read and written in turns."""
    loss = _held(np.zeros((), np.float32))
    sets = [{name: _held(array) for name, array in state.items()} for _ in range(2)]
    turns = []
    for before, after in (sets, sets[::-1]):
        turn = session.io_binding()
        for name, value in {**feeds, **before}.items():
            turn.bind_ortvalue_input(name, value)
        for name, value in after.items():
            turn.bind_ortvalue_output(f"{name}.new", value)
        turn.bind_ortvalue_output("loss", loss)
        turns.append((turn, after))

    def step() -> float:
        turn, _ = turns[0]
        session.run_with_iobinding(turn)
        turns.reverse()
        return float(loss.numpy())

    return step, lambda: {name: value.numpy() for name, value in turns[1][1].items()}


def _gradients(session: Any, feeds: Any) -> Started:
    last: Arrays = {}

    def step() -> float:
        loss, gradient = session.run_with_ort_values(["loss", "x.grad"], feeds)
        last["x"] = gradient.numpy()
        return float(loss.numpy().sum())

    return step, lambda: last


def _held(array: np.ndarray) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.array(array))
