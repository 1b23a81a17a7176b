"""Make a program smaller while a law still says the same of it."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .evaluation import Evaluator, dtype_of, evaluate
from .program import (
    CONSTANT,
    INPUT,
    Block,
    Call,
    Leaf,
    Program,
    every_block,
    every_call,
    reads,
    with_calls,
    with_leaves,
    without_dead_code,
)
from .verdict import WRONG, Undecided, Verdict

Judge = Callable[[Program], Verdict]


def shrink(program: Program, verdict: Verdict, judge: Judge, seconds: float = 60.0) -> Program:
    """Give the smallest program found with a verdict like the given one."""
    end = time.monotonic() + seconds
    wanted = signature(verdict)
    was_sound = _is_sound(program)
    improved = True
    while improved and time.monotonic() < end:
        improved = False
        for candidate in _candidates(program):
            if time.monotonic() > end:
                break
            if was_sound and not _is_sound(candidate):
                continue
            if signature(judge(candidate)) == wanted:
                program, improved = candidate, True
                break
    return program


def _is_sound(program: Program) -> bool:
    """Tell whether the formulas take a program, away from kinks."""
    try:
        for world in range(program.worlds):
            evaluate(program, world, checked=True)
    except Undecided:
        return False
    return True


def signature(verdict: Verdict) -> str:
    """Give what verdicts of one fault have in common: no numbers, no names of values."""
    text = re.sub(r"'[^']*'", "…", verdict.detail.split("\n")[0])
    text = re.sub(r"(onnxruntime cannot run).*", r"\1 …", text)
    text = re.sub(r"\S*(\d|\bnan\b|\binf\b)\S*", "#", text)
    if verdict.kind == WRONG:  # what differs by how much may change, not how it shows
        text = " ".join(re.findall(r"[^\W\d_]{3,}", text.split("(")[0]))
    return f"{verdict.law} {verdict.kind}: {text[:120]}"


def _candidates(program: Program) -> Iterator[Program]:
    """Yield smaller programs, the much smaller ones first."""
    yield from _alone(program)
    yield from _fewer_outputs(program)
    yield from _cut(program)
    yield from _bypassed(program)
    yield from _opened(program)
    yield from _simpler_leaves(program)
    yield from _simpler_calls(program)
    if program.worlds > 1:
        for world in range(program.worlds):
            yield _one_world(program, world)


def _alone(program: Program) -> Iterator[Program]:
    """Leave one call alone, what it reads being leaves; those of bodies, too."""
    calls = list(every_call(program.block))
    if len(calls) < 2:
        return
    envs = _values(program)
    held = {f.number: f for b in every_block(program.block) for f in b.leaves}
    for call in sorted(calls, key=lambda c: len(c.bodies)):
        outputs = tuple(n for n in call.outputs if isinstance(envs[0].get(n), np.ndarray))
        read = [held.get(n) or _as_leaf(program, envs, n, INPUT) for n in {*reads(call)}]
        leaves = tuple(leaf for leaf in read if leaf is not None)
        if outputs and len(leaves) == len(read):
            yield replace(program, block=Block(leaves, (call,), outputs), names={})


def _with_block(program: Program, block: Block) -> Program:
    return replace(program, block=without_dead_code(block))


def _fewer_outputs(program: Program) -> Iterator[Program]:
    """Leave only one output, or all but one."""
    outputs = program.block.outputs
    if len(outputs) < 2:
        return
    kept: list[tuple[int, ...]] = [(n,) for n in outputs]
    if len(outputs) > 2:
        kept += [outputs[:k] + outputs[k + 1 :] for k in range(len(outputs))]
    for some in kept:
        names = {k: n for k, n in program.names.items() if k >= 0}
        yield _with_block(replace(program, names=names), replace(program.block, outputs=some))


def _cut(program: Program) -> Iterator[Program]:
    """Put leaves, of the values they have, in place of calls; late calls first."""
    envs = _values(program)
    for block in every_block(program.block):
        inside = block is not program.block
        for call in reversed(block.calls):
            for role in (CONSTANT,) if inside else (INPUT, CONSTANT):
                leaves = [_as_leaf(program, envs, n, role) for n in call.outputs]
                found = tuple(leaf for leaf in leaves if leaf is not None)
                if len(found) == len(leaves):
                    yield _with_block(program, _replaced(program.block, block, call, found))


def _replaced(top: Block, block: Block, call: Call, leaves: tuple[Leaf, ...]) -> Block:
    """Put leaves into the block that holds a call, in place of it."""
    if block is top:
        others = tuple(c for c in top.calls if c is not call)
        return replace(top, leaves=(*top.leaves, *leaves), calls=others)
    calls: list[Call] = []
    for outer in top.calls:
        bodies = {}
        for name, body in outer.bodies.items():
            holds = any(part is block for part in every_block(body))
            bodies[name] = _replaced(body, block, call, leaves) if holds else body
        calls.append(replace(outer, bodies=bodies))
    return replace(top, calls=tuple(calls))


def _values(program: Program) -> list[dict[int, Any]]:
    """Give all values in each world; none where the formulas cannot."""
    envs = []
    for world in range(program.worlds):
        env: dict[int, Any] = {}
        try:
            with np.errstate(all="ignore"):
                Evaluator(world).block(program.block, env)
        except Exception:  # a broken program; what came before the break is known
            pass
        envs.append(env)
    return envs


def _as_leaf(program: Program, envs: list[dict[int, Any]], number: int, role: str) -> Leaf | None:
    found = [env.get(number) for env in envs]
    if not all(isinstance(a, np.ndarray) for a in found):
        return None
    arrays = tuple(np.asarray(a).astype(dtype_of(program.dtypes[number])) for a in found)
    shapes = {a.shape for a in arrays}
    if role == CONSTANT:
        return Leaf(number, role, arrays[:1], arrays[0].shape) if len(shapes) == 1 else None
    if len({len(s) for s in shapes}) > 1:
        return None
    sizes = list(zip(*shapes, strict=True))
    shape = tuple(s[0] if len(set(s)) == 1 else f"n{number}_{k}" for k, s in enumerate(sizes))
    return Leaf(number, role, arrays, shape)


def _bypassed(program: Program) -> Iterator[Program]:
    """Read an input of a call in place of its output, where both are alike."""
    envs = _values(program)
    for call in every_call(program.block):
        for number in call.outputs:
            for given in call.inputs:
                if given is not None and _alike(program, envs, number, given):
                    yield _with_block(program, _renamed(program.block, number, given))


def _alike(program: Program, envs: list[dict[int, Any]], a: int, b: int) -> bool:
    if program.dtypes[a] != program.dtypes[b]:
        return False
    for env in envs:
        x, y = env.get(a), env.get(b)
        if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and x.shape == y.shape):
            return False
    return True


def _renamed(block: Block, old: int, new: int) -> Block:
    """Let all that reads one value read another."""
    swap = lambda n: new if n == old else n  # noqa: E731
    calls = []
    for call in block.calls:
        bodies = {name: _renamed(body, old, new) for name, body in call.bodies.items()}
        calls.append(replace(call, inputs=tuple(map(swap, call.inputs)), bodies=bodies))
    return replace(block, calls=tuple(calls), outputs=tuple(map(swap, block.outputs)))


def _opened(program: Program) -> Iterator[Program]:
    """Put a branch in place of If."""
    for call in every_call(program.block):
        if call.op == "If":
            for body in call.bodies.values():
                block = program.block
                changed = with_calls(block, call, body.calls)
                for number, inner in zip(call.outputs, body.outputs, strict=True):
                    changed = _renamed(changed, number, inner)
                yield _with_block(program, replace(changed, leaves=(*changed.leaves, *body.leaves)))


def _simpler_leaves(program: Program) -> Iterator[Program]:
    """Make inputs constants, sizes numbers, numbers round."""
    for block in every_block(program.block):
        for leaf in block.leaves:
            for new in _simpler(leaf):
                yield replace(program, block=with_leaves(program.block, leaf, (new,)))


def _simpler(leaf: Leaf) -> Iterator[Leaf]:
    same = len({a.tobytes() + str(a.shape).encode() for a in leaf.arrays}) == 1
    if leaf.role == INPUT:
        if same:
            yield replace(leaf, role=CONSTANT, arrays=leaf.arrays[:1], shape=leaf.arrays[0].shape)
        if len({a.shape for a in leaf.arrays}) == 1 and leaf.shape != leaf.arrays[0].shape:
            yield replace(leaf, shape=leaf.arrays[0].shape)
    if leaf.arrays[0].dtype.kind == "f":
        rounded = tuple(np.round(a.astype(np.float64), 1).astype(a.dtype) for a in leaf.arrays)
        if any((a != b).any() for a, b in zip(rounded, leaf.arrays, strict=True)):
            yield replace(leaf, arrays=rounded)


def _simpler_calls(program: Program) -> Iterator[Program]:
    """Leave out attributes and optional inputs."""
    for call in every_call(program.block):
        for name in call.attributes:
            rest = {n: v for n, v in call.attributes.items() if n != name}
            new = replace(call, attributes=rest)
            yield replace(program, block=with_calls(program.block, call, (new,)))
        if len(call.inputs) > 1:
            new = replace(call, inputs=call.inputs[:-1])
            yield _with_block(program, with_calls(program.block, call, (new,)))


def _one_world(program: Program, world: int) -> Program:
    """Leave one world alone; its sizes may stay symbols."""
    block = program.block
    for part in list(every_block(block)):
        for leaf in part.leaves:
            block = with_leaves(block, leaf, (replace(leaf, arrays=(leaf.array(world),)),))
    return replace(program, block=block, worlds=1)
