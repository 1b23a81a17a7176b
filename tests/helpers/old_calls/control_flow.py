"""Calls of If, Loop and Scan, whose bodies are of the same opset."""

import numpy as np
from op_samples.sample import random

from .call import OldCall

X, W = random(3), random(3, seed=1)
TAPE, STATE = random(2, 4, 3), random(2, 3, seed=2)

BRANCHES = """g (bool x0, FLOAT[3] x1, FLOAT[3] x2) => (FLOAT[3] y0) {
    y0 = If (x0) <
        then_branch = a () => (FLOAT[3] t) { t = Mul(x1, x2) },
        else_branch = b () => (FLOAT[3] e) { s = Mul(x1, x1) e = Sub(s, x2) }
    >
}"""

LOOP = """g (int64 x0, bool x1, FLOAT[3] x2, FLOAT[3] x3) => (FLOAT[3] y0, FLOAT[N, 3] y1) {
    y0, y1 = Loop (x0, x1, x2) <
        body = b (int64 i, bool c, FLOAT[3] s) => (bool d, FLOAT[3] t, FLOAT[3] u) {
            d = Identity(c)
            t = Mul(s, x3)
            u = Sub(t, s)
        }
    >
}"""

BODY = """body = b (FLOAT[3] s, FLOAT[3] e) => (FLOAT[3] t, FLOAT[3] u) {
        m = Mul(s, e)
        t = Add(m, e)
        u = Sub(t, s)
    }"""

SCAN = f"""g (FLOAT[3] x0, FLOAT[4, 3] x1) => (FLOAT[3] y0, FLOAT[4, 3] y1) {{
    y0, y1 = Scan <num_scan_inputs = 1, DIRECTION {BODY}> (x0, x1)
}}"""

BATCHED = f"""g (FLOAT[2, 3] x0, FLOAT[2, 4, 3] x1) => (FLOAT[2, 3] y0, FLOAT[2, 4, 3] y1) {{
    y0, y1 = Scan <num_scan_inputs = 1, DIRECTION {BODY}> ("", x0, x1)
}}"""

LENGTHS = f"""g (FLOAT[2, 3] x0, FLOAT[2, 4, 3] x1, int64[2] x2)
    => (FLOAT[2, 3] y0, FLOAT[2, 4, 3] y1) {{
    y0, y1 = Scan <num_scan_inputs = 1, DIRECTION {BODY}> (x2, x0, x1)
}}"""

CALLS = [
    *(OldCall("If", [np.array(c), X, W], text=BRANCHES) for c in (True, False)),
    OldCall("Loop", [np.array(3), np.array(True), X, W], text=LOOP),
    *(
        OldCall(
            "Scan",
            [STATE[0], TAPE[0]],
            text=SCAN.replace("DIRECTION", way),
            versions=[9, 11, 16, 19, 21, 23, 24, 25],
        )
        for way in ("", "scan_input_directions = [1],")
    ),
    *(
        OldCall("Scan", [STATE, TAPE], text=BATCHED.replace("DIRECTION", way), versions=[8])
        for way in ("", "directions = [1],")
    ),
    *(
        OldCall(
            "Scan",
            [STATE, TAPE, np.array([4, 2])],
            text=LENGTHS.replace("DIRECTION", way),
            versions=[8],
        )
        for way in ("", "directions = [1],")
    ),
]
