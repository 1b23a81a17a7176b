"""Steps over numbered slots: run one by one at first, as one straight-line function from then on.

The function is written as Python's source, a line for each step: values are its local variables,
and nothing is looked up or asked between two kernels. To write it takes about as long as to run
ten small operators for each line, which a single run would not earn back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..compiler.errors import locate
from ..compiler.graph.ir import Node
from .kernels.registry import KernelDoesNotApply

Function = Callable[..., Any]

NONE = 0
"""The slot that always holds None, for omitted inputs; what goes to it is dropped."""


class Step(NamedTuple):
    """A function, the slots that it reads and writes, and those that nothing reads afterwards.

    With one output the function gives it as it is, else a tuple of exactly that many.
    """

    function: Function
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    frees: tuple[int, ...]
    node: Node


class Steps:
    """Steps in the order in which they run."""

    def __init__(
        self,
        steps: Sequence[Step],
        given: Iterable[int],
        wanted: Sequence[int],
        constants: Sequence[Any],
    ) -> None:
        """Take the steps; nothing is written yet.

        Args:
            steps: in order.
            given: the slots of the arrays to run on.
            wanted: the slots of the results.
            constants: what each slot holds beforehand, None where nothing.
        """
        self._steps = steps
        self._given = dict.fromkeys(given)
        self._wanted = wanted
        self._constants = constants
        self._runs = 0
        self._line: Function | None = None

    def run(self, arrays: Sequence[Any]) -> list[Any]:
        """Run on one array for each given slot; give the wanted ones."""
        if self._line is None:
            self._runs += 1
            if self._runs == 1:
                return self._one_by_one(arrays)
            self._line = self._written()
        try:
            found: list[Any] = self._line(*arrays)
            return found
        except Exception as error:
            self._say_where(error)
            raise

    def watched(self, wrap: Callable[[Node, Function], Function]) -> "Steps":
        """Give the steps with `wrap(node, function)` in place of each function."""
        steps = [s._replace(function=wrap(s.node, s.function)) for s in self._steps]
        return Steps(steps, self._given, self._wanted, self._constants)

    def _one_by_one(self, arrays: Sequence[Any]) -> list[Any]:
        values = list(self._constants)
        for slot, array in zip(self._given, arrays, strict=True):
            values[slot] = array
        for function, reads, writes, frees, node in self._steps:
            arguments = [values[k] for k in reads]
            try:
                results = function(*arguments)
            except Exception as error:
                locate(error, _describe(node, arguments))
                raise
            if len(writes) == 1:
                values[writes[0]] = results
            else:
                for slot, result in zip(writes, results, strict=True):
                    values[slot] = result
            values[NONE] = None
            for slot in frees:
                values[slot] = None
        return [values[k] for k in self._wanted]

    def _written(self) -> Function:
        """Write all steps as one function and let Python compile it."""
        namespace: dict[str, Any] = {f"f{k}": s.function for k, s in enumerate(self._steps)}
        namespace |= {f"c{k}": a for k, a in enumerate(self._constants) if a is not None}
        exec(compile("\n".join(self._source()), "<steps>", "exec"), namespace)
        line: Function = namespace["line"]
        return line

    def _source(self) -> Iterator[str]:
        yield f"def line({', '.join(f'v{slot}' for slot in self._given)}):"
        for k, (_, reads, writes, frees, _) in enumerate(self._steps):
            targets = [f"v{slot}" if slot else "_" for slot in writes]
            freed = [*(f"v{slot}" for slot in frees), *({"_"} & {*targets})]
            result = f"{', '.join(targets)} = " if targets else ""
            drop = f"; {' = '.join(freed)} = None" if freed else ""
            yield f" {result}f{k}({', '.join(map(self._name, reads))}){drop}"
        yield f" return [{', '.join(map(self._name, self._wanted))}]"

    def _name(self, slot: int) -> str:
        if slot == NONE:
            return "None"
        is_constant = self._constants[slot] is not None and slot not in self._given
        return f"c{slot}" if is_constant else f"v{slot}"

    def _say_where(self, error: Exception) -> None:
        """Name the step whose line an error came through."""
        trace = error.__traceback__
        if trace is None or trace.tb_next is None:
            return
        found = trace.tb_next
        values, step = found.tb_frame.f_locals, self._steps[found.tb_lineno - 2]
        held = [self._constants[k] for k in step.inputs]
        arguments = [values.get(f"v{k}", a) for k, a in zip(step.inputs, held, strict=True)]
        locate(error, _describe(step.node, arguments))


def whole(function: Function, count: int, instead: Callable[[], Function]) -> Function:
    """Let a kernel give exactly `count` results, and `instead()` run what it leaves to others."""

    def first(*arguments: Any) -> Any:
        try:
            results = function(*arguments)
        except KernelDoesNotApply:
            results = instead()(*arguments)
        return results[0] if type(results) is tuple else results

    def several(*arguments: Any) -> Any:
        try:
            results = function(*arguments)
        except KernelDoesNotApply:
            results = instead()(*arguments)
        missing = count - len(results)
        return (*results[:count], *[None] * missing) if missing else results

    return first if count == 1 else several


def _describe(node: Node, arguments: Sequence[Any]) -> str:
    shapes = ", ".join(
        f"{a.dtype}{list(a.shape)}" if hasattr(a, "shape") else type(a).__name__ for a in arguments
    )
    return f"while running {node.label} on ({shapes})"
