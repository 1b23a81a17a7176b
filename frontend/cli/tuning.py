"""The command tune: the forms of a model's gradients, timed on this machine."""

from inspect import signature
from pathlib import Path
from typing import Annotated

import typer

from onnxgrad.backends import find_backend
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.opset import EXPORT_OPSET

from ..transforms import grad, vjp
from ..tuning import tuned, tuned_for_file
from .application import AsJson, Model, command, require_file, require_place, told
from .models import Names, Opset, UseVjp
from .shapes import Shapes
from .terminal import busy, print_json, print_report, read, saved


@command("tune")
def tune_command(
    model: Model,
    of: Names,
    wrt: Names,
    backend: Annotated[
        str, typer.Option(help="Where forms are timed: onnxruntime, openvino or another.")
    ] = "onnxruntime",
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many threads an operator may use.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the gradient in them.", callback=require_file),
    ] = None,
    use_vjp: UseVjp = False,
    opset: Opset = EXPORT_OPSET,
    shape: Shapes = None,
    as_json: AsJson = False,
) -> None:
    """Time the forms of a model's gradients here; print and keep the fastest, or write a file.

    Winners are kept in the user's cache, where tune=True of Python finds them. A file that holds a
    gradient or a training step already has its forms: give the model, or save with tune=True.

    Example: onnxgrad tune model.onnx --of loss --wrt '*' --shape N=32 -o gradient.onnx
    """
    graph = read(model, shape)
    require_place(output, model)
    if len(of) > 1 and not use_vjp:
        raise GraphError(f"--of names {len(of)} values; without --vjp it takes one scalar")
    found = find_backend(backend)
    options = {} if threads is None else {"threads": threads}
    if options and "threads" not in signature(found.prepare).parameters:
        raise GraphError(f"the backend '{backend}' takes no --threads")
    with busy("differentiating"):
        gradient = vjp(graph, of, wrt) if use_vjp else grad(graph, of[0], wrt)
    with busy("timing forms"):
        runtime = None if backend == "onnxruntime" else backend
        if output is None:
            chosen, tuning = tuned(gradient, found, options)
        else:
            chosen, tuning = tuned_for_file(gradient, runtime, opset, options)
    written = None if output is None else saved(chosen, output, opset, runtime)
    tuning.left = {name: told(why, "tune") for name, why in tuning.left.items()}
    if as_json:
        print_json(tuning.as_dict())
        return
    print_report(tuning)
    if written is not None:
        print(written)
