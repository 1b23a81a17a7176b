"""The option --shape: numbers for the sizes that a model leaves open."""

from typing import Annotated

import typer

from onnxgrad.compiler.errors import GraphError

from .pairs import read_pairs

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
    pairs = read_pairs("--shape", "N=8 or image=1,3,None,None", given)
    return {name: _sizes(name, sizes) for name, sizes in pairs.items()}


def _sizes(name: str, text: str) -> int | list[int | None]:
    if "," not in text:
        return _number(name, text, text)
    sizes = [size.strip() for size in text.removesuffix(",").split(",")]
    return [None if size == "None" else _number(name, text, size) for size in sizes]


def _number(name: str, text: str, size: str) -> int:
    if not (size.isascii() and size.isdecimal()):
        raise GraphError(f"--shape {name}={text}: '{size}' is no size; sizes are 0, 1, 2, …")
    return int(size)
