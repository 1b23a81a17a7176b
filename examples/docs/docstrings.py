"""Docstrings as Markdown: what stands in quotes there is code on a page, and so are examples."""

import re
from typing import Any

import griffe  # pyright: ignore[reportMissingImports]  # of the docs extra

QUOTED = re.compile(r'(\{[^{}`\n]*"[^{}`\n]*\})|(?<![`\w])"([^"`\n ]+(?: [^"`\n ]+)?)"(?![`\w])')
"""A dict with texts in it, or a text of one or two words."""


class Quotes(griffe.Extension):
    """Makes `"<name>.grad"` code, which Markdown would take for a tag."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of a function, class or module, its examples excepted."""
        if obj.docstring is None:
            return
        lines = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n").split("\n")
        obj.docstring.value = "\n".join(
            line if line.lstrip().startswith((">>>", "...")) else QUOTED.sub(_as_code, line)
            for line in lines
        )


def _as_code(found: re.Match[str]) -> str:
    return f"`{found[1] or found[2]}`"
