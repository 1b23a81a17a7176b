"""The option --shape: numbers for the sizes that a model leaves open."""

from typing import Annotated

import typer

from onnxgrad.compiler.errors import GraphError

Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="NAME=SIZES",
        help="A number for a size that the model leaves open, N=8, or all sizes of an input, "
        "image=1,3,None,None (None stays open; of one axis x=8,); repeatable.",
    ),
]


def read_shapes(given: list[str] | None) -> dict[str, int | list[int | None]]:
    """Read `N=8` and `image=1,3,None,None`, as the argument `shapes` of `load` has them.

    Raises:
        GraphError: one says something else, or a name comes twice.
    """
    shapes: dict[str, int | list[int | None]] = {}
    for text in given or []:
        name, equals, sizes = (part.strip() for part in text.partition("="))
        if not (name and equals and sizes):
            raise GraphError(f"--shape wants N=8 or image=1,3,None,None, got '{text}'")
        if name in shapes:
            raise GraphError(f"--shape gives '{name}' twice")
        if "," in sizes:
            listed = sizes.removesuffix(",").split(",")
            shapes[name] = [None if s.strip() == "None" else _number(text, s) for s in listed]
        else:
            shapes[name] = _number(text, sizes)
    return shapes


def _number(text: str, size: str) -> int:
    if not (size.strip().isascii() and size.strip().isdecimal()):
        raise GraphError(f"--shape {text}: '{size.strip()}' is no size; sizes are 0, 1, 2, …")
    return int(size)
