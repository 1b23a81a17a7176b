"""The table of contenders: the module that starts each, and what it is told.

`start(job, …)` of a module gives a step, which returns the loss, and what gives the results so far:
the weights, or the gradient by x. No module is imported for another contender.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from workload import Arrays, Job

Started = tuple[Callable[[], float], Callable[[], Arrays]]

CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "torch": ("in_torch", {}),
    "channels_last": ("in_torch", {"channels_last": True}),
    "torch.compile": ("in_torch", {"compiled": True}),
    "jax.jit": ("in_jax", {}),
    "onnxruntime": ("ours", {"backend": "onnxruntime"}),
    "exported": ("exported", {"runtime": "onnxruntime"}),
    "openvino": ("ours", {"backend": "openvino"}),
    "numpy": ("ours", {"backend": "numpy"}),
    "numba": ("ours", {"backend": "numba"}),
    "onnx-ad": ("rivals", {"tool": "onnx-ad"}),
    "onnxsim": ("rivals", {"tool": "onnxsim"}),
}
"""By name; torch eager is what all are compared with, and "exported" is the file that ours writes,
in stock onnxruntime."""

BY_FORM: dict[str, tuple[str, dict[str, Any]]] = {
    "onnxruntime": CONTENDERS["onnxruntime"],
    "onnxruntime, tuned": ("ours", {"backend": "onnxruntime", "tune": True}),
    "numpy": CONTENDERS["numpy"],
    "numpy, tuned": ("ours", {"backend": "numpy", "tune": True}),
    "file, default forms": (
        "exported",
        {"forms": {"ConvWeightGrad": "unfold", "ConvInputGrad": "transposed"}},
    ),
    "file": ("exported", {}),
    "file, tuned": ("exported", {"tune": True}),
    "file for onnxruntime": CONTENDERS["exported"],
}
"""What forms.py compares: how the forms of gradients are chosen. Files run in stock onnxruntime."""

OURS = ("onnxruntime", "exported", "openvino", "numpy", "numba")


def start(name: str, job: Job) -> Started:
    """Start a contender."""
    module, options = {**CONTENDERS, **BY_FORM}[name]
    started: Started = import_module(f"contenders.{module}").start(job, **options)
    return started
