"""Work split over the processor's cores: NumPy lets go of Python's lock while it computes.

Parts are ranges whose results do not depend on each other, so that not a bit does on their number.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from itertools import pairwise
from typing import Any

PART_BYTES = 1 << 19  # handing over a part takes as long as copying a tenth of this


def in_parts(xp: Any, work: Callable[[int, int], None], length: int, nbytes: int) -> None:
    """Run work(start, stop) over range(length), on several cores where `nbytes` are worth it."""
    parts = min(nbytes // PART_BYTES, length)
    if parts < 2 or xp.__name__ != "numpy" or (parts := min(parts, core_count())) < 2:
        work(0, length)
        return
    bounds = [length * k // parts for k in range(parts + 1)]
    here, others = [(0, bounds[1])], []
    for part in pairwise(bounds[1:]):
        future = _handed_over(work, *part)
        if future is None:
            here.append(part)
        else:
            others.append(future)
    try:
        for part in here:
            work(*part)
    finally:
        wait(others)
    for other in others:
        other.result()


def _handed_over(work: Callable[[int, int], None], start: int, stop: int) -> Future[None] | None:
    """Let another thread do a part; None where Python is about to end, and takes no more."""
    try:
        # each part sees what np.errstate says here
        return _pool().submit(copy_context().run, work, start, stop)
    except RuntimeError as error:
        if "cannot schedule" not in str(error):
            raise
        return None


def allowed_cores() -> int:
    """Count the cores that this process may use."""
    may_use = getattr(os, "sched_getaffinity", None)
    return len(may_use(0)) if may_use is not None else os.cpu_count() or 1


@cache
def core_count() -> int:
    """Count the cores to use: those that it may, at most OMP_NUM_THREADS, as BLAS does."""
    cores = allowed_cores()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) else cores


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(core_count() - 1, "onnxgrad")


if hasattr(os, "register_at_fork"):  # threads do not live on in a child
    os.register_at_fork(after_in_child=_pool.cache_clear)
