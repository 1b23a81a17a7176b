"""Parameters chosen by name or pattern."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_texts
from onnxgrad.compiler.graph.ir import Value
from onnxgrad.compiler.graph.names import suggestion

from ..training.update import Update


def matching(
    update: Update, parameters: Iterable[Value], patterns: str | Sequence[str], role: str
) -> list[Value]:
    """Give the parameters that names or patterns such as "*.weight" stand for.

    Raises:
        GraphError: one of them stands for nothing that is trained.
    """
    names = {update.name(w): w for w in parameters}
    found: dict[Value, None] = {}
    for pattern in require_texts(patterns, role):
        # a name may hold brackets, which mean something in patterns
        some = [w for n, w in names.items() if n == pattern or fnmatchcase(n, pattern)]
        if not some:
            hint = suggestion(pattern, names)
            raise GraphError(f"{role}: no trained parameter matches '{pattern}'{hint}")
        found |= dict.fromkeys(some)
    return list(found)
