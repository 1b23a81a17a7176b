"""Every error that onnxgrad raises on purpose; each names what is wrong and what to do."""

from collections.abc import Iterable


class OnnxgradError(Exception):
    """Base of all errors of onnxgrad."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class GraphError(OnnxgradError, ValueError):
    """A graph, an operator's call or a feed that is not valid."""


class GradientError(OnnxgradError, ValueError):
    """A derivative that was asked for and does not exist, or cannot be given."""


class UnsupportedOpError(OnnxgradError, NotImplementedError):
    """Operators that cannot be differentiated, exported or run; all of them at once in `ops`."""

    def __init__(self, message: str, ops: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.ops = tuple(ops)


class BackendUnavailableError(OnnxgradError, ImportError):
    """A backend or a package that is missing here; the message names what to install."""


class ModelFileError(OnnxgradError, ValueError):
    """A model file that cannot be read or written."""


def locate(error: Exception, place: str) -> None:
    """Say in an error where it arose: ours in the message itself, any other in a note."""
    if isinstance(error, OnnxgradError):
        error.args = (f"{place}: {error}", *error.args[1:])
    else:
        error.add_note(place)
