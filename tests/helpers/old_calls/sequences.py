"""Calls on sequences and optionals, which take more than one node."""

from typing import Any

from op_samples.sample import random

from .call import OldCall

A, B = random(2, 3), random(2, 3, seed=1)


def graph(op: str, body: str, *results: str, inputs: Any = (A, B), **settings: Any) -> OldCall:
    """Give a call inside a graph of x0 and x1, both FLOAT[2, 3]."""
    feeds = ", ".join(f"FLOAT[2, 3] x{k}" for k in range(len(inputs)))
    outputs = ", ".join(f"{t} y{k}" for k, t in enumerate(results))
    return OldCall(op, inputs, text=f"g ({feeds}) => ({outputs}) {{ {body} }}", **settings)


PAIR = "s = SequenceConstruct(x0, x1)"
ONE = "k = Constant<value = int64 {1}>()"
END = "y0 = ConcatFromSequence<axis = 0>(t)"

CALLS = [
    graph("SequenceConstruct", f"t = SequenceConstruct(x0, x1) {END}", "FLOAT[4, 3]"),
    graph("SequenceAt", f"{PAIR} {ONE} y0 = SequenceAt(s, k)", "FLOAT[2, 3]"),
    graph("SequenceLength", f"{PAIR} y0 = SequenceLength(s)", "int64", wrt=()),
    graph("SequenceErase", f"{PAIR} {ONE} t = SequenceErase(s, k) {END}", "FLOAT[2, 3]"),
    graph("SequenceInsert", f"{PAIR} {ONE} t = SequenceInsert(s, x1, k) {END}", "FLOAT[6, 3]"),
    graph(
        "SequenceEmpty",
        f"s = SequenceEmpty() t = SequenceInsert(s, x0) {END}",
        "FLOAT[2, 3]",
        inputs=(A,),
    ),
    graph("ConcatFromSequence", f"t = SequenceConstruct(x0, x1) {END}", "FLOAT[4, 3]"),
    graph(
        "ConcatFromSequence",
        f"{PAIR} y0 = ConcatFromSequence<axis = 1, new_axis = 1>(s)",
        "FLOAT[2, 2, 3]",
    ),
    graph(
        "SplitToSequence",
        f"{ONE} s = SplitToSequence<axis = 1>(x0, k) y0 = SequenceAt(s, k)",
        "FLOAT[2, 1]",
        inputs=(A,),
    ),
    graph(
        "SplitToSequence",
        f"{ONE} s = SplitToSequence<axis = 1, keepdims = 0>(x0)y0 = SequenceAt(s, k)",
        "FLOAT[2]",
        inputs=(A,),
    ),
    graph(
        "SequenceMap",
        f"""{PAIR} t = SequenceMap(s, x1) <body = b
          (FLOAT[2, 3] a, FLOAT[2, 3] c) => (FLOAT[2, 3] d) {{ d = Mul(a, c) }}> {END}""",
        "FLOAT[4, 3]",
    ),
    # onnx.reference wraps what is wrapped already, and onnxruntime ends before version 28
    graph(
        "Optional",
        "o = Optional(x0) y0 = OptionalGetElement(o)",
        "FLOAT[2, 3]",
        inputs=(A,),
        as_of=15,
    ),
    graph(
        "OptionalGetElement",
        f"{PAIR} o = Optional(s) t = OptionalGetElement(o) {END}",
        "FLOAT[4, 3]",
        as_of=15,
    ),
    graph(
        "OptionalGetElement",
        "y0 = OptionalGetElement(x0)",
        "FLOAT[2, 3]",
        inputs=(A,),
        versions=[18, 28],
    ),
    graph(
        "OptionalHasElement",
        "o = Optional(x0) y0 = OptionalHasElement(o)",
        "bool",
        inputs=(A,),
        wrt=(),
    ),
]
