"""The cupy backend on a GPU does as NumPy does; skipped, with the reason, where there is none."""

import numpy as np
import pytest
from gpu_cases import check_all

import onnxgrad as og

WHY_NOT = og.available_backends()["cupy"]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
    pytest.mark.filterwarnings("ignore"),  # ONNX's models overflow on purpose
]


@pytest.mark.parametrize("kind", ["kernel", "gradient", "model"])
def test_it_does_as_numpy_does(kind: str) -> None:
    check_all(kind)


def test_training_steps_stay_on_the_gpu() -> None:
    b = og.Builder("steps")
    w = b.input("w", "float32", (3,))
    b.output(b.op.ReduceSum(w), "total")
    b.output(w * b.input("x", "float32", ()), "w.new")
    step = og.compile(b.build(), "cupy").stepper({"w": np.ones(3, "f4")})
    assert [step(x=np.float32(2))["total"].item() for _ in range(3)] == [3, 6, 12]
    np.testing.assert_array_equal(step.state()["w"], 8)
