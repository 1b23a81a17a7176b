"""Graphs as differentiable functions in torch, and torch's modules as graphs."""

from typing import TYPE_CHECKING, Any

from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.names import without_attribute

from .bridges.function import function_of
from .bridges.requirements import require
from .selection import Selection


def function(
    graph: Graph,
    of: Selection | None = None,
    *,
    parameters: Selection | None = None,
    backend: str = "numpy",
    **options: Any,
) -> Any:
    """Give a graph as a function of tensors that torch differentiates, to any order.

    The function takes tensors in the order of the graph's inputs, or by their names, and gives one
    tensor or a tuple of them. Reverse and forward mode, `torch.func.vmap` and the batches of
    `torch.autograd` are graphs of ours, made when they are first used. Tensors of the CPU, and
    those of cuda on the CuPy backend, are not copied on their way in. A derivative computes the
    values that it needs once more. The function can be pickled, and torch.compile stops around it.

    Args:
        graph: any graph whose inputs and outputs are tensors of numbers.
        of: the outputs, or other values, to give, from the inputs that they read; all without this.
        parameters: initializers that the function takes too, after the inputs, by name or pattern;
            the graph's arrays are used where none is given. `f.parameters` has them as tensors.
        backend: see `compile`, which takes the other options too.

    Raises:
        BackendUnavailableError: torch or the backend is not installed.
        GraphError: what goes in or out is not a tensor, or a name is unknown.

    Example:
        >>> f = og.torch.function(og.load("model.onnx"), "loss", parameters="*.weight")
        >>> w = torch.nn.Parameter(f.parameters["fc.weight"])
        >>> f(x, label, **{"fc.weight": w}).backward()
    """
    require("torch", "og.torch")
    from .bridges.torch_function import TorchFunction  # it imports torch

    return TorchFunction(*function_of(graph, of, parameters, backend, options))


def export(module: Any, example: Any, **options: Any) -> Graph:
    """Give the graph of a torch module, by torch's own exporter.

    It warns where the module trains and the exporter writes BatchNormalization or dropout as in
    inference. A module to be trained is exported by `dynamo=False`, torch's older exporter, with
    `training=torch.onnx.TrainingMode.PRESERVE` and `do_constant_folding=False`.

    Args:
        module: a `torch.nn.Module`, or what else `torch.onnx.export` takes.
        example: the tensor that the module is called with, or a tuple of what it is called with.
        options: what else `torch.onnx.export` takes: input_names, output_names, dynamic_shapes, …

    Raises:
        BackendUnavailableError: torch, or onnxscript, which its exporter needs, is not installed.
        ModelFileError: the exporter does not take the module, and its reason follows; or it would
            pass over one of the options.
    """
    require("torch", "og.torch")
    if options.get("dynamo", True):
        require("onnxscript", "torch's exporter")
    from .bridges.torch_export import exported  # it imports torch

    return exported(module, example, options)


if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
