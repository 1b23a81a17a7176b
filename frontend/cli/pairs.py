"""Options of the form name=something, which may be given several times."""

from collections.abc import Callable, Sequence

from onnxgrad.compiler.errors import GraphError


def read_pairs(
    option: str,
    form: str,
    given: Sequence[str] | None,
    split: Callable[[str, str], tuple[str, str, str]] = str.rpartition,
) -> dict[str, str]:
    """Give what an option says of each name; spaces around either do not count.

    Args:
        option: the option, for errors.
        form: what it wants, for errors, such as "name=file.npy".
        given: the texts.
        split: at which "=" a text is split; by default the last one, for a name may hold others.

    Raises:
        GraphError: a text has another form, or a name comes twice.
    """
    pairs: dict[str, str] = {}
    for text in given or ():
        name, _, said = (part.strip() for part in split(text, "="))
        if not (name and said):
            raise GraphError(f"{option} wants {form}, got '{text}'")
        if name in pairs:
            raise GraphError(f"{option} gives '{name}' twice")
        pairs[name] = said
    return pairs
