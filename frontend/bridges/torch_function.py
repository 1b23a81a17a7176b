"""Graphs as functions of torch tensors; what torch differentiates is a graph of ours each time."""

# torch is not installed where this is checked
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import torch

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Value
from onnxgrad.compiler.graph.types import as_dtype, dtype_name

from .function import Defaults, GraphFunction, Mask, bind, chosen, floats


class TorchFunction:
    """A graph as a function of tensors: `f(x)`, `f(x, w=weight)`.

    Attributes:
        inputs: the names of what it takes, in order.
        outputs: the names of what it gives, in order; a single one is given as it is.
        parameters: the tensors of the parameters that it takes, as the graph has them.
    """

    def __init__(self, function: GraphFunction, defaults: Defaults) -> None:
        self._function = function
        self.inputs = [v.name for v in function.inputs]
        self.outputs = [v.name for v in function.outputs]
        self.parameters = {name: as_tensor(array.copy()) for name, array in defaults.items()}

    # torch.compile would trace it down to NumPy
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch is not installed here
    def __call__(self, *tensors: Any, **by_name: Any) -> Any:
        """Run on tensors by position or by name; give a tensor, or a tuple of them.

        Raises:
            GraphError: a tensor is missing or surplus, or of a wrong dtype, shape or device.
        """
        given = bind(self._function.inputs, self.parameters, tensors, by_name)
        checked = map(_checked, self._function.inputs, given)
        results = _call(self._function, *checked)
        return results[0] if len(results) == 1 else results


class Call(torch.autograd.Function):
    """One run of a graph; its derivatives are runs of other graphs, and so to any order."""

    @staticmethod
    def forward(function: GraphFunction, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run the graph."""
        on_gpu = _on_gpu(function, tensors)
        return tuple(map(as_tensor, function.run([as_array(t, on_gpu) for t in tensors])))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> None:
        """Keep the inputs: derivatives compute again what else they need."""
        ctx.function, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)
        whole = [not is_float for is_float in floats(ctx.function.outputs)]
        ctx.mark_non_differentiable(*chosen(output, tuple(whole)))

    @staticmethod
    def backward(ctx: Any, *dys: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        """Run the graph of the gradients by the inputs that need them."""
        function, tensors = ctx.function, ctx.saved_tensors
        wrt = _both(floats(function.inputs), ctx.needs_input_grad[1:])
        of = _both(floats(function.outputs), [dy is not None for dy in dys])
        if not any(wrt) or not any(of):
            return (None, *(None for _ in wrt))
        found = iter(_call(function.vjp(wrt, of), *tensors, *chosen(dys, of)))
        return (None, *(next(found) if wanted else None for wanted in wrt))

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        """Run the graph of the tangents of the outputs."""
        function, tensors = ctx.function, ctx.saved_tensors
        wrt = _both(floats(function.inputs), [t is not None for t in tangents])
        of = floats(function.outputs)
        if not any(wrt) or not any(of):
            return tuple(None for _ in of)
        found = iter(_call(function.jvp(wrt, of), *tensors, *chosen(tangents, wrt)))
        return tuple(next(found) if moved else None for moved in of)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], function: GraphFunction, *tensors: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, ...], tuple[int, ...]]:
        """Run the graph of a batch."""
        axes = in_dims[1:]
        batched = function.vmap(tuple(axis is not None for axis in axes))
        moved = [t if k is None else t.movedim(k, 0) for t, k in zip(tensors, axes, strict=True)]
        results = Call.apply(batched, *moved)
        return results, tuple(0 for _ in results)


def _call(function: GraphFunction, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Run a graph; where torch.autograd batches gradients, that of the batch.

    `is_grads_batched` and `vectorize=True` use a vmap older than that of `torch.func`, of which an
    autograd.Function hears nothing: its tensors are unwrapped here, around autograd.
    """
    batched = list(map(torch._C._functorch.is_legacy_batchedtensor, tensors))
    if not any(batched):
        return Call.apply(function, *tensors)
    level = torch._C._vmapmode_increment_nesting() - 1
    torch._C._vmapmode_decrement_nesting()
    physical = [
        torch._remove_batch_dim(t, level, 1, 0) if moved else t
        for t, moved in zip(tensors, batched, strict=True)
    ]
    size = max(t.shape[0] for t in chosen(physical, tuple(batched)))
    physical = [
        t.expand(size, *t.shape[1:]) if moved else t  # of another level's batch there is one
        for t, moved in zip(physical, batched, strict=True)
    ]
    results = _call(function.vmap(tuple(batched)), *physical)
    return tuple(torch._add_batch_dim(t, 0, level) for t in results)


# torch asks for it at every call, and finds it here at once
Call.forward.__signature__ = signature(Call.forward)  # type: ignore[attr-defined]


def _both(first: Mask, second: Sequence[bool]) -> Mask:
    return tuple(a and b for a, b in zip(first, second, strict=True))


def _checked(value: Value, given: Any) -> torch.Tensor:
    """Give the tensor that goes into an input; numbers and lists become one."""
    wanted = _torch_dtype(value.dtype)
    if not isinstance(given, torch.Tensor):
        try:
            return torch.as_tensor(given, dtype=wanted)
        except (TypeError, ValueError, RuntimeError) as error:
            raise GraphError(f"'{value.name}' wants {value.type}: {error}") from None
    if given.dtype != wanted:
        raise GraphError(
            f"'{value.name}' wants {value.type}, got {given.dtype}; convert it with .to({wanted})"
        )
    return given


@cache
def _torch_dtype(dtype: np.dtype) -> torch.dtype:
    found = getattr(torch, dtype_name(dtype), None)
    if not isinstance(found, torch.dtype):
        raise GraphError(f"torch has no dtype {dtype_name(dtype)}")
    return found


@cache
def _numpy_dtype(dtype: torch.dtype) -> np.dtype:
    return as_dtype(str(dtype).removeprefix("torch."))


def _on_gpu(function: GraphFunction, tensors: Sequence[torch.Tensor]) -> bool:
    """Tell whether tensors stay on the GPU, which the CuPy backend alone shares with torch."""
    devices = {t.device.type for t in tensors if t.dim() or t.device.type != "cpu"}
    if devices <= {"cpu"}:
        return False
    if devices == {"cuda"} and function.compiled.backend == "cupy":
        return True
    listed = " and ".join(sorted(devices))
    raise GraphError(
        f"tensors on {listed} do not reach the backend '{function.compiled.backend}': bring them "
        "to the CPU with .cpu(), or make the function with backend='cupy' for tensors on cuda"
    )


def as_array(tensor: torch.Tensor, on_gpu: bool = False) -> Any:
    """See a tensor as an array over the same memory."""
    tensor = tensor.detach()
    if on_gpu:
        return import_module("cupy").from_dlpack(tensor)
    dtype = _numpy_dtype(tensor.dtype)
    if dtype.isbuiltin == 1:
        return tensor.numpy()
    return tensor.view(_bits(dtype)).numpy().view(dtype)  # NumPy alone knows no bfloat16


def as_tensor(array: Any) -> torch.Tensor:
    """See an array as a tensor over the same memory, unless torch cannot."""
    if not isinstance(array, np.ndarray):
        return torch.from_dlpack(array)
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    if array.dtype.isbuiltin == 1:
        return torch.from_dlpack(array)
    plain = array.view(f"i{array.dtype.itemsize}")
    return torch.from_dlpack(plain).view(_torch_dtype(array.dtype))


def _bits(dtype: np.dtype) -> torch.dtype:
    return torch.int16 if dtype.itemsize == 2 else torch.int8
