"""One contender in a process of its own.

Arguments: workload, contender, size, threads, and "compare" or "time". To be compared it prints
the losses of three steps and a sample of the results of the first, or why it cannot do the job.
That may take a copy of all weights, so it is timed in another process, where it answers each line
of input with the seconds of one step and the peak memory so far in MB. With one thread the seconds
are the processor's.
"""

import json
import resource
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

from contenders import start  # noqa: E402  # its folder is no package
from workload import Job, job, sampled  # noqa: E402
from workloads import WORKLOADS  # noqa: E402


def peak() -> float:
    """Give the most memory that this process held in MB; Linux's ru_maxrss counts its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (part for part in status.read_text().splitlines() if part.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(given: Job, contender: str) -> None:
    """Print the losses of three steps and a sample of the results of the first, or a refusal."""
    try:
        step, results = start(contender, given)
        losses = [step()]
        changed = sampled(results())
        losses += [step(), step()]
    except Exception as error:  # a contender's own: the others go on
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}), flush=True)
        return
    print(json.dumps({"losses": losses, "results": changed}), flush=True)


def time_steps(given: Job, contender: str) -> None:
    """Answer each line of input with the seconds of a step and the peak so far in MB."""
    step, _ = start(contender, given)
    for _ in range(3):
        step()
    repeats = given.work.repeats
    clock = time.process_time if given.threads == 1 else time.perf_counter
    for _ in sys.stdin:
        start_time = clock()
        for _ in range(repeats):
            step()
        print(json.dumps([(clock() - start_time) / repeats, peak()]), flush=True)


def main(workload: str, contender: str, size: str, threads: str, purpose: str) -> None:
    """Do what a process is there for."""
    given = job(WORKLOADS[workload], int(size), int(threads))
    {"compare": compare, "time": time_steps}[purpose](given, contender)


if __name__ == "__main__":
    main(*sys.argv[1:])
