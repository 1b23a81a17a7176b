"""What moves elements and computes nothing."""

from functools import partial

from ....compiler.graph.ir import Node
from ....compiler.standard.schemas import attribute
from ..formulas import DTYPES
from .program import NotWritten, Program, aligned
from .registry import writer

At = tuple[str, ...]


@writer("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
def view(program: Program, node: Node) -> None:
    """Take the elements in another shape."""
    program.known(node, 1)
    program.view(node.output(), node.first_input)


@writer("Transpose")
def transpose(program: Program, node: Node) -> None:
    """Permute the axes, or reverse them."""
    x = node.first_input
    axes = range(len(program.shape(x)))
    order = node.attributes.get("perm") or axes[::-1]
    places = [list(order).index(axis) for axis in axes]
    program.move(node.output(), x, lambda at: tuple(at[k] for k in places))


@writer("Expand")
def expand(program: Program, node: Node) -> None:
    """Repeat along axes of size 1."""
    program.known(node, 1)
    x = node.first_input
    shape = program.shape(x)
    program.move(node.output(), x, lambda at: aligned(at, shape))


@writer("Slice")
def slice_(program: Program, node: Node) -> None:
    """Take every so many elements along axes."""
    x = node.first_input
    shape = program.shape(x)
    starts, _, axes, steps = (program.known(node, k) for k in range(1, 5))
    assert starts is not None
    over = range(len(starts)) if axes is None else axes.tolist()
    strides = [1] * len(starts) if steps is None else steps.tolist()
    taken = {
        axis % len(shape): (_first(start, shape[axis], step), step)
        for axis, start, step in zip(over, starts.tolist(), strides, strict=True)
    }
    program.move(node.output(), x, partial(_sliced, taken))


def _first(start: int, size: int, step: int) -> int:
    start += size if start < 0 else 0
    return min(max(start, 0), size if step > 0 else size - 1)


def _sliced(taken: dict[int, tuple[int, int]], at: At) -> At:
    return tuple(
        _plus(i if taken[axis][1] == 1 else f"{taken[axis][1]} * ({i})", taken[axis][0])
        if axis in taken
        else i
        for axis, i in enumerate(at)
    )


def _plus(index: str, start: int) -> str:
    return f"{start} + {index}" if start else index


@writer("Concat")
def concat(program: Program, node: Node) -> None:
    """Join along an axis."""
    y = node.output()
    axis, start = attribute(node, "axis") % len(program.shape(y)), 0
    program.define(y)
    for x in node.given():
        with program.loops(program.shape(x)) as at:
            moved = _moved(at, axis, start)
            program.store(y, moved, program.element(x, at))
        start += program.shape(x)[axis]


@writer("Split")
def split(program: Program, node: Node) -> None:
    """Give parts along an axis."""
    x = node.first_input
    program.known(node, 1)
    if None in node.outputs:
        raise NotWritten(node.label)
    axis, start = attribute(node, "axis") % len(program.shape(x)), 0
    for y in node.writes():
        program.move(y, x, partial(_moved, axis=axis, start=start))
        start += program.shape(y)[axis]


def _moved(at: At, axis: int, start: int) -> At:
    return (*at[:axis], _plus(at[axis], start), *at[axis + 1 :])


@writer("Tile")
def tile(program: Program, node: Node) -> None:
    """Repeat along axes."""
    program.known(node, 1)
    x = node.first_input
    shape = program.shape(x)
    program.move(
        node.output(), x, lambda at: tuple(f"({i}) % {n}" for i, n in zip(at, shape, strict=True))
    )


@writer("Trilu")
def trilu(program: Program, node: Node) -> None:
    """Keep what lies above a diagonal, or below it."""
    x, y = node.first_input, node.output()
    known = program.known(node, 1)
    diagonal, sign = (
        0 if known is None else int(known.item()),
        ">=" if attribute(node, "upper") else "<=",
    )
    zero = "number(0)" if x.dtype in DTYPES else "0"
    program.compute(x)
    program.define(y)
    with program.loops(program.shape(x)) as at:
        kept = program.named(x, at)
        program.store(y, at, f"{kept} if {at[-1]} - {at[-2]} {sign} {diagonal} else {zero}")


@writer("Pad")
def pad(program: Program, node: Node) -> None:
    """Put a number around, or cut off where there is less than none."""
    x, y = node.first_input, node.output()
    pads, axes = program.known(node, 1), program.known(node, 3)
    if attribute(node, "mode") != "constant" or pads is None:
        raise NotWritten(node.label)
    shape, filling = program.shape(x), node.input(2)
    before, after = [0] * len(shape), [0] * len(shape)
    over = range(len(shape)) if axes is None else axes.tolist()
    for axis, first, last in zip(over, *pads.reshape(2, -1).tolist(), strict=True):
        before[axis], after[axis] = first, last
    program.compute(x)
    program.define(y)
    with program.elementwise(y) as place:
        number = "0" if filling is None else program.scalar(filling)
        program.store(y, place, number)
    left = [n + min(a, 0) + min(b, 0) for n, a, b in zip(shape, before, after, strict=True)]
    with program.loops([max(n, 0) for n in left]) as at:
        own = tuple(_plus(i, max(-a, 0)) for i, a in zip(at, before, strict=True))
        moved = tuple(_plus(i, max(a, 0)) for i, a in zip(at, before, strict=True))
        program.store(y, moved, program.element(x, own))
