"""Draw programs: random operators on what is there, in values that are kept tame."""

from collections.abc import Iterable

import numpy as np

from .evaluation import Evaluator, rounding_at_random
from .operator import DRAWS, Draw, Unsuitable
from .operators.control_flow import bodies_are_drawn_by
from .profile import Profile
from .program import INPUT, Block, Program, without_dead_code
from .scope import Drawn, Scope

MOST_OUTPUTS = 4

ODD_NAMES = ("constant", "body.in", "x.1", "a/b", "gradient/one", "Add", "s0", "é", "1", "then:0")
"""Names that a model may have and that look like those of a compiler."""


def draw_program(seed: int, profile: Profile) -> Program:
    """Draw a program, the same for the same seed."""
    for attempt in range(1000):
        rng = np.random.default_rng([seed, attempt])
        try:
            return _draw(seed, rng, profile)
        except Unsuitable:
            continue
    raise AssertionError(f"no program in 1000 attempts at seed {seed}")


def _draw(seed: int, rng: np.random.Generator, profile: Profile) -> Program:
    drawn = Drawn(rng, profile)
    s = Scope(drawn)
    for k in range(s.whole(1, 3)):
        dims = [s.size() for _ in range(s.choice([0, 1, 2, 2, 3, 4]))]
        s.new(dims, s.choice(profile.dtypes), INPUT if k == 0 else None)
    fill(s, s.whole(*profile.nodes))
    block = without_dead_code(s.block(_outputs(s)))
    if not any(leaf.role == INPUT for leaf in block.leaves):
        raise Unsuitable("a graph of constants")
    program = Program(seed, profile.worlds, block, {}, _names(s, block, profile))
    program = Program(seed, profile.worlds, block, dict(drawn.dtypes), program.names)
    _require_steady(program)
    return program


def fill(s: Scope, count: int) -> None:
    """Add so many calls to a scope."""
    draws, weights = _table(s.drawn.profile, s.depth >= s.drawn.profile.depth)
    added = 0
    for _ in range(10 * count):
        draw = draws[int(s.rng.choice(len(draws), p=weights))]
        mark = s.mark()
        try:
            draw(s)
            added += 1
        except Unsuitable:
            s.forget(mark)
        if added == count:
            return
    if not added:
        raise Unsuitable("nothing fits")


bodies_are_drawn_by(fill)


def _table(profile: Profile, deep: bool) -> tuple[list[Draw], np.ndarray]:
    without = profile.without | ({"If", "Loop", "Scan"} if deep else set())
    rows = [(draw, weight) for draw, weight, name in DRAWS if name not in without]
    weights = np.array([weight for _, weight in rows])
    return [draw for draw, _ in rows], weights / weights.sum()


def _outputs(s: Scope) -> list[int]:
    """Choose outputs: what nothing reads, most of all; floats first."""
    computed = [n for call in s.calls for n in call.outputs]
    found = [n for n in computed if isinstance(s.array(n), np.ndarray)]
    ends = [n for n in found if n not in s.read]
    floats = [n for n in ends if s._fits(n, "f", (0, 6), None, None)]
    if not floats:
        floats = [n for n in found if s._fits(n, "f", (0, 6), None, None)]
    if not floats:
        raise Unsuitable("no float comes out")
    count = s.whole(1, MOST_OUTPUTS)
    chosen = [int(n) for n in s.rng.permutation(floats)[:count]]
    for extra in (s.choice(found), s.choice(s.own)):
        if s.chance(0.15) and isinstance(s.array(extra), np.ndarray) and extra not in chosen:
            chosen.append(extra)
    return chosen


def _names(s: Scope, block: Block, profile: Profile) -> dict[int, str]:
    if not profile.odd_names:
        return {}
    ends = [-1 - k for k in range(len(block.outputs))]
    numbers: Iterable[int] = s.rng.permutation([*(leaf.number for leaf in block.leaves), *ends])
    odd = [str(n) for n in s.rng.permutation(ODD_NAMES)]
    return {int(n): name for n, name in zip(numbers, odd, strict=False) if s.chance(0.4)}


def _require_steady(program: Program) -> None:
    """Refuse a program whose roundings move it over a jump, or far."""
    rng = np.random.default_rng(program.seed)
    for world in range(program.worlds):
        envs = []
        for settle in (
            rounding_at_random(program, rng, 0.0),
            rounding_at_random(program, rng),
        ):
            env: dict[int, np.ndarray] = {}
            with np.errstate(all="ignore"):
                Evaluator(world, settle, checked=True).block(program.block, env)
            envs.append(env)
        for number, array in envs[0].items():
            other = envs[1][number]
            if isinstance(array, np.ndarray) and array.dtype.kind != "f":
                if array.shape != other.shape or (array != other).any():
                    raise Unsuitable("a jump near by")
