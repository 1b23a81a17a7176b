"""Time calls fairly: after a run that does not count, in turns, the least of several rounds."""

from collections.abc import Callable, Mapping

Clock = Callable[[], float]

ENOUGH = 0.05
"""Seconds that each call may take in all, beyond the fewest rounds."""

FEWEST, MOST = 3, 50
"""Rounds."""

_FAR_BEHIND = 3.0
"""How many times the fastest first run one may take that is timed at all."""

_SHORT = 0.005
"""Seconds of a first run that tell nothing."""


def time_in_turns(
    calls: Mapping[str, Callable[[], object]], first: Mapping[str, float], clock: Clock
) -> dict[str, float]:
    """Give the least seconds of each call.

    Args:
        calls: what to time, each run once already.
        first: the seconds of those runs. What was far behind there is not run again.
        clock: gives seconds.
    """
    longest = max(_FAR_BEHIND * min(first.values()), _SHORT)
    found: dict[str, list[float]] = {name: [] for name in calls if first[name] <= longest}
    pending = list(found)
    while pending:
        for name in pending:
            start = clock()
            calls[name]()
            found[name].append(clock() - start)
        pending = [name for name in pending if not _is_enough(found[name])]
    return {name: min(found.get(name) or [first[name]]) for name in calls}


def _is_enough(seconds: list[float]) -> bool:
    return len(seconds) >= MOST or len(seconds) >= FEWEST and sum(seconds) >= ENOUGH
