"""What is drawn so far: values with their arrays in each world, and the calls that give them."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .element_types import takes
from .evaluation import Evaluator, dtype_of, rounding
from .operator import Unsuitable
from .profile import Profile
from .program import CONSTANT, INPUT, PARAMETER, Array, Block, Call, Dim, Leaf, Shape

Sizes = tuple[int, ...]
"""One dimension's size in each world."""

LARGEST = 30.0
"""No drawn value exceeds this."""

MOST_ELEMENTS = 400


def given(condition: bool, **settings: Any) -> dict[str, Any]:
    """Give settings, or none."""
    return settings if condition else {}


@dataclass
class Drawn:
    """What all scopes of one program share."""

    rng: np.random.Generator
    profile: Profile
    dtypes: dict[int, str] = field(default_factory=dict)
    envs: list[dict[int, Any]] = field(default_factory=list)
    symbols: dict[Sizes, list[str]] = field(default_factory=dict)
    roots: list[Leaf] = field(default_factory=list)
    count: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.envs = [{} for _ in range(self.profile.worlds)]
        self.settle = rounding(self.dtypes)


class Scope:
    """A block under construction; a body's scope sees what stands around it."""

    def __init__(self, drawn: Drawn, parent: "Scope | None" = None) -> None:
        self.drawn = drawn
        self.rng = drawn.rng
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.inputs: list[int] = []
        self.leaves: list[Leaf] = drawn.roots if parent is None else []
        self.calls: list[Call] = []
        self.own: list[int] = []
        self.read: set[int] = set()

    # ---- what is there

    def array(self, number: int, world: int = 0) -> Any:
        """Give a value's array in a world."""
        return self.drawn.envs[world][number]

    def dtype(self, number: int) -> str:
        """Give a value's element type."""
        return self.drawn.dtypes[number]

    def rank(self, number: int) -> int:
        """Give a value's rank."""
        return int(self.array(number).ndim)

    def shape(self, number: int) -> tuple[int, ...]:
        """Give a value's shape in the first world."""
        return tuple(self.array(number).shape)

    def dims(self, number: int) -> tuple[Sizes, ...]:
        """Give a value's shape, each dimension by its size in all worlds."""
        shapes = [env[number].shape for env in self.drawn.envs]
        return tuple(zip(*shapes, strict=True)) if shapes[0] else ()

    def visible(self) -> list[int]:
        """List all values that a call here may read."""
        outer = [] if self.parent is None else self.parent.visible()
        return [*outer, *self.own]

    # ---- random choices

    def chance(self, probability: float) -> bool:
        """Say yes with a probability."""
        return bool(self.rng.random() < probability)

    def choice(self, options: Sequence[Any]) -> Any:
        """Give one of several."""
        if not len(options):
            raise Unsuitable("nothing to choose from")
        return options[int(self.rng.integers(len(options)))]

    def whole(self, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`, both included."""
        if low > high:
            raise Unsuitable("no number")
        return int(self.rng.integers(low, high + 1))

    def axis(self, rank: int) -> int:
        """Give an axis, counted from either end."""
        if rank < 1:
            raise Unsuitable("no axis")
        return self.whole(-rank, rank - 1)

    # ---- values for a call

    def pick(
        self,
        kind: str = "f",
        rank: tuple[int, int] = (0, 5),
        where: Callable[[Array], bool] | None = None,
        dtype: str | None = None,
    ) -> int:
        """Give a value: of a kind ("f" floats, "i" int64, "b" bool) and ranks, mostly a new one."""
        found = [n for n in self.visible() if self._fits(n, kind, rank, where, dtype)]
        if not found:
            raise Unsuitable(f"no {kind} of rank {rank}")
        weights = np.arange(1.0, len(found) + 1)
        weights[[n not in self.read for n in found]] *= 8
        return int(self.rng.choice(found, p=weights / weights.sum()))

    def _fits(
        self,
        number: int,
        kind: str,
        rank: tuple[int, int],
        where: Callable[[Array], bool] | None,
        dtype: str | None,
    ) -> bool:
        array = self.array(number)
        if not isinstance(array, np.ndarray) or array.dtype.kind != kind:
            return False
        if not rank[0] <= array.ndim <= rank[1]:
            return False
        name = self.dtype(number)
        plain = ("int64", "bool", *self.drawn.profile.dtypes)  # others are settings
        if name not in plain or dtype is not None and name != dtype:
            return False
        return where is None or all(where(env[number]) for env in self.drawn.envs)

    def new(
        self,
        dims: Sequence[Sizes],
        dtype: str | None = None,
        role: str | None = None,
        values: Callable[[tuple[int, ...]], Array] | None = None,
    ) -> int:
        """Add a leaf of given dimensions; inside a body it is a constant."""
        dtype = dtype or self.drawn.profile.dtypes[0]
        varies = any(len(set(sizes)) > 1 for sizes in dims)
        drawn: str = role or self.choice([INPUT, INPUT, PARAMETER, CONSTANT])
        if role is None and self.parent:
            drawn = CONSTANT
        role = INPUT if varies else drawn
        home = self
        while role != CONSTANT and home.parent:
            home = home.parent
        shapes = [tuple(s[w] for s in dims) for w in range(self.drawn.profile.worlds)]
        if role != INPUT:
            shapes = shapes[:1]
        draw = values or self.numbers
        arrays = tuple(np.asarray(draw(shape)).astype(dtype_of(dtype)) for shape in shapes)
        return home._adopt_leaf(role, arrays, self._declared(role, dims), dtype)

    def constant(self, array: Any, dtype: str | None = None) -> int:
        """Add a constant; floats are of the main element type where none is given."""
        data = np.asarray(array)
        is_float = data.dtype.kind == "f"
        dtype = dtype or (self.drawn.profile.dtypes[0] if is_float else str(data.dtype))
        data = data.astype(dtype_of(dtype))
        return self._adopt_leaf(CONSTANT, (data,), data.shape, dtype)

    def setting(self, numbers: Any) -> int:
        """Give int64 that a call takes as a setting: mostly a constant, at times an input."""
        data = np.asarray(numbers, np.int64)
        if self.parent is None and self.chance(0.15):
            arrays = tuple(data for _ in range(self.drawn.profile.worlds))
            return self._adopt_leaf(INPUT, arrays, data.shape, "int64")
        return self.constant(data)

    def numbers(self, shape: tuple[int, ...]) -> Array:
        """Draw floats, none of them near 0 and no two of them close together."""
        count = int(np.prod(shape))
        half = self.rng.permutation(np.linspace(0.15, 1.6, max(count, 1)))[:count]
        return (half * self.rng.choice([-1.0, 1.0], count)).reshape(shape)

    def positive(self, shape: tuple[int, ...]) -> Array:
        """Draw floats that are positive, not near 0."""
        return np.asarray(self.rng.uniform(0.5, 2.0, shape))

    def matching(self, dims: Sequence[Sizes], dtype: str) -> int:
        """Give a float value of exactly these dimensions: one that is there, or a new one."""
        wanted = tuple(dims)
        found = [
            n
            for n in self.visible()
            if self._fits(n, "f", (0, 9), None, dtype) and self.dims(n) == wanted
        ]
        return self.choice(found) if found and self.chance(0.6) else self.new(wanted, dtype)

    def floats(self, rank: tuple[int, int], dtype: str | None = None) -> int:
        """Give a float value of some rank: one that is there, or else a new one."""
        try:
            return self.pick("f", rank, lambda a: 0 < a.size, dtype)
        except Unsuitable:
            dims = [self.size() for _ in range(self.whole(*rank))]
            return self.new(dims, dtype)

    def size(self, low: int = 1) -> Sizes:
        """Draw a size: a number, or one that differs between worlds."""
        worlds = self.drawn.profile.worlds
        if self.chance(0.5) and not (self.parent and self.depth):
            known = [s for s in self.drawn.symbols if min(s) >= low]
            if known and self.chance(0.7):
                return tuple(self.choice(known))
            least = 0 if self.drawn.profile.empty and low < 2 and self.chance(0.25) else low
            return tuple(self.whole(low if w == 0 else least, max(low, 3)) for w in range(worlds))
        return (self.whole(low, max(low, 4)),) * worlds

    # ---- calls

    def call(
        self,
        op: str,
        inputs: Sequence[int | None],
        dtype: str | Sequence[str | None] | None = None,
        bodies: Mapping[str, Block] | None = None,
        **attributes: Any,
    ) -> tuple[int, ...]:
        """Add a call; give the numbers of its outputs.

        Raises:
            Unsuitable: it is not allowed, or its results are empty of sense: not finite, too large.
        """
        while inputs and inputs[-1] is None and (op != "Loop" or len(inputs) > 2):
            inputs = inputs[:-1]
        call = Call(op, tuple(inputs), (), attributes, bodies or {})
        each: list[list[Any]] = []
        for world, env in enumerate(self.drawn.envs):
            each.append(self._results(call, env, world))
        if len({tuple(_kind(r) for r in results) for results in each}) != 1:
            raise Unsuitable("worlds differ in ranks")
        names = self._dtypes(call, each[0], dtype)
        if not takes(op, [None if n is None else self.dtype(n) for n in inputs]):
            raise Unsuitable("an element type that the standard does not allow")
        outputs = tuple(self._number() for _ in names)
        for k, number in enumerate(outputs):
            self.drawn.dtypes[number] = names[k]
            for env, results in zip(self.drawn.envs, each, strict=True):
                result = results[k]
                env[number] = result if isinstance(result, list) else self._settle(number, result)
        self.calls.append(Call(op, tuple(inputs), outputs, attributes, bodies or {}))
        self.own.extend(outputs)
        self.read.update(n for n in inputs if n is not None)
        return outputs

    def _settle(self, number: int, array: Array) -> Array:
        settled = self.drawn.settle(number, array)
        if settled.dtype.kind == "f" and not np.isfinite(settled).all():
            raise Unsuitable("overflow")
        return settled

    def _results(self, call: Call, env: dict[int, Any], world: int) -> list[Any]:
        try:
            with np.errstate(all="ignore"):
                evaluator = Evaluator(world, self.drawn.settle, checked=True)
                results = evaluator.results(call, env)
        except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
            raise Unsuitable(str(error)) from error
        for result in results:
            for array in result if isinstance(result, list) else [result]:
                if array.size > MOST_ELEMENTS or array.ndim > 6:
                    raise Unsuitable("too large")
                if array.dtype.kind == "f" and array.size:
                    if not np.abs(array).max() <= LARGEST:
                        raise Unsuitable("not finite, or too large")
        return results

    def _dtypes(
        self, call: Call, results: list[Any], given: str | Sequence[str | None] | None
    ) -> list[str]:
        listed = [given] * len(results) if given is None or isinstance(given, str) else list(given)
        floats = [n for n in call.inputs if n is not None and _is_float_name(self.dtype(n))]
        default = self.dtype(floats[0]) if floats else self.drawn.profile.dtypes[0]
        names: list[str] = []
        for name, result in zip(listed, results, strict=True):
            first = result[0] if isinstance(result, list) else result
            names.append(name or (default if first.dtype.kind == "f" else str(first.dtype)))
        return names

    def body(self, inputs: Sequence[tuple[Sequence[Array], str]]) -> "Scope":
        """Open a scope for a body, called with arrays (one a world) and an element type each."""
        scope = Scope(self.drawn, self)
        for arrays, dtype in inputs:
            number = self._number()
            self.drawn.dtypes[number] = dtype
            for env, array in zip(self.drawn.envs, arrays, strict=True):
                env[number] = array
            scope.inputs.append(number)
            scope.own.append(number)
        return scope

    def block(
        self,
        outputs: Sequence[int],
        shapes: Sequence[Shape] = (),
        outside: Sequence[tuple[int, int | None] | None] = (),
    ) -> Block:
        """Close the scope; give its block."""
        return Block(
            tuple(self.leaves),
            tuple(self.calls),
            tuple(outputs),
            tuple(self.inputs),
            tuple(shapes),
            tuple(outside),
        )

    def mark(self) -> tuple[int, ...]:
        """Remember what is there, for `forget`."""
        return len(self.calls), len(self.own), len(self.leaves)

    def forget(self, mark: tuple[int, ...]) -> None:
        """Take back what was added since a mark."""
        del self.calls[mark[0] :], self.own[mark[1] :], self.leaves[mark[2] :]

    def _adopt_leaf(
        self, role: str, arrays: tuple[Array, ...], shape: tuple[Dim, ...] | None, dtype: str
    ) -> int:
        leaf = Leaf(self._number(), role, arrays, shape)
        self.leaves.append(leaf)
        self.own.append(leaf.number)
        self.drawn.dtypes[leaf.number] = dtype
        for world, env in enumerate(self.drawn.envs):
            array = leaf.array(world)
            env[leaf.number] = array.astype(np.float64) if _is_float_name(dtype) else array
        return leaf.number

    def _declared(self, role: str, dims: Sequence[Sizes]) -> tuple[Dim, ...] | None:
        """Write dimensions down: those that differ between worlds by a name, others at times."""
        if role != INPUT:
            return tuple(sizes[0] for sizes in dims)
        if self.chance(self.drawn.profile.unranked):
            return None
        return tuple(self._declared_size(tuple(sizes)) for sizes in dims)

    def _declared_size(self, sizes: Sizes) -> Dim:
        if len(set(sizes)) == 1 and self.chance(0.7):
            return sizes[0]
        names = self.drawn.symbols.setdefault(sizes, [])
        if not names or self.chance(0.2):
            names.append(f"s{sum(map(len, self.drawn.symbols.values()))}")
        return str(self.choice(names))

    def _number(self) -> int:
        return next(self.drawn.count)


def same(s: Scope, size: int) -> Sizes:
    """Give a size that is one number in all worlds."""
    return (size,) * s.drawn.profile.worlds


def _kind(result: Any) -> Any:
    if isinstance(result, list):
        return "list", len({(a.ndim, a.dtype.kind) for a in result})
    return result.ndim, result.dtype.kind


def _is_float_name(name: str) -> bool:
    return name in ("float64", "float32", "float16", "bfloat16")
