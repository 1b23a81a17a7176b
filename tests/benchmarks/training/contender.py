"""One contender in a process of its own: it times steps when its standard input asks for it.

Arguments: workload, contender ("torch", a backend of ours, or "exported": the saved step in stock
onnxruntime), file of weights, threads (0: as many as each takes). The first line that it prints
holds the losses of five steps; each line of input is answered by the seconds of one step and the
peak memory so far in MB; with one thread they are the processor's. With the contender "weights" it
writes the file and ends.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from workloads import WORKLOADS, Workload


def our_step(work: Workload, backend: str, file: str, threads: int) -> Callable[[], float]:
    """Give the step of ours on a backend; NumPy takes its threads from the environment."""
    import onnxgrad as og

    step = og.train_step(work.build(np.load(file)), "loss", og.optim.SGD(work.rate))
    options: dict[str, Any] = {"threads": threads} if threads and backend != "numpy" else {}
    stepper = og.compile(step, backend, **options).stepper()
    feeds = {"x": work.x, "target": work.target}
    return lambda: float(stepper.run(feeds)["loss"])


def exported_step(work: Workload, file: str, threads: int) -> Callable[[], float]:
    """Give the step as a file in forms for onnxruntime, in stock onnxruntime."""
    import onnxruntime

    import onnxgrad as og

    step = og.train_step(work.build(np.load(file)), "loss", og.optim.SGD(work.rate))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with TemporaryDirectory() as folder:
        path = f"{folder}/step.onnx"
        og.save(step, path, runtime="onnxruntime")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    state = {name: np.array(array) for name, array in og.initial_state(step).items()}
    names = ["loss", *(f"{name}.new" for name in state)]

    def run() -> float:
        results = session.run(names, {"x": work.x, "target": work.target, **state})
        loss, *changed = map(np.asarray, results)
        state.update(zip(state, changed, strict=True))
        return float(loss)

    return run


def main(name: str, contender: str, file: str, count: str = "0") -> None:
    """Answer until the input ends."""
    work, threads = WORKLOADS[name], int(count)
    if contender == "weights":
        from torch_modules import make

        np.savez(file, **{k: v.detach().numpy() for k, v in make(name).state_dict().items()})
        return
    if contender == "torch":
        from torch_modules import torch_step

        step = torch_step(name, work, threads)
    elif contender == "exported":
        step = exported_step(work, file, threads)
    else:
        step = our_step(work, contender, file, threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    print(json.dumps([step() for _ in range(5)]), flush=True)
    for _ in sys.stdin:
        start = clock()
        for _ in range(work.repeats):
            step()
        seconds = (clock() - start) / work.repeats
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([seconds, peak]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
