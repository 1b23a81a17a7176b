"""Judge a file that was written of a graph: valid, read again, run by stock onnxruntime."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi import (
    onnxruntime_pybind11_state as errors,  # pyright: ignore[reportAttributeAccessIssue]  # no stubs
)

import onnxgrad as og

Arrays = dict[str, np.ndarray]

RIGHT, REFUSED = "right", "refused"
NO_KERNEL = "no kernel"
"""Stock onnxruntime knows the operator, and has no kernel for it at this opset or of this type."""

NOT_RUN, OTHER_NUMBERS = "not run", "other numbers in onnxruntime"

KNOWN = {
    "GridSample-mode=cubic,padding_mode=border": "onnxruntime moves points to the border, not taps",
    "LSTM-clip": "onnxruntime clips what all activations get but the last one",
    "Resize-crop,": "onnxruntime crops no batch or channels, and no aspect ratio is kept",
}
"""What stock onnxruntime 1.32 does to calls themselves, by the start of a sample's name."""


def known_difference(sample: str) -> str:
    """Give why stock onnxruntime gives other numbers for a sample, nothing where it is unknown."""
    return next((reason for start, reason in KNOWN.items() if sample.startswith(start)), "")


def is_about_stock(verdict: str) -> bool:
    """Tell whether a verdict is about what stock onnxruntime does with a file that is valid."""
    return verdict.startswith((NOT_RUN, OTHER_NUMBERS))


def judge(
    graph: og.Graph,
    feeds: Arrays,
    expected: Arrays,
    opset: int,
    functions: bool,
    in_stock: bool = True,
) -> str:
    """Write a graph at an opset; give RIGHT, REFUSED, NO_KERNEL or what is wrong with the file.

    Without `in_stock` onnxruntime is known to give other numbers, and not asked.
    """
    try:
        model = og.to_onnx(graph, opset, functions=functions)
    except og.UnsupportedOpError:
        return REFUSED
    except og.GraphError as error:
        return REFUSED if "no known rank" in str(error) else f"not written: {_first(error)}"
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        return f"invalid: {_first(error)}"
    try:
        again = og.compile(og.load(model)).run(feeds)
    except Exception as error:
        return f"not read again: {_first(error)}"
    if found := _difference(again, expected):
        return f"read as another graph: {found}"
    if not in_stock:
        return RIGHT
    try:
        stock = run_in_onnxruntime(model, feeds)
    except (errors.NotImplemented, errors.InvalidArgument) as error:
        return NO_KERNEL if "NOT_IMPLEMENTED" in str(error) else f"{NOT_RUN}: {_first(error)}"
    except Exception as error:
        return f"{NOT_RUN}: {_first(error)}"
    if found := _difference(stock, expected):
        return f"{OTHER_NUMBERS}: {found}"
    return RIGHT


def run_in_onnxruntime(model: onnx.ModelProto, feeds: Arrays) -> Arrays:
    """Run a model as any user of onnxruntime does; give its outputs by name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [v.name for v in session.get_outputs()]
    wanted = {v.name for v in session.get_inputs()}
    results: Any = session.run(names, {n: a for n, a in feeds.items() if n in wanted})
    return dict(zip(names, results, strict=True))


def _difference(actual: Arrays, expected: Arrays, tolerance: float = 2e-4) -> str:
    for name, wanted in expected.items():
        found = np.asarray(actual[name])
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            return f"{name}: {found.dtype}{found.shape}, not {wanted.dtype}{wanted.shape}"
        if wanted.dtype.kind in "fc":
            scale = max(1.0, float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)))
            same = np.isclose(found, wanted, tolerance, tolerance * scale, equal_nan=True)
        else:
            same = found == wanted
        if not np.all(same):
            return f"{name} differs"
    return ""


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
