"""What a runtime refuses while it runs, told by one error of ours; it repairs nothing."""

from ..compiler.errors import GraphError, OnnxgradError


class told_as_ours:  # noqa: N801  # it reads as a phrase, and a generator takes longer
    """Turn what kernels and libraries raise about arrays into a GraphError that says where."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, OnnxgradError | MemoryError):
            return
        places = "".join(f"{note}: " for note in reversed(getattr(error, "__notes__", ())))
        reason = str(error) or type(error).__name__
        raise GraphError(f"the graph does not run on these arrays: {places}{reason}") from error
