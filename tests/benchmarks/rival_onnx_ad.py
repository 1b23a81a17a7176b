"""onnx-ad 0.3 for the gradient sweep: reverse mode, run on onnx.reference or onnxruntime."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnx_ad  # pyright: ignore[reportMissingImports]  # only `make rivals` installs it
from onnx.helper import tensor_dtype_to_np_dtype
from rival_runs import RUNS, Run, in_float32, inlined
from sweep_cases import Arrays, is_narrow, with_shapes
from sweep_tools import Attempt, Tool

OPSET = 18


def gradients(
    model: Any, feeds: Arrays, source: str, target: str, cotangent: np.ndarray
) -> Iterator[Attempt]:
    """Differentiate by onnx-ad, with the shapes declared that are fed.

    Older models come a second time at opset 18, as some of its refusals advise, those of half
    precision in float32, and all with the bodies inlined that the standard has.
    """
    declared = with_shapes(model, feeds)
    variants = [(declared, feeds)]
    if is_narrow(feeds):
        variants.append(in_float32(declared, feeds))
    if model.opset_import[0].version < OPSET:
        with suppress(Exception):  # of ONNX's converter
            later = onnx.version_converter.convert_version(declared, OPSET)
            variants.append((later, feeds))
    with suppress(Exception):  # of ONNX's inliner
        variants.append((inlined(declared), feeds))
    for variant, given in variants:
        for run in RUNS:
            yield partial(_gradient, run, variant, given, source, target, cotangent)


def _gradient(
    run: Run, model: Any, feeds: Arrays, source: str, target: str, cotangent: np.ndarray
) -> np.ndarray:
    """Run its derivative model: seeds and results have a trailing axis of directions."""
    try:
        derivative = onnx_ad.reverse(
            model, inputs=[source], outputs=[target], prefix="adj_", layout="onnx"
        )
    except ValueError as error:  # how it refuses inputs that are no tensors
        raise onnx_ad.UnsupportedOperator(str(error)) from None
    (kind,) = [i.type for i in derivative.graph.input if i.name == f"adj_{target}"]
    dtype = tensor_dtype_to_np_dtype(kind.tensor_type.elem_type)
    seed = cotangent[..., None].astype(dtype)
    (gradient,) = run(derivative, [f"adj_{source}"], feeds | {f"adj_{target}": seed})
    return np.asarray(gradient, np.float64)[..., 0]


ONNX_AD = Tool("onnx-ad 0.3.0", gradients, (onnx_ad.UnsupportedOperator,))
