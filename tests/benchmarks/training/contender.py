"""One contender in a process of its own: it times steps when its standard input asks for it.

Arguments: workload, contender ("torch" or a backend of ours), file of weights. The first line that
it prints holds the losses of five steps; each line of input is answered by the seconds of one step
and the peak memory so far in MB. With the contender "weights" it writes the file and ends.
"""

import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from workloads import WORKLOADS, Workload


def our_step(work: Workload, backend: str, file: str) -> Callable[[], float]:
    """Give the step of ours on a backend."""
    import onnxgrad as og

    step = og.train_step(work.build(np.load(file)), "loss", og.optim.SGD(work.rate))
    stepper = og.compile(step, backend).stepper()
    feeds = {"x": work.x, "target": work.target}
    return lambda: float(stepper.run(feeds)["loss"])


def main(name: str, contender: str, file: str) -> None:
    """Answer until the input ends."""
    work = WORKLOADS[name]
    if contender == "weights":
        from torch_modules import make

        np.savez(file, **{k: v.detach().numpy() for k, v in make(name).state_dict().items()})
        return
    if contender == "torch":
        from torch_modules import torch_step

        step = torch_step(name, work)
    else:
        step = our_step(work, contender, file)
    print(json.dumps([step() for _ in range(5)]), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(work.repeats):
            step()
        seconds = (time.perf_counter() - start) / work.repeats
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([seconds, peak]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
