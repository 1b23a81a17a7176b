"""The command demo."""

from pathlib import Path
from typing import Annotated

import typer

from .application import command


@command("demo")
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for models, plot and drawing.")
    ] = Path("out/demo"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training digits.")] = 5,
) -> None:
    """Train a convolutional network on digits, export the step, replay it in onnxruntime.

    Example: onnxgrad demo -o out/demo
    """
    from ..demo.main import main  # its libraries are an extra

    main(output, epochs)
