"""What mkdocs asks for while it builds: tables of operators and options, formulas as MathML."""

import html
import json
import re
import subprocess
import sys
from typing import Any

import typer
from latex2mathml.converter import (  # pyright: ignore[reportMissingImports]  # of the docs extra
    convert,
)

from onnxgrad.cli import app

OPERATORS, OPTIONS = "<!-- onnxgrad ops -->", "<!-- onnxgrad --help -->"
"""Where a page wants the table of operators, and those of each command's options."""

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put in what `onnxgrad` says of operators and of itself where a page asks for it."""
    for mark, write in ((OPERATORS, operators), (OPTIONS, options)):
        if mark in markdown:
            markdown = markdown.replace(mark, write())
    return markdown


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


def options() -> str:
    """Give a section for each command, with a table of its options."""
    lines = []
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    for name, command in commands.items():
        about, *examples = command.help.split("\n\nExample: ")
        lines += [f"### {name}", about, "", *(f"    {example}" for example in examples)]
        lines += ["", '<div class="options" markdown>', "", "| option | |", "|---|---|"]
        for option in command.params:
            spelled = ", ".join(f"`{o}`" for o in option.opts if o.startswith("-"))
            if spelled:
                lines.append(f"| {spelled} | {html.escape(option.help)} |")
        lines += ["", "</div>", ""]
    return "\n".join(lines)


def _as_mathml(found: re.Match[str]) -> str:
    display = "block" if found[1] == "div" else "inline"
    return str(convert(html.unescape(found[2]), display=display))
