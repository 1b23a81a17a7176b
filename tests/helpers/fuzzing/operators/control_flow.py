"""If, Loop and Scan, whose bodies are drawn like any graph and read what stands around them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..evaluation import Env, Evaluator
from ..operator import Operator, Unsuitable, register
from ..program import SAME, Array, Call, Shape
from ..scope import Scope

FillBody = Callable[[Scope, int], None]

_fill: list[FillBody] = []


def bodies_are_drawn_by(fill: FillBody) -> None:
    """Say what fills a body with calls: the generator itself."""
    _fill[:] = [fill]


def _calls(s: Scope, most: int) -> None:
    _fill[0](s, s.whole(1, most))


def _require_depth(s: Scope) -> None:
    if s.depth >= s.drawn.profile.depth:
        raise Unsuitable("deep enough")


def _inner(s: Scope) -> list[int]:
    """List the float tensors that a body computes itself, those that nothing reads yet first."""
    computed = {n for call in s.calls for n in call.outputs}
    found = [n for n in s.own if n in computed and s._fits(n, "f", (0, 4), None, None)]
    return sorted(found, key=lambda n: n in s.read)


def _truth(s: Scope) -> int:
    """Give a condition of one element: an input, a constant or a comparison."""
    if s.chance(0.4) and s.parent is None:
        return s.new([], "bool", "input", values=lambda _: np.array(s.chance(0.5)))
    if s.chance(0.2):
        return s.constant(np.array(s.chance(0.5)))
    x = s.pick(where=lambda a: a.size > 0)
    (total,) = s.call("ReduceSum", [x], keepdims=0)
    threshold = s.new([], s.dtype(x), "constant", values=lambda _: s.rng.uniform(-1, 1, ()))
    (truth,) = s.call(s.choice(["Less", "Greater"]), [total, threshold])
    return truth


# ---- If


def _draw_if(s: Scope) -> None:
    _require_depth(s)
    condition = _truth(s)
    then, other = s.body([]), s.body([])
    _calls(then, 4)
    _calls(other, 4)
    pairs: list[tuple[int, int]] = []
    for a in _inner(then):
        fits = [b for b in _inner(other) if _alike(s, a, b)]
        if not fits and s.chance(0.3):
            fits = [b for b in s.visible() if _is_float(s, b) and _alike(s, a, b)]
        if fits and len(pairs) < 3:
            pairs.append((a, s.choice(fits)))
    if not pairs:
        raise Unsuitable("branches that share no type")
    blocks = {
        "then_branch": then.block([a for a, _ in pairs]),
        "else_branch": other.block([b for _, b in pairs]),
    }
    dtypes = [s.dtype(a) for a, _ in pairs]
    s.call("If", [condition], dtype=dtypes, bodies=blocks)


def _is_float(s: Scope, number: int) -> bool:
    return s._fits(number, "f", (0, 4), None, None)


def _alike(s: Scope, a: int, b: int) -> bool:
    """Tell whether two values may be the same output: one element type, mostly one shape."""
    if s.dtype(a) != s.dtype(b) or s.rank(a) != s.rank(b):
        return False
    return s.dims(a) == s.dims(b) or s.chance(0.2)


def _run_if(evaluator: Evaluator, call: Call, env: Env) -> list[Any]:
    (condition,) = (env[n] for n in call.inputs if n is not None)
    return evaluator.block(call.bodies["then_branch" if condition else "else_branch"], env)


# ---- Loop


def _draw_loop(s: Scope) -> None:
    _require_depth(s)
    states = _states(s, s.whole(0 if s.chance(0.1) else 1, 2))
    first = [([np.array(0)] * len(s.drawn.envs), "int64"), (_all(s, np.array(True)), "bool")]
    body = s.body([*first, *([_arrays(s, n), s.dtype(n)] for n in states)])  # type: ignore[list-item]
    _calls(body, 5)
    step, keep, *inside = body.inputs
    if s.chance(0.2):
        _draw_use_of_step(body, step)
    next_states = [_next_state(body, n) for n in inside]
    go_on = keep if s.chance(0.75) else _truth(body)
    tapes = [n for n in _inner(body) if s.chance(0.4)][: 1 if states else 2]
    if not states and not tapes:
        raise Unsuitable("a loop that gives nothing")
    shapes: list[Shape] = [(), (), *(_declared(s, n) for n in states)]
    outside = [None, None, *((n, None) for n in states)]
    block = body.block([go_on, *next_states, *tapes], shapes, outside)
    low = 1 if any(s.rank(n) for n in tapes) else 0  # without a step their sizes are untold
    inputs: list[int | None] = [_trip_count(s, low), None, *states]
    if s.chance(0.3):
        inputs[1] = s.constant(np.array(True)) if low else _truth(s)
    dtypes = [s.dtype(n) for n in (*next_states, *tapes)]
    s.call("Loop", inputs, dtype=dtypes, bodies={"body": block})


def _states(s: Scope, count: int) -> list[int]:
    return [s.pick(rank=(0, 3)) for _ in range(count)]


def _arrays(s: Scope, number: int) -> list[Array]:
    return [env[number] for env in s.drawn.envs]


def _all(s: Scope, array: Array) -> list[Array]:
    return [array] * len(s.drawn.envs)


def _draw_use_of_step(body: Scope, step: int) -> None:
    dtype = body.drawn.profile.dtypes[0]
    (number,) = body.call("Cast", [step], dtype=dtype, to=dtype)
    body.call("Add", [body.pick(dtype=dtype), number])


def _next_state(body: Scope, state: int) -> int:
    """Give what a state becomes: something of its type that the body computes, kept small."""
    fits = [
        n
        for n in _inner(body)
        if body.dtype(n) == body.dtype(state) and body.dims(n) == body.dims(state)
    ]
    if fits and body.chance(0.6):
        return int(body.choice(fits))
    partners = [n for n in _inner(body) if body.dtype(n) == body.dtype(state)]
    if partners and body.chance(0.8):
        mark = body.mark()
        (mixed,) = body.call("Mul", [state, body.choice(partners)])
        if body.dims(mixed) == body.dims(state):
            return int(body.call("Tanh", [mixed])[0])
        body.forget(mark)
    return int(body.call(body.choice(["Sin", "Tanh", "Sigmoid"]), [state])[0])


def _declared(s: Scope, state: int) -> Shape:
    """Declare a state's shape in the body: as it is outside, or by symbols of its own."""
    if s.chance(0.7):
        return SAME
    if s.chance(5 * s.drawn.profile.unranked):
        return None
    return tuple(f"b{state}_{k}" for k in range(s.rank(state)))


def _trip_count(s: Scope, low: int) -> int | None:
    if s.parent is None and s.chance(0.4):
        return s.new([], "int64", "input", values=lambda _: np.array(s.whole(low, 3)))
    return s.constant(np.array(s.whole(low, 3)))


def _run_loop(evaluator: Evaluator, call: Call, env: Env) -> list[Any]:
    body = call.bodies["body"]
    count, condition, *states = (
        None if n is None else env[n] for n in (*call.inputs, None)[: max(2, len(call.inputs))]
    )
    tapes: list[list[Array]] = [[] for _ in body.outputs[1 + len(states) :]]
    go_on = condition is None or bool(condition)
    step = 0
    while go_on and step < (100 if count is None else int(count)):
        given = [np.array(step), np.array(True), *states]
        first, *results = evaluator.block(body, env, given)
        states, entries = results[: len(states)], results[len(states) :]
        for tape, entry in zip(tapes, entries, strict=True):
            tape.append(entry)
        go_on, step = bool(first), step + 1
    if not step and tapes:  # what a step would give tells the shape
        results = evaluator.block(body, dict(env), [np.array(0), np.array(True), *states])
        return [*states, *(np.zeros((0, *a.shape), a.dtype) for a in results[1 + len(states) :])]
    if any(len({a.shape for a in tape}) > 1 for tape in tapes):
        raise Unsuitable("entries of different shapes")
    return [*states, *(np.stack(tape) for tape in tapes)]


# ---- Scan


def _draw_scan(s: Scope) -> None:
    _require_depth(s)
    states = _states(s, s.whole(0, 2))
    longest = [s.pick(rank=(1, 3), where=lambda a: a.shape[0] > 0)]
    axes = [0]
    if s.chance(0.4):
        axis = s.whole(0, s.rank(longest[0]) - 1)
        if min(s.dims(longest[0])[axis]) < 1:
            raise Unsuitable("an empty axis")
        axes = [axis]
    if s.chance(0.3):
        other = s.matching([s.dims(longest[0])[axes[0]], s.size()], s.dtype(longest[0]))
        longest.append(other)
        axes.append(0)
    directions = [s.whole(0, 1) for _ in longest]
    entries = [
        [np.take(a, -1 if back else 0, axis=axis) for a in _arrays(s, n)]
        for n, axis, back in zip(longest, axes, directions, strict=True)
    ]
    given = [(_arrays(s, n), s.dtype(n)) for n in states]
    given += [(e, s.dtype(n)) for e, n in zip(entries, longest, strict=True)]
    body = s.body(given)
    _calls(body, 5)
    next_states = [_next_state(body, n) for n in body.inputs[: len(states)]]
    tapes = [n for n in _inner(body) if s.chance(0.6)][:2]
    if not states and not tapes:
        raise Unsuitable("a scan that gives nothing")
    settings = _scan_settings(s, axes, directions, [s.rank(n) for n in tapes])
    shapes: list[Shape] = [*(_declared(s, n) for n in states), *(SAME for _ in longest)]
    outside = [*((n, None) for n in states), *zip(longest, axes, strict=True)]
    block = body.block([*next_states, *tapes], shapes, outside)
    dtypes = [s.dtype(n) for n in (*next_states, *tapes)]
    s.call("Scan", [*states, *longest], dtype=dtypes, bodies={"body": block}, **settings)


def _scan_settings(
    s: Scope, axes: list[int], directions: list[int], ranks: Sequence[int]
) -> dict[str, Any]:
    settings: dict[str, Any] = {"num_scan_inputs": len(axes)}
    if any(axes):
        settings["scan_input_axes"] = axes
    if any(directions):
        settings["scan_input_directions"] = directions
    if ranks and s.chance(0.3):
        settings["scan_output_axes"] = [s.whole(0, n) for n in ranks]
    if ranks and s.chance(0.3):
        settings["scan_output_directions"] = [s.whole(0, 1) for _ in ranks]
    return settings


def _run_scan(evaluator: Evaluator, call: Call, env: Env) -> list[Any]:
    body, count = call.bodies["body"], call.attributes["num_scan_inputs"]
    arrays = [env[n] for n in call.inputs if n is not None]
    states, tapes = arrays[:-count], arrays[-count:]
    axes = call.attributes.get("scan_input_axes", [0] * count)
    backwards = call.attributes.get("scan_input_directions", [0] * count)
    rows = [np.moveaxis(a, axis, 0) for a, axis in zip(tapes, axes, strict=True)]
    rows = [a[::-1] if back else a for a, back in zip(rows, backwards, strict=True)]
    if len({len(a) for a in rows}) != 1 or not len(rows[0]):
        raise Unsuitable("tapes of different or no length")
    results: list[list[Array]] = []
    for entries in zip(*rows, strict=True):
        found = evaluator.block(body, env, [*states, *entries])
        states = found[: len(states)]
        results.append(found[len(states) :])
    return [*states, *_stacked(results, call)]


def _stacked(results: list[list[Array]], call: Call) -> list[Array]:
    width = len(results[0])
    axes = call.attributes.get("scan_output_axes", [0] * width)
    backwards = call.attributes.get("scan_output_directions", [0] * width)
    tapes = []
    for k in range(width):
        entries = [row[k] for row in results]
        entries = entries[::-1] if backwards[k] else entries
        tapes.append(np.stack(entries, axis=axes[k]))
    return tapes


def _never(*inputs: Any, **attributes: Any) -> Any:
    raise AssertionError("it runs its bodies")


register(
    Operator("If", _draw_if, _never, run=_run_if, weight=2.5),
    Operator("Loop", _draw_loop, _never, run=_run_loop, weight=2.5),
    Operator("Scan", _draw_scan, _never, run=_run_scan, weight=2.0),
)
