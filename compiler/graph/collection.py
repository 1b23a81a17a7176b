"""Python's garbage collector, held back while many nodes are made; it frees nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Hold the collector back, also as a decorator.

    Graphs hold no cycles, so that it finds nothing to free among them; but each of its rounds walks
    through all nodes that there are, a quarter of the time where tens of thousands are made.
    """
    if not gc.isenabled():  # somebody else lets it run again
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
