"""One contender in a process of its own: it times steps when its standard input asks for it.

Arguments: workload, contender, size, threads. The first line that it prints holds the losses of
three steps and a sample of the results of the first, or why it cannot do the job; each line of
input is answered by the seconds of one step and the peak memory so far in MB, without that of the
sample. With one thread the seconds are the processor's.
"""

import json
import resource
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

from contenders import start  # noqa: E402  # its folder is no package
from workload import job, sampled  # noqa: E402
from workloads import WORKLOADS  # noqa: E402


def peak() -> float:
    """Give the most memory that this process held in MB; Linux's ru_maxrss counts its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (part for part in status.read_text().splitlines() if part.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget_peak() -> None:
    """Let Linux count the peak from here on; elsewhere the old one stays."""
    counted = Path("/proc/self/clear_refs")
    if counted.exists():
        counted.write_text("5")


def main(workload: str, contender: str, size: str, threads: str) -> None:
    """Answer until the input ends."""
    work = WORKLOADS[workload]
    given = job(work, int(size), int(threads))
    try:
        step, results = start(contender, given)
        losses = [step()]
        first = peak()
        changed = sampled(results())  # some give copies, of all state: the comparison's memory
        forget_peak()
        losses += [step(), step()]
    except Exception as error:  # a contender's own: the others go on
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}), flush=True)
        return
    print(json.dumps({"losses": losses, "results": changed}), flush=True)
    clock = time.process_time if threads == "1" else time.perf_counter
    for _ in sys.stdin:
        start_time = clock()
        for _ in range(work.repeats):
            step()
        seconds = (clock() - start_time) / work.repeats
        print(json.dumps([seconds, max(first, peak())]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
