"""What a runtime refuses while it runs, told by one error of ours; it repairs nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..compiler.errors import GraphError, OnnxgradError


@contextmanager
def told_as_ours() -> Iterator[None]:
    """Turn what kernels and libraries raise about arrays into a GraphError that says where."""
    try:
        yield
    except (OnnxgradError, MemoryError):
        raise
    except Exception as error:  # every library has its own
        places = "".join(f"{note}: " for note in reversed(getattr(error, "__notes__", ())))
        reason = str(error) or type(error).__name__
        raise GraphError(f"the graph does not run on these arrays: {places}{reason}") from error
