"""What mkdocs asks for while it builds the site: the table of operators, and formulas as MathML."""

import html
import json
import re
import subprocess
import sys
from typing import Any

from latex2mathml.converter import (  # pyright: ignore[reportMissingImports]  # of the docs extra
    convert,
)

OPERATORS = "<!-- onnxgrad ops -->"
"""Where a page wants the table."""

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put in what `onnxgrad ops` prints where a page asks for it."""
    return markdown.replace(OPERATORS, operators()) if OPERATORS in markdown else markdown


def on_page_content(content: str, **_: Any) -> str:
    """Write formulas as MathML, which browsers show without a script."""
    return FORMULA.sub(_as_mathml, content)


def operators() -> str:
    """Give a Markdown table of all operators."""
    command = [sys.executable, "-m", "onnxgrad", "ops", "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = ["| operator | kernel | gradient | ONNX's own tag | body |", "|---|---|---|---|---|"]
    for row in json.loads(printed):
        cells = [
            f"`{row['operator']}`",
            row["kernel"],
            row["gradient"],
            row["onnx_tag"],
            row["body"] or "",
        ]
        lines.append(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def _as_mathml(found: re.Match[str]) -> str:
    display = "block" if found[1] == "div" else "inline"
    return str(convert(html.unescape(found[2]), display=display))
