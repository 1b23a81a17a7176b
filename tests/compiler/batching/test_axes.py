"""vmap of operators along axes, against one example after the other."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.standard.traits import REDUCTIONS

NO_AXES = np.zeros(0, np.int64)


@pytest.mark.parametrize("settings", [{}, {"keepdims": 0}, {"noop_with_empty_axes": 1}], ids=str)
@pytest.mark.parametrize("axes", [None, NO_AXES], ids=["no axes", "empty axes"])
@pytest.mark.parametrize("op_type", sorted(REDUCTIONS))
def test_a_batch_of_scalars_is_not_reduced(
    op_type: str, axes: Any, settings: dict[str, int]
) -> None:
    """Each is reduced over nothing: Σ x = x, but ‖x‖ = |x|"""
    b = og.Builder()
    x = b.input("x", "float64", ())
    b.output(getattr(b.op, op_type)(x, axes, **settings), "y")
    alone, batch = og.compile(b.build()), og.compile(og.vmap(b.build()))
    examples = np.array([0.5, 2.0, 3.0])
    expected = np.stack([alone(x=example)["y"] for example in examples])
    np.testing.assert_array_equal(batch(x=examples)["y"], expected)
