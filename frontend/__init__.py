"""The public face of onnxgrad: build, load, transform and run graphs; it computes nothing."""

from onnxgrad.backends import available_backends as backends
from onnxgrad.compiler.errors import (
    BackendUnavailableError,
    GradientError,
    GraphError,
    ModelFileError,
    OnnxgradError,
    UnsupportedOpError,
)
from onnxgrad.compiler.exporter import to_onnx
from onnxgrad.compiler.ir import Graph, Node, Value

from . import optim, random
from .batching import hessian, jacobian, vmap
from .builder import Builder, Tensor
from .drawing import draw
from .files import load, save
from .running import Compiled, compile
from .training import initial_state, start_graph, train_step, with_parameters
from .transforms import grad, hvp, jvp, optimize, vjp
from .validation import check_gradients, validate

__version__ = "0.1.0"

__all__ = [
    "BackendUnavailableError",
    "Builder",
    "Compiled",
    "GradientError",
    "Graph",
    "GraphError",
    "ModelFileError",
    "Node",
    "OnnxgradError",
    "Tensor",
    "UnsupportedOpError",
    "Value",
    "backends",
    "check_gradients",
    "compile",
    "draw",
    "grad",
    "hessian",
    "hvp",
    "initial_state",
    "jacobian",
    "jvp",
    "load",
    "optim",
    "optimize",
    "random",
    "save",
    "start_graph",
    "to_onnx",
    "train_step",
    "validate",
    "vjp",
    "vmap",
    "with_parameters",
]
