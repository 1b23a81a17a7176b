"""Run a graph node by node with the kernels, freeing each value when its last reader has run.

It is shared by the backends that execute kernels; it neither picks a device nor rewrites the graph.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from ..compiler.composites import STANDARD_BODIES
from ..compiler.errors import UnsupportedOpError
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.inference.node_types import TYPES_BY_BODY
from ..compiler.opset import COMPOSITE_DOMAIN
from ..compiler.standard.schemas import attribute_defaults
from .base import Stepper
from .control_flow import SUBGRAPH_KERNELS
from .failures import told_as_ours
from .feeds import check_feeds
from .kernels.registry import KERNELS, KernelEntry
from .open_sizes import OpenSizes
from .overwriting import overwriting_order
from .owning_stepper import OwningStepper
from .size_checks import checked
from .stepping import RunStepper
from .steps import NONE, Function, Step, Steps, whole
from .user_kernels import guarded

_BUFFER = 2048
"""NumPy copies an array that is broadcast into a buffer of so many numbers, by default 8192, unless
a row of the result fills it: bias and mean are read as they are where rows are as long as this."""


class Device(Protocol):
    """Where kernels run.

    `binds` says whether kernels are to be bound to their nodes, where they know how: that saves the
    checks of each call.
    """

    xp: Any
    binds: bool

    def load(self, value: Any) -> Any:
        """Bring an array, a list of them or None to the device."""
        ...

    def place(self, constant: np.ndarray, consumers: Sequence[tuple[Node, int]]) -> Any:
        """Bring a constant to where its consumers (node and position) read it."""
        ...

    def entry(self, node: Node) -> KernelEntry | None:
        """Look up the kernel of a node's operator, None where there is none."""
        ...

    def kernel(self, node: Node, entry: KernelEntry, attributes: Mapping[str, Any]) -> Function:
        """Give a function of a node's inputs that runs a kernel of ours."""
        ...

    def reference(self, node: Node) -> Function:
        """Give a function of a node's inputs that runs ONNX's reference."""
        ...


class Plan:
    """A graph or subgraph as a list of steps over numbered slots."""

    def __init__(
        self, graph: Graph, device: Device, owned: Mapping[Value, Value] | None = None
    ) -> None:
        """Lay out the steps.

        Args:
            graph: the graph or subgraph.
            device: where kernels run.
            owned: inputs that kernels may write over with what they become at the next run.
        """
        self._device = device
        self._slots: dict[Value, int] = {}
        self._template: list[Any] = [None]
        self._references: dict[Node, Function] = {}
        self.captures = graph.captures()
        self._varying = {*graph.inputs, *self.captures}
        readers = _readers(graph)
        for value in graph.values():
            slot = self._slot(value)
            if value.constant is not None:
                self._template[slot] = device.place(value.constant, readers[value])
        self.inputs = [self._slot(v) for v in graph.inputs]
        self._captured = [self._slot(v) for v in self.captures]
        self.outputs = [self._slot(v) for v in graph.outputs]
        nodes = [n for n in graph.nodes() if not _is_known(n)]
        self.overwrites: dict[Node, frozenset[int]] = {}
        if owned:
            nodes, self.overwrites = overwriting_order(graph, nodes, owned)
        steps = [self._step(n, frees) for n, frees in _last_uses(graph, nodes)]
        self._steps = Steps(steps, [*self.inputs, *self._captured], self.outputs, self._template)

    def run(self, inputs: Sequence[Any], captured: Sequence[Any] = ()) -> list[Any]:
        """Run on inputs and captured values; give the outputs."""
        return self._steps.run([*inputs, *captured] if captured else inputs)

    def watch(self, wrap: Callable[[Node, Function], Function]) -> None:
        """Run `wrap(node, function)` in place of the function of each step."""
        self._steps = self._steps.watched(wrap)

    def _slot(self, value: Value | None) -> int:
        if value is None:
            return NONE
        if value not in self._slots:
            self._slots[value] = len(self._template)
            self._template.append(None)
        return self._slots[value]

    def _step(self, node: Node, frees: list[Value]) -> Step:
        function, inputs = self._function(node)
        return Step(
            checked(node, function),
            tuple(self._slot(v) for v in inputs),
            tuple(self._slot(v) for v in node.outputs),
            tuple(self._slot(v) for v in frees),
            node,
        )

    def _function(self, node: Node) -> tuple[Function, Sequence[Value | None]]:
        count, refer = len(node.outputs), partial(self._refer, node)
        maker = SUBGRAPH_KERNELS.get((node.domain, node.op_type))
        if maker is not None:
            plans = {
                key: Plan(graph, self._device)
                for key, graph in node.attributes.items()
                if isinstance(graph, Graph)
            }
            function = maker(self._device.xp, node, plans)
            captures = (v for p in plans.values() for v in p.captures)
            return whole(function, count, refer), [*node.inputs, *captures]
        entry = self._device.entry(node)
        if entry is None:
            return whole(refer(), count, refer), node.inputs
        attributes = attribute_defaults(node.op_type, node.domain) | node.attributes
        if entry.takes_outputs:
            attributes["outputs"] = count
        if node in self.overwrites:
            attributes["overwrite"] = self.overwrites[node]
        if entry.bind is not None and self._device.binds:
            bound = entry.bind(self._device.xp, node, attributes, self._fixed(node))
            if bound is not None:
                return bound, node.inputs
        function = self._device.kernel(node, entry, attributes)
        if not entry.ours:
            function = guarded(node, entry.function, function)
        return whole(function, count, refer), node.inputs

    def _fixed(self, node: Node) -> dict[int, np.ndarray]:
        """Give the inputs that are the same at every run, by position."""
        return {
            k: v.constant
            for k, v in enumerate(node.inputs)
            if v is not None and v.constant is not None and v not in self._varying
        }

    def _refer(self, node: Node) -> Function:
        if node.operator in TYPES_BY_BODY:  # ONNX knows nothing of it
            raise UnsupportedOpError(
                f"{node.label} has neither a body nor a kernel: see og.register_operator and "
                "og.register_kernel",
                [node.operator],
            )
        if node not in self._references:
            self._references[node] = self._device.reference(node)
        return self._references[node]


class Interpreter:
    """A whole graph, ready to run on arrays given by name."""

    def __init__(self, graph: Graph, device: Device, calls: Graph | None = None) -> None:
        """Lay out the steps.

        Args:
            graph: the graph.
            device: where kernels run.
            calls: the graph before calls without a kernel became their bodies, which take more.
        """
        self._graph = graph
        self._device = device
        self._sizes = OpenSizes(graph if calls is None else calls, lambda n: not runs_as_it_is(n))
        self._plan = Plan(graph, device)
        self.watch = self._plan.watch
        self._load = device.load
        self._inputs = list(graph.inputs)
        self._outputs = [v.name for v in graph.outputs]
        self._shared = {id(_owner(v.constant)) for v in graph.values() if v.constant is not None}

    @property
    def checks_sizes(self) -> bool:
        """Tell whether only what is fed tells that calls fit."""
        return self._sizes.are_open

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name, each with memory of its own."""
        return self._run(self._plan, feeds)

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back; what kernels can update in place is."""
        outputs = {v.name: v for v in self._graph.outputs}
        fed = Counter(feedback.values())  # what goes to two inputs is no memory of one
        alone = {name: output for name, output in feedback.items() if fed[output] == 1}
        pairs = {v: outputs[alone[v.name]] for v in self._inputs if v.name in alone}
        plan = Plan(self._graph, self._device, pairs)
        written = {n.outputs[k] for n, places in plan.overwrites.items() for k in places}
        names = frozenset(after.name for after in pairs.values() if after in written)
        if not names:
            return RunStepper(self, feedback, state)
        step = partial(self._run, plan, in_place=names)
        stepper = OwningStepper(self.run, step, feedback, state)

        first = next(iter(plan.overwrites))  # they stand in the order of the steps

        def watch(node: Node, function: Function) -> Function:
            def run(*arguments: Any) -> Any:
                stepper.begin_writing()
                return function(*arguments)

            return run if node is first else function

        plan.watch(watch)
        return stepper

    def _run(
        self, plan: Plan, feeds: Mapping[str, Any], in_place: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """Run a plan; outputs that are not `in_place` share no memory with what was fed."""
        fed = check_feeds(self._inputs, feeds)
        self._sizes.check({v.name: a for v, a in zip(self._inputs, fed, strict=True)})
        arrays = [self._load(a) for a in fed]
        with told_as_ours(), np.errstate(all="ignore"):  # NaN and infinity pass through
            np.setbufsize(_BUFFER)  # until the context ends
            results = plan.run(arrays)
        outputs = dict(zip(self._outputs, results, strict=True))
        owners: set[int] | None = None
        for name, result in outputs.items():
            if name in in_place:
                continue
            if isinstance(result, np.generic):
                outputs[name] = np.asarray(result)
                continue
            if owners is None:
                kept = [outputs[name] for name in in_place]
                owners = self._shared | {id(_owner(a)) for a in (*arrays, *kept)}
            outputs[name] = _unaliased(result, owners)
            owners.add(id(_owner(outputs[name])))
        return outputs


def _unaliased(result: Any, owners: set[int]) -> Any:
    if result is None:
        return None  # an empty optional
    repeats = 0 in getattr(result, "strides", ())  # a broadcast view, which cannot be written to
    return result.copy() if repeats or id(_owner(result)) in owners else result


def _owner(array: Any) -> Any:
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def native_composites() -> frozenset[str]:
    """List the composites that kernels run."""
    return frozenset(
        op_type for domain, op_type in (*KERNELS, *SUBGRAPH_KERNELS) if domain == COMPOSITE_DOMAIN
    )


def runs_as_it_is(node: Node) -> bool:
    """Tell whether there is a kernel, or no body that is faster than onnx.reference."""
    key = (node.domain, node.op_type)
    if key in KERNELS or key in SUBGRAPH_KERNELS:
        return True
    return not node.subgraphs and node.operator not in STANDARD_BODIES


def _readers(graph: Graph) -> Mapping[Value, list[tuple[Node, int]]]:
    """List who reads each value where; position −1 stands for a capture by a subgraph."""
    readers: dict[Value, list[tuple[Node, int]]] = defaultdict(list)
    for node in graph.nodes():
        for k, value in enumerate(node.inputs):
            if value is not None:
                readers[value].append((node, k))
        for value in {v for subgraph in node.subgraphs for v in subgraph.captures()}:
            readers[value].append((node, -1))
    return readers


def _is_known(node: Node) -> bool:
    """Tell whether every output is a constant already, so that nothing needs to run."""
    return all(v.constant is not None for v in node.writes())


def _last_uses(graph: Graph, nodes: list[Node]) -> list[tuple[Node, list[Value]]]:
    """Pair each node with the values that nothing reads after it."""
    kept = {*graph.outputs, *(v for v in graph.values() if v.constant is not None)}
    seen: set[Value] = set()
    result: list[tuple[Node, list[Value]]] = []
    for node in reversed(nodes):
        touched = dict.fromkeys([*node.reads(), *node.writes()])
        frees = [v for v in touched if v not in seen and v not in kept and graph.owns(v)]
        seen.update(touched)
        result.append((node, frees))
    return result[::-1]
