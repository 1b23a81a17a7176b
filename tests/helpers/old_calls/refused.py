"""Old calls that have no counterpart today, each with the reason that the error gives."""

import numpy as np
from op_samples.sample import random

from .call import OldCall

IMAGE, NONE = random(1, 2, 3, 4), np.zeros(0, np.float32)
X = random(2, 3, 4)
SCALES = np.array([1, 1, 1.5, 2], np.float32)
HALF = {"coordinate_transformation_mode": "tf_half_pixel_for_nn"}

REFUSED: list[tuple[OldCall, int, str]] = [
    (
        OldCall("Resize", [IMAGE, NONE, SCALES], {**HALF, "mode": "cubic", "exclude_outside": 1}),
        11,
        "tf_half_pixel_for_nn with exclude_outside was dropped from ONNX",
    ),
    (OldCall("Cast", [IMAGE], {"to": "QUATERNION"}), 1, "'QUATERNION' is not a type"),
    *(
        (
            OldCall(op, [random(2, 3)], outputs=count, domain="ai.onnx.ml"),
            5,
            "ONNX has dropped it since",
        )
        for op, count in (("TreeEnsembleClassifier", 2), ("TreeEnsembleRegressor", 1))
    ),
    (
        OldCall("ZipMap", [random(2, 3)], {"classlabels_int64s": [1, 2, 3]}, domain="ai.onnx.ml"),
        1,
        "it reads or makes maps",
    ),
    *(
        (
            OldCall(
                op,
                text=f"""g (map(int64, float) x0) => (float[N] y0) {{
                    y0 = ai.onnx.ml.{op}(x0)
                }}""",
                domain="ai.onnx.ml",
            ),
            1,
            "it reads or makes maps",
        )
        for op in ("CastMap", "DictVectorizer")
    ),
    (OldCall("Relu", [IMAGE], {"consumed_inputs": [0]}), 6, "no attribute 'consumed_inputs'"),
    (OldCall("Add", [IMAGE, IMAGE], {"broadcast": 1}), 7, "no attribute 'broadcast'"),
    (OldCall("Squeeze", [IMAGE], {"axes": [0]}), 13, "no attribute 'axes'"),
    *((OldCall("Flatten", [X], {"axis": -1}), v, "its axis counts from the front") for v in (1, 9)),
    *(
        (OldCall("Split", [X], {"axis": 1}, 2), v, "3 elements cannot be split into 2 equal parts")
        for v in (1, 2, 11, 13)
    ),
    *(
        (OldCall(op, [X, X[0]]), v, r"does not broadcast \(3, 4\) to \(2, 3, 4\)")
        for op in ("Sum", "Max", "Min", "Mean")
        for v in (1, 6)
    ),
    *(
        (OldCall(op, [X, X[0]]), v, r"does not broadcast \(3, 4\) to .* without broadcast=1")
        for op, v in (("Add", 1), ("Mul", 6), ("Pow", 1))
    ),
    (OldCall("Sub", [X[0], X], {"broadcast": 1}), 6, r"\(2, 3, 4\) is larger"),
    (OldCall("Gemm", [X[0], X[0].T, X[0, :, 0]]), 6, r"does not broadcast \(3,\) to \(3, 3\)"),
    (OldCall("Clip", [X], {"min": 0.5, "max": 0.25}), 6, "its bounds 0.5 and 0.25"),
    *((OldCall("Mod", [X, X]), v, "of floats it needs fmod=1") for v in (10, 13)),
    (OldCall("LpPool", [IMAGE], {"p": 1.5}), 1, "needs the attribute 'kernel_shape'"),
    (
        OldCall(
            "Add",
            text="""g (FLOAT[A, B, C] x0, int64[N] x1, FLOAT[2] x2) => (FLOAT[A, B, C] y0) {
                a = Reshape(x0, x1)
                y0 = Add<broadcast = 1, axis = 0>(a, x2)
            }""",
        ),
        6,
        "the rank of 'a' must be known for that",
    ),
]
