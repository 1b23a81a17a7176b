"""Python in Markdown: the blocks of a page, run one after the other as a reader would."""

import re
from pathlib import Path


def snippets(page: Path) -> list[str]:
    """List the Python blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


def run_snippets(page: Path) -> None:
    """Run the Python blocks of a page in one namespace."""
    names: dict[str, object] = {}
    for number, snippet in enumerate(snippets(page), 1):
        exec(compile(snippet, f"{page.name}, block {number}", "exec"), names)
