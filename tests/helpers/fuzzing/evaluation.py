"""Programs in plain NumPy by the operators' own formulas: the independent source of values.

Floats are float64 throughout. What becomes of a value once it is computed is a function that is
handed in: nothing (`exact`), rounding to its element type, or rounding at random.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from .operator import OPERATORS, Unsuitable
from .program import CONSTANT, Array, Block, Call, Program, every_block
from .verdict import Undecided

Settle = Callable[[int, Array], Array]

Env = dict[int, Any]

MARGIN = 0.02
"""How far from kinks and jumps values are drawn."""

UNITS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def dtype_of(name: str) -> np.dtype:
    """Give NumPy's dtype by ONNX's name."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def exact(number: int, array: Array) -> Array:
    """Leave a value as it is."""
    return array


def rounding(dtypes: Mapping[int, str]) -> Settle:
    """Round each value to its element type."""

    def settle(number: int, array: Array) -> Array:
        name = dtypes[number]
        if name == "float64" or name not in UNITS:
            return array
        with np.errstate(over="ignore"):
            return array.astype(dtype_of(name)).astype(np.float64)

    return settle


def rounding_at_random(program: Program, rng: np.random.Generator, units: float = 4.0) -> Settle:
    """Move each value by a few units of its rounding, up or down, relative to the largest."""
    blocks = every_block(program.block)
    fixed = {leaf.number for b in blocks for leaf in b.leaves if leaf.role == CONSTANT}

    def settle(number: int, array: Array) -> Array:
        unit = UNITS.get(program.dtypes[number])
        if unit is None or number in fixed or not array.size:
            return array
        scale = units * unit * float(np.abs(array).max())
        return array + scale * rng.choice([-1.0, 1.0], size=array.shape)

    return settle


class Evaluator:
    """Runs blocks and calls in one world; `checked` refuses what lies beside a kink."""

    def __init__(self, world: int, settle: Settle = exact, checked: bool = False) -> None:
        self.world = world
        self.settle = settle
        self.checked = checked

    def block(self, block: Block, env: Env, given: Sequence[Any] = ()) -> list[Any]:
        """Run a block; give its outputs. Its values land in `env`."""
        env.update(zip(block.inputs, given, strict=True))
        for leaf in block.leaves:
            env[leaf.number] = self.settle(leaf.number, _widened(leaf.array(self.world)))
        for call in block.calls:
            self.call(call, env)
        return [env[number] for number in block.outputs]

    def call(self, call: Call, env: Env) -> None:
        """Run one call; its outputs land in `env`."""
        for number, array in zip(call.outputs, self.results(call, env), strict=True):
            env[number] = self.settle(number, array) if isinstance(array, np.ndarray) else array

    def results(self, call: Call, env: Env) -> list[Any]:
        """Give what a call computes."""
        operator = OPERATORS[call.op]
        if operator.run is not None:
            return operator.run(self, call, env)
        inputs = [None if number is None else env[number] for number in call.inputs]
        if self.checked and operator.distance is not None:
            distance = np.asarray(operator.distance(*inputs, **call.attributes))
            if not (distance >= MARGIN).all():
                raise Unsuitable(f"{call.op} beside a kink")
        results = operator.forward(*inputs, **call.attributes)
        listed = results if isinstance(results, tuple) else (results,)
        return [r if isinstance(r, list) else np.asarray(r) for r in listed]


def evaluate(
    program: Program,
    world: int,
    settle: Settle = exact,
    checked: bool = False,
) -> list[Any]:
    """Give a program's outputs in one world, floats as float64.

    Raises:
        Undecided: the formulas do not take it.
    """
    env: Env = {}
    try:
        with np.errstate(all="ignore"):
            return Evaluator(world, settle, checked).block(program.block, env)
    except Exception as error:  # a shrunk or broken program
        raise Undecided(f"no value by formula: {error!r}") from error


def _widened(array: Array) -> Array:
    is_float = array.dtype.kind == "f" or array.dtype == ml_dtypes.bfloat16
    return array.astype(np.float64) if is_float else array
