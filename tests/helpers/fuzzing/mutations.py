"""Break a program somewhere: what is left may be right, and must else be refused with a reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from .operator import OPERATORS
from .program import Call, Leaf, Program, every_block, every_call, with_calls, with_leaves

Rng = np.random.Generator

WHOLE = (-(2**40), -7, -2, -1, 0, 1, 2, 3, 5, 99, 2**31, 2**62)

TEXTS = ("", "nonsense", "Mean", "SAME", "same_upper", "é", "linear")


def mutate(program: Program) -> Program:
    """Break one or two things of a program."""
    rng = program.generator(9)
    for _ in range(int(rng.integers(1, 3))):
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        program = mutation(program, rng)
    return program


def _call_of(program: Program, rng: Rng) -> Call:
    calls = list(every_call(program.block))
    return calls[int(rng.integers(len(calls)))]


def _put(program: Program, old: Call, new: Call) -> Program:
    return replace(program, block=with_calls(program.block, old, (new,)))


def _attribute(program: Program, rng: Rng) -> Program:
    """Set an attribute that the operator has, to another value or type."""
    call = _call_of(program, rng)
    if not onnx.defs.has(call.op):
        return program  # its name was mutated before
    known: dict[str, Any] = dict(onnx.defs.get_schema(call.op).attributes)
    names = [n for n, a in known.items() if a.type.name != "GRAPH"]
    if not names:
        return program
    name = names[int(rng.integers(len(names)))]
    kind = known[name].type.name if rng.random() < 0.85 else str(rng.choice(list(_DRAW)))
    value = _DRAW.get(kind, _DRAW["INT"])(rng, call.attributes.get(name))
    return _put(program, call, replace(call, attributes={**call.attributes, name: value}))


def _whole(rng: Rng, old: Any) -> int:
    return int(rng.choice(WHOLE))


def _wholes(rng: Rng, old: Any) -> list[int]:
    size = len(old) if isinstance(old, list) and rng.random() < 0.7 else int(rng.integers(0, 5))
    values = list(old) if isinstance(old, list) and len(old) == size else [1] * size
    if values:
        values[int(rng.integers(len(values)))] = _whole(rng, None)
    return [int(v) for v in values]


_DRAW: dict[str, Callable[[Rng, Any], Any]] = {
    "INT": _whole,
    "INTS": _wholes,
    "FLOAT": lambda rng, old: float(rng.choice([-1.0, 0.0, 1e-30, 0.5, 1e30, np.inf, np.nan])),
    "FLOATS": lambda rng, old: [float(v) for v in rng.normal(size=int(rng.integers(0, 4)))],
    "STRING": lambda rng, old: str(rng.choice(TEXTS)),
    "STRINGS": lambda rng, old: [str(v) for v in rng.choice(TEXTS, int(rng.integers(0, 3)))],
    "TENSOR": lambda rng, old: rng.normal(size=int(rng.integers(0, 3))),
}


def _inputs(program: Program, rng: Rng) -> Program:
    """Drop, swap, repeat or replace inputs of a call."""
    call = _call_of(program, rng)
    inputs = list(call.inputs)
    others = [n for block in every_block(program.block) for n in block.numbers()]
    at = int(rng.integers(len(inputs))) if inputs else 0
    match int(rng.integers(5)):
        case 0 if inputs:
            inputs[at] = None
        case 1 if inputs:
            inputs[at] = int(rng.choice(others))
        case 2:
            inputs.append(int(rng.choice(others)))
        case 3 if inputs:
            del inputs[at]
        case _:
            inputs.reverse()
    return _put(program, call, replace(call, inputs=tuple(inputs)))


def _outputs(program: Program, rng: Rng) -> Program:
    """Ask for one output more, under a number of its own."""
    call = _call_of(program, rng)
    number = max(program.dtypes) + 1
    dtypes = {**program.dtypes, number: "float32"}
    new = replace(call, outputs=(*call.outputs, number))
    return replace(_put(program, call, new), dtypes=dtypes)


def _operator(program: Program, rng: Rng) -> Program:
    """Call another operator with the same inputs and attributes, or one that is none."""
    call = _call_of(program, rng)
    names = [*OPERATORS, "Tanhh", "relu", "", "Constant", "BitShift", "StringConcat", "Optional"]
    return _put(program, call, replace(call, op=str(rng.choice(names))))


def _leaf_of(program: Program, rng: Rng) -> Leaf:
    leaves = [leaf for block in every_block(program.block) for leaf in block.leaves]
    return leaves[int(rng.integers(len(leaves)))]


def _put_leaf(program: Program, old: Leaf, new: Leaf) -> Program:
    return replace(program, block=with_leaves(program.block, old, (new,)))


def _numbers(program: Program, rng: Rng) -> Program:
    """Put other numbers into a leaf: out of range, NaN, infinite."""
    leaf = _leaf_of(program, rng)
    if leaf.arrays[0].dtype.kind in "iu":
        pool: list[float] = [v for v in WHOLE if abs(v) < 2**31]
    else:
        pool = [0.0, np.nan, np.inf, -np.inf, 1e30, -1.0]

    def changed(array: Any) -> Any:
        array = array.copy()
        if array.size and array.dtype.kind != "b":
            with np.errstate(all="ignore"):
                array.flat[int(rng.integers(array.size))] = rng.choice(pool)
        return array

    return _put_leaf(program, leaf, replace(leaf, arrays=tuple(map(changed, leaf.arrays))))


def _type(program: Program, rng: Rng) -> Program:
    """Give a leaf another element type."""
    leaf = _leaf_of(program, rng)
    dtype = str(rng.choice(["int32", "int64", "float16", "float32", "float64", "bool", "uint8"]))
    with np.errstate(all="ignore"):
        arrays = tuple(a.astype(dtype) for a in leaf.arrays)
    changed = _put_leaf(program, leaf, replace(leaf, arrays=arrays))
    return replace(changed, dtypes={**program.dtypes, leaf.number: dtype})


def _shape(program: Program, rng: Rng) -> Program:
    """Give a leaf another rank or size."""
    leaf = _leaf_of(program, rng)
    kind = int(rng.integers(4))

    def changed(array: Any) -> Any:
        if kind == 0:
            return array[None]
        if kind == 1:
            return array.reshape(-1)
        if kind == 2 and array.ndim:
            return np.concatenate([array, array])
        return array[:0] if array.ndim else array

    arrays = tuple(map(changed, leaf.arrays))
    shape = None if leaf.shape is None else tuple(arrays[0].shape)
    return _put_leaf(program, leaf, replace(leaf, arrays=arrays, shape=shape))


def _name(program: Program, rng: Rng) -> Program:
    """Give two values one name, or one value a strange one."""
    numbers = [leaf.number for leaf in program.block.leaves]
    numbers += [-1 - k for k in range(len(program.block.outputs))]
    number = int(rng.choice(numbers))
    name = str(rng.choice(["", "y0", "y0.grad", " ", "x\ny", "constant", "\ud800"]))
    return replace(program, names={**program.names, number: name})


MUTATIONS: list[Callable[[Program, Rng], Program]] = [
    _attribute,
    _attribute,
    _inputs,
    _inputs,
    _outputs,
    _operator,
    _numbers,
    _numbers,
    _type,
    _shape,
    _name,
]
