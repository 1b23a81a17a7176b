"""What errors and warnings say, in the words of the command line; it changes no meaning.

A message names an argument of Python's in one of these forms, and no other:

1. `name=value`, such as resume=True, loss='mse', frozen=…, names={'x': …}
2. `name['key']`, such as shapes['N']
3. `name: ` or `name must` at its beginning
"""

import re
from collections.abc import Container

_OPTIONS = {
    "allow_unused": "--allow-unused",
    "backends": "--backend",
    "batch_size": "--batch-size",
    "checkpoints": "--checkpoints",
    "epochs": "--epochs",
    "frozen": "--freeze",
    "loss": "--loss",
    "metric": "--metric",
    "names": "--name",
    "of": "--of",
    "parameters": "--train",
    "patience": "--patience",
    "resume": "--resume",
    "seed": "--seed",
    "shapes": "--shape",
    "validation": "--validation",
    "wrt": "--wrt",
}
"""The options by the arguments that they stand for."""

_VALUE = r"True|…|'[^']*'|\{[^}]*\}|\[[^\]]*\]|[\w.]+"

_ARGUMENT = re.compile(
    rf"(?<![-\w./'])(?P<name>{'|'.join(_OPTIONS)})"
    rf"(?:=(?P<value>{_VALUE})|\['(?P<key>[^']*)'\])"
    rf"|^(?P<first>{'|'.join(_OPTIONS)})(?=: | must )"
)

_CALLS = {
    r"tune=True times forms": ("forms are timed", ""),
    r"og\.straight_through\(graph\)": ("--straight-through", "--straight-through"),
    r"(?<![-\w./'])vjp(?![-\w/']|\.\w)": ("--vjp", "--vjp"),
    r"(?<![-\w./'])jvp(?![-\w/']|\.\w)": ("--jvp", "--jvp"),
    r"for the sizes of an input give a tuple": (
        "for the sizes of an input give all, x=8,3 or x=8,",
        "--shape",
    ),
}
"""What functions are called, how an option says it, and the option that a command must have."""


def spelled(message: str, options: Container[str]) -> str:
    """Write a message in one line, arguments as the options that a command has."""

    def as_option(found: re.Match[str]) -> str:
        option = _OPTIONS[found["name"] or found["first"]]
        if option not in options:
            return found[0]
        if found["key"] is not None:
            return f"{option} {found['key']}"
        return " ".join(f"{option} {value}".strip() for value in _given(found["value"] or ""))

    message = _ARGUMENT.sub(as_option, message)
    for python, (words, needed) in _CALLS.items():
        if not needed or needed in options:
            message = re.sub(python, words, message)
    return " ".join(message.split())


def _given(value: str) -> list[str]:
    """Give what a value of Python's is as that of an option, one for each item of a dict."""
    if value.startswith("{"):
        items = [item.rpartition(": ") for item in value[1:-1].split(", ")]
        return [f"{key.strip(_QUOTES)}={text}" if key else "NAME=…" for key, _, text in items]
    return ["" if value in ("True", "…") or value.startswith("[") else value.strip(_QUOTES)]


_QUOTES = "'\""
