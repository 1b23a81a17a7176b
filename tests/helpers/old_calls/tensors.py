"""Old calls on whole tensors: names of types, flattened softmax, renamed operators."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from op_samples.sample import ints, random
from op_samples.scatter import ONCE, UPDATES
from op_samples.scatter import X as TARGET

from .call import OldCall

X, IMAGE = random(2, 3, 4), random(1, 2, 3, 4)


CALLS = [
    OldCall("Cast", [X * 9], {"to": "INT32"}, expected=lambda x: x.astype(np.int32), wrt=()),
    OldCall("Cast", [X], {"to": "double"}, expected=lambda x: x.astype(np.float32), versions=[1]),
    *(
        OldCall(op, [X], axis)
        for op in ("Softmax", "LogSoftmax", "Hardmax")
        for axis in ({}, {"axis": 0}, {"axis": 1}, {"axis": 2})
    ),
    *(OldCall(op, [X], {"axis": -2}) for op in ("Softmax", "LogSoftmax", "Hardmax")),
    OldCall("Scatter", [TARGET, ONCE, UPDATES], versions=[9]),
    OldCall("Scatter", [TARGET, ints([[1, -1], [0, 2]]), random(2, 2)], {"axis": 1}, versions=[9]),
    OldCall("Scatter", [TARGET, ONCE, UPDATES], versions=[11], as_of=10),
    OldCall(
        "OneHot",
        [ints(-1, 2), ints(3), random(2)],
        versions=[9],
        text="""g
        (int64[2] x0, int64[1] x1, FLOAT[2] x2) => (FLOAT[2, 3] y0) { y0 = OneHot(x0, x1, x2) }""",
        expected=lambda i, d, v: np.where(i[:, None] == np.arange(3), v[1], v[0]),
    ),
    *(
        OldCall(
            "Upsample",
            [IMAGE, np.array([1, 1, 2, 2], np.float32)],
            {"mode": mode},
            versions=[10],
            as_of=9,
        )
        for mode in ("nearest", "linear")
    ),
    OldCall("Flatten", [X], {"axis": 3}),
    *(
        OldCall("Constant", (), {"value": numpy_helper.from_array(a)}, expected=lambda a=a: a)
        for a in (np.array([1.5, 2.0], np.float32), ints(3, 4))
    ),
    *(
        OldCall("Constant", (), {name: value}, expected=lambda v=value: np.array(v))
        for name, value in (
            ("value_float", 1.5),
            ("value_floats", [1.5, 2.0]),
            ("value_int", 3),
            ("value_ints", [3, 4]),
            ("value_string", "a"),
            ("value_strings", ["a", "b"]),
        )
    ),
    OldCall(
        "Constant",
        (),
        {
            "sparse_value": helper.make_sparse_tensor(
                numpy_helper.from_array(np.array([2.0, 3.0], np.float32), "v"),
                numpy_helper.from_array(ints(1, 3), "i"),
                [4],
            )
        },
        expected=lambda: np.array([0, 2, 0, 3]),
    ),
    OldCall("ConstantOfShape", [ints(2, 3)]),
    OldCall("ConstantOfShape", [ints(2, 3)], {"value": numpy_helper.from_array(ints(7))}),
    OldCall("Shape", [X]),
    OldCall("Shape", [X], {"start": 1, "end": -1}),
    OldCall("Size", [X]),
    OldCall("EyeLike", [random(2, 3)], {"k": 1}),
    OldCall("EyeLike", [random(2, 3)], {"dtype": int(TensorProto.INT64)}),
    OldCall("NonZero", [np.array([[1.0, 0, 2], [0, 0, 3]])]),
    OldCall(
        "BitCast",
        [ints(1, -1)],
        {"to": int(TensorProto.UINT64)},
        expected=lambda a: a.view(np.uint64),
    ),
]
