"""The public face of onnxgrad: build, load, transform and run graphs; it computes nothing."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from onnxgrad.backends import available_backends
from onnxgrad.compiler.errors import (
    BackendUnavailableError,
    GradientError,
    GraphError,
    ModelFileError,
    OnnxgradError,
    UnsupportedOpError,
)
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.names import without_attribute as _without_attribute

if TYPE_CHECKING:  # what follows loads when it is first used: see __getattr__
    from onnxgrad.compiler.interchange.exporter import to_onnx

    from . import casadi, jax, losses, optim, random, scipy, torch
    from .batching import hessian, jacobian, vmap
    from .building.builder import Builder, Tensor
    from .costing import cost
    from .drawing.pictures import draw
    from .editing import keep, rename, replace_output
    from .extending.custom_gradients import custom_gradient, stop_gradient
    from .extending.registration import register_gradient, register_kernel, register_operator
    from .files import load, save, save_weights
    from .fitting.fit import Fitted, fit
    from .inference_mode import to_inference
    from .recomputing import recompute
    from .running import Compiled, compile
    from .training.looping import train_loop
    from .training.splitting import split_step
    from .training.step import initial_state, start_graph, train_step, with_parameters
    from .transforms import grad, hvp, jvp, mixed_precision, optimize, straight_through, vjp
    from .validation import check_gradients, validate
    from .weights.adapters import load_adapter, save_adapter
    from .weights.heads import new_head
    from .weights.low_rank import lora, merge_lora
    from .weights.quantized_weights import dequantize_weights, quantize_weights
    from .weights.untying import untie

__version__ = "0.1.0"

__all__ = [
    "BackendUnavailableError",
    "Builder",
    "Compiled",
    "Fitted",
    "GradientError",
    "Graph",
    "GraphError",
    "ModelFileError",
    "Node",
    "OnnxgradError",
    "Tensor",
    "UnsupportedOpError",
    "Value",
    "available_backends",
    "casadi",
    "check_gradients",
    "compile",
    "cost",
    "dequantize_weights",
    "custom_gradient",
    "draw",
    "fit",
    "grad",
    "hessian",
    "hvp",
    "initial_state",
    "jacobian",
    "jax",
    "jvp",
    "keep",
    "load",
    "load_adapter",
    "lora",
    "merge_lora",
    "new_head",
    "losses",
    "mixed_precision",
    "optim",
    "optimize",
    "quantize_weights",
    "random",
    "recompute",
    "register_gradient",
    "register_kernel",
    "register_operator",
    "rename",
    "replace_output",
    "save",
    "save_adapter",
    "save_weights",
    "scipy",
    "split_step",
    "start_graph",
    "stop_gradient",
    "straight_through",
    "to_inference",
    "to_onnx",
    "torch",
    "train_loop",
    "train_step",
    "untie",
    "validate",
    "vjp",
    "vmap",
    "with_parameters",
]

_HOMES = {
    ".weights.adapters": ["load_adapter", "save_adapter"],
    ".batching": ["hessian", "jacobian", "vmap"],
    ".building.builder": ["Builder", "Tensor"],
    ".compiler.interchange.exporter": ["to_onnx"],
    ".costing": ["cost"],
    ".extending.custom_gradients": ["custom_gradient", "stop_gradient"],
    ".drawing.pictures": ["draw"],
    ".editing": ["keep", "rename", "replace_output"],
    ".files": ["load", "save", "save_weights"],
    ".fitting.fit": ["Fitted", "fit"],
    ".weights.heads": ["new_head"],
    ".inference_mode": ["to_inference"],
    ".weights.low_rank": ["lora", "merge_lora"],
    ".training.looping": ["train_loop"],
    ".weights.quantized_weights": ["dequantize_weights", "quantize_weights"],
    ".recomputing": ["recompute"],
    ".extending.registration": ["register_gradient", "register_kernel", "register_operator"],
    ".running": ["Compiled", "compile"],
    ".training.splitting": ["split_step"],
    ".training.step": ["initial_state", "start_graph", "train_step", "with_parameters"],
    ".transforms": ["grad", "hvp", "jvp", "mixed_precision", "optimize", "straight_through", "vjp"],
    ".weights.untying": ["untie"],
    ".validation": ["check_gradients", "validate"],
}
"""The modules that load when one of their names is first used: rules and importers are many."""


def __getattr__(name: str) -> Any:
    if name in ("casadi", "jax", "losses", "optim", "random", "scipy", "torch"):
        return import_module(f".{name}", __name__)
    for home, names in _HOMES.items():
        if name in names:
            globals()[name] = found = getattr(import_module(home, __name__), name)
            return found
    _without_attribute(globals())(name)


def __dir__() -> list[str]:
    return __all__
