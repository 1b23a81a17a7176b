"""Graphs with If, Loop and Scan, alone and nested, that the control-flow tests differentiate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import onnxgrad as og

Arrays = dict[str, Any]

Step = Callable[..., Any]

COUNTER = ("int64", ()), ("bool", ())


@dataclass(frozen=True)
class Case:
    """A graph of x, w and a count n, and the counts to run it with."""

    name: str
    build: Callable[["Setting"], dict[str, og.Tensor]]
    counts: tuple[int, ...]

    def graph(self) -> og.Graph:
        """Build the graph."""
        setting = Setting()
        for name, tensor in self.build(setting).items():
            setting.b.output(tensor, name)
        return setting.b.build()

    def __str__(self) -> str:
        return self.name


CASES: list[Case] = []


def case(*counts: int) -> Callable[[Callable[["Setting"], dict[str, og.Tensor]]], Any]:
    """Register a function that builds a case's outputs."""

    def register(build: Callable[["Setting"], dict[str, og.Tensor]]) -> Any:
        CASES.append(Case(build.__name__, build, counts))
        return build

    return register


class Setting:
    """A builder with the inputs that all cases have."""

    def __init__(self) -> None:
        self.b = og.Builder()
        self.op = self.b.op
        self.x = self.b.input("x", "float64", (2, 2))
        self.w = self.b.input("w", "float64", (2,))
        self.n = self.b.input("n", "int64", ())
        self.varying = ("float64", ("rows", 2))

    def number(self, value: float) -> og.Tensor:
        """Give a float64 constant."""
        return self.b.constant(np.array(value))

    def squares(self, x: og.Tensor) -> og.Tensor:
        """Give the sum of squares over the rows, however many there are."""
        result: og.Tensor = self.op.ReduceSum(x * x, [0], keepdims=0)
        return result

    def loop(self, count: Any, state: og.Tensor, step: Step, state_type: Any = None) -> Any:
        """Run a Loop over one state."""
        types = (*COUNTER, state if state_type is None else state_type)
        return self.op.Loop(count, None, state, body=self.b.subgraph(step, *types))

    def scan(self, state: og.Tensor, tape: og.Tensor, step: Step, **settings: Any) -> Any:
        """Run a Scan of one state over the rows of a tape."""
        body = self.b.subgraph(step, state, self.w)
        return self.op.Scan(state, tape, body=body, num_scan_inputs=1, **settings)

    def branch(self, condition: og.Tensor, then: Step, other: Step) -> Any:
        """Run an If."""
        branches = {"then_branch": self.b.subgraph(then), "else_branch": self.b.subgraph(other)}
        return self.op.If(condition, **branches)


FEEDS = {
    "x": np.array([[0.3, -0.7], [0.9, 0.4]]),
    "w": np.array([0.8, -1.1]),
}


@case(0, 1)
def branch(s: Setting) -> Any:
    op, x, w = s.op, s.x, s.w
    return {"y": s.branch(s.n > 0, lambda: op.Sigmoid(x) * w, lambda: op.Tanh(x * w) * x)}


@case(0, 1)
def branches_that_use_different_captures(s: Setting) -> Any:
    y, z = s.branch(s.n > 0, lambda: (s.x * s.x, s.x), lambda: (s.w * s.x, s.x + s.w))
    return {"y": y, "z": z}


@case(0, 1)
def branches_of_different_rank(s: Setting) -> Any:
    y = s.branch(s.n > 0, lambda: s.x * s.x * s.w, lambda: s.op.Tanh(s.w))
    return {"y": s.op.Reshape(s.op.ReduceSum(s.op.Sin(y)), np.zeros(0, np.int64))}


@case(0, 1, 3)
def loop(s: Setting) -> Any:
    step = lambda i, keep, t: (keep, s.op.Tanh(t * s.w) + s.x, t * t, t[0, 1])  # noqa: E731
    last, tape, thin = s.loop(s.n, s.x, step)
    return {"last": last, "tape": tape, "thin": thin}


@case(0, 1, 3)
def loop_with_products(s: Setting) -> Any:
    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        t = s.op.Tanh(t @ s.x + s.w)
        return keep, t, s.x @ t

    last, tape = s.loop(s.n, s.x, step)
    return {"last": last, "tape": tape}


@case(0, 2)
def loop_that_swaps_and_shares(s: Setting) -> Any:
    step = s.b.subgraph(
        lambda i, keep, a, c, d: (keep, c * s.w, a, s.x, c, c, a), *COUNTER, s.x, s.x, s.x
    )
    a, c, d, p, q, r = s.op.Loop(s.n, None, s.x, s.x * s.w, s.x * s.x, body=step)
    total = s.op.ReduceSum(p * q * r, [0], keepdims=0)
    return {"a": a, "c": c * c, "d": d * s.w, "total": total}


@case(0, 2)
def loop_without_states(s: Setting) -> Any:
    step = s.b.subgraph(lambda i, keep: (keep, s.op.Sin(s.x) * s.op.Cast(i, to=11), s.w), *COUNTER)
    p, q = s.op.Loop(s.n, None, body=step)
    return {"p": s.op.ReduceSum(p, [0]), "q": s.op.ReduceSum(q * q, [0])}


@case(0, 2)
def loop_with_an_integer_state(s: Setting) -> Any:
    def step(i: og.Tensor, keep: og.Tensor, k: og.Tensor, t: og.Tensor) -> Any:
        return keep, k + 1, t * s.op.Gather(s.x, s.op.Mod(k, 2), axis=0)

    body = s.b.subgraph(step, *COUNTER, ("int64", ()), s.w)
    _, last = s.op.Loop(s.n, None, s.n, s.w, body=body)
    return {"last": last}


@case(0)
def loop_that_exits_early(s: Setting) -> Any:
    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        t = t * 1.5 + s.op.Tanh(s.w)
        return s.op.ReduceMax(t, keepdims=0) < s.number(4.0), t, s.op.Sin(t)

    last, tape = s.loop(100, s.x, step)
    return {"last": last, "tape": tape}


@case(0, 1, 3)
def loop_without_a_count(s: Setting) -> Any:
    """It runs while its condition holds, from before the first step on."""

    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        return i + 1 < s.n, s.op.Tanh(t * s.w) + s.x, s.op.Sin(t)

    body = s.b.subgraph(step, *COUNTER, s.x)
    last, tape = s.op.Loop(None, s.n > 0, s.x, body=body)
    return {"last": last, "tape": tape}


@case(0, 2)
def loop_with_a_state_overwritten(s: Setting) -> Any:
    types = (*COUNTER, s.x, s.x)
    step = s.b.subgraph(lambda i, keep, a, c: (keep, c * s.w, s.x * s.x), *types)
    a, c = s.op.Loop(s.n, None, s.x, s.x * s.w, body=step)
    return {"a": a, "c": c}


@case(0, 1, 3)
def loop_with_a_growing_state(s: Setting) -> Any:
    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        return keep, s.op.Concat(s.op.Tanh(t * s.w), s.x, axis=0), s.squares(t)

    last, tape = s.loop(s.n, s.x, step, s.varying)
    return {"last": s.squares(last), "tape": tape}


@case(0)
def scan_both_ways(s: Setting) -> Any:
    step = lambda t, e: (s.op.Tanh(t * s.w) + e * t, t * t * e)  # noqa: E731
    last, tape = s.scan(s.w, s.x, step, scan_output_axes=[1])
    settings = {"scan_input_directions": [1], "scan_input_axes": [1]}
    first, back = s.scan(s.w, tape, step, **settings, scan_output_directions=[1])
    return {"last": last, "first": first, "back": back}


@case(0, 1, 3)
def if_in_loop(s: Setting) -> Any:
    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        even = s.op.Equal(s.op.Mod(i, 2), 0)
        y = s.branch(even, lambda: s.op.Sigmoid(t) * s.w, lambda: s.op.Tanh(t * s.w) * s.x)
        return keep, y + s.x

    return {"y": s.loop(s.n, s.x, step)}


@case(0, 1, 3)
def loop_in_loop_of_varying_count(s: Setting) -> Any:
    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        inner = lambda j, keep, u: (keep, s.op.Tanh(u * s.w) + t * s.x, u * u)  # noqa: E731
        last, tape = s.loop(i, t, inner)
        return keep, last + s.x, s.op.ReduceSum(tape, [0], keepdims=0)

    last, tape = s.loop(s.n, s.x, step)
    return {"last": last, "tape": tape}


@case(0, 2)
def scan_in_loop(s: Setting) -> Any:
    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        last, tape = s.scan(s.w, t, lambda u, e: (s.op.Tanh(u * s.w) + e, u * e))
        return keep, tape + last + s.x

    return {"y": s.loop(s.n, s.x, step)}


@case(0, 2)
def loop_in_scan_of_varying_count(s: Setting) -> Any:
    def step(count: og.Tensor, t: og.Tensor, e: og.Tensor) -> Any:
        last = s.loop(count, e, lambda j, keep, u: (keep, s.op.Tanh(u * s.w) + t))
        return count + 1, last, last * t

    body = s.b.subgraph(step, ("int64", ()), s.w, s.w)
    _, last, tape = s.op.Scan(s.n, s.w, s.x, body=body, num_scan_inputs=1)
    return {"last": last, "tape": tape}


@case(0)
def if_in_scan(s: Setting) -> Any:
    def step(t: og.Tensor, e: og.Tensor) -> Any:
        positive = s.op.ReduceSum(e, keepdims=0) > 0
        y = s.branch(positive, lambda: s.op.Sigmoid(t) * s.w, lambda: s.op.Tanh(t * s.w) * e)
        return y, y * e

    last, tape = s.scan(s.w, s.x, step, scan_input_directions=[1])
    return {"last": last, "tape": tape}


@case(0, 1, 3)
def loop_and_if_in_if(s: Setting) -> Any:
    def some() -> Any:
        step = lambda i, keep, t: (keep, s.op.Tanh(t * s.w) + s.x, t * t)  # noqa: E731
        last, tape = s.loop(s.n, s.x, step)
        y = s.branch(s.n > 1, lambda: last * s.w, lambda: last + s.w)
        return y, s.op.ReduceSum(tape, [0], keepdims=0)

    y, z = s.branch(s.n > 0, some, lambda: (s.x * s.w, s.x * s.x * s.x))
    return {"y": y, "z": z}


@case(0)
def scan_in_scan(s: Setting) -> Any:
    def step(t: og.Tensor, e: og.Tensor) -> Any:
        cell = lambda u, f: (s.op.Tanh(u * f) + e, u * t)  # noqa: E731
        last, tape = s.scan(t, s.x, cell, scan_input_directions=[1])
        return last, s.op.ReduceSum(tape, [0], keepdims=0) * e

    last, tape = s.scan(s.w, s.x, step)
    return {"last": last, "tape": tape}


@case(0)
def scan_that_passes_entries_on(s: Setting) -> Any:
    step = lambda t, e: (e, e, s.w * t)  # noqa: E731
    last, same, tape = s.scan(s.w, s.x, step, scan_output_directions=[1, 0])
    return {"last": last, "same": same, "tape": tape}


@case(0, 2)
def scan_in_if_in_loop_in_loop(s: Setting) -> Any:
    def outer(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        def inner(j: og.Tensor, keep: og.Tensor, u: og.Tensor) -> Any:
            cell = lambda v, e: (s.op.Tanh(v * e), v * t[0])  # noqa: E731
            y = s.branch(
                s.op.Equal(j, i),
                lambda: s.scan(s.w, u, cell)[1] * s.w,
                lambda: s.op.Sin(u) * s.x,
            )
            return keep, y + t

        return keep, s.loop(i + 1, t, inner)

    return {"y": s.loop(s.n, s.x, outer)}
