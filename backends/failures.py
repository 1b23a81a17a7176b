"""What a runtime refuses while it runs, told by one error of ours; it repairs nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..compiler.errors import GraphError, OnnxgradError


@contextmanager
def told_as_ours() -> Iterator[None]:
    """Turn what kernels and libraries raise about arrays into a GraphError with their notes."""
    try:
        yield
    except (OnnxgradError, MemoryError):
        raise
    except Exception as error:  # every library has its own
        ours = GraphError(f"the graph does not run on these arrays: {error}")
        for note in getattr(error, "__notes__", ()):
            ours.add_note(note)
        raise ours from error
