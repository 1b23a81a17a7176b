"""What a drawing shows: boxes and arrows, large graphs by module; it lays nothing out."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from os.path import commonprefix

from onnxgrad.compiler.emission.naming import GRADIENT, STATE_KEY, STEP, TANGENT
from onnxgrad.compiler.graph.ir import Graph, Node, Value

FORWARD, DERIVATIVE, UPDATE, INPUT, OUTPUT = "forward", "derivative", "update", "input", "output"
PHASES = (FORWARD, DERIVATIVE, UPDATE)

FEWEST = 8
"""Fewer boxes than this say too little about a large graph, so it is cut in another way."""


WIDEST = 44
"""Most letters in a line of a box."""

_SEPARATOR = re.compile("[/._]+")
_MODULE = re.compile("[/._]*[^/._]*$")


@dataclass(eq=False, slots=True)
class Box:
    """One operator, one group of operators, an input or an output."""

    kind: str
    title: str
    detail: str = ""
    tooltip: str = ""
    nodes: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Arrow:
    """What flows from one box to another."""

    source: Box
    target: Box
    tooltip: str


@dataclass(frozen=True, slots=True)
class Outline:
    """The boxes and arrows of a graph."""

    name: str
    boxes: list[Box]
    arrows: list[Arrow]


def outline(graph: Graph, most: int) -> Outline:
    """Give a box per operator, or per group of operators where that were more than `most` boxes.

    Initializers, the state of a training step and what is computed from constants alone stand in
    the boxes that read them.
    """
    nodes, phases = varying_nodes(graph), find_phases(graph)
    groups = _groups(nodes, phases, most) if len(nodes) > most else [[n] for n in nodes]
    boxes: dict[Value | Node, Box] = {}
    for group in groups:
        box = (
            _operator(graph, group[0], boxes, phases) if len(group) == 1 else _module(group, phases)
        )
        boxes.update(dict.fromkeys(group, box))
    state = json.loads(graph.metadata.get(STATE_KEY, "{}"))
    for value in graph.inputs:
        if value.name not in state and value.constant is None and graph.consumers(value):
            boxes[value] = Box(INPUT, value.name, str(value.type), f"input {value}")
    results = {v: Box(OUTPUT, v.name, str(v.type), f"output {v}") for v in graph.outputs}
    listed = [*dict.fromkeys(boxes.values()), *results.values()]
    return Outline(graph.name, listed, _arrows(graph, boxes, results))


def varying_nodes(graph: Graph) -> list[Node]:
    """List the nodes whose results depend on numbers that are fed or trained."""
    sources = [v for v in graph.inputs if v.constant is None]
    reached = graph.downstream([*sources, *(v for v in graph.values() if v.parameter)])
    known = {n for n in graph.nodes() if all(v.constant is not None for v in n.writes())}
    return [n for n in graph.nodes() if n in reached and n not in known]


def find_phases(graph: Graph) -> dict[Node, str]:
    """Tell for each node whether it is the model's, of a derivative or of a parameter's update."""
    phases: dict[Node, str] = {}
    changed = set(json.loads(graph.metadata.get(STATE_KEY, "{}")).values())
    for node in graph.nodes():
        before = {phases[p] for v in node.reads() if (p := graph.producer(v)) in phases}
        name = next(node.writes()).name
        if UPDATE in before or name.startswith(STEP) or name in changed:
            phases[node] = UPDATE
        elif DERIVATIVE in before or name.startswith((GRADIENT, TANGENT)):
            phases[node] = DERIVATIVE
        else:
            phases[node] = FORWARD
    return phases


def scoped_name(node: Node) -> str:
    """Give the name that tells a node's module: its own "a/b/c", or else its first output's."""
    name = node.name if "/" in node.name else next(node.writes()).name
    for prefix in (GRADIENT, TANGENT, STEP):
        name = name.removeprefix(prefix)
    return name


def _groups(nodes: list[Node], phases: dict[Node, str], most: int) -> list[list[Node]]:
    """Group neighbors by module as deep as `most` allows, by number where names say nothing."""
    paths = {node: _SEPARATOR.split(scoped_name(node).strip("/"))[:-1] for node in nodes}
    for depth in range(max(map(len, paths.values())), 0, -1):
        groups = _runs(nodes, phases, {n: tuple(paths[n][:depth]) for n in nodes})
        if FEWEST <= len(groups) <= most // 2:
            return groups
    return [
        g for phase in PHASES for g in _stretches([n for n in nodes if phases[n] == phase], most)
    ]


def _runs(
    nodes: list[Node], phases: dict[Node, str], keys: dict[Node, tuple[str, ...]]
) -> list[list[Node]]:
    """Group nodes of one key that follow each other in their phase."""
    groups: list[list[Node]] = []
    last: dict[str, list[Node]] = {}
    for node in nodes:
        group = last.get(phases[node])
        if group is not None and keys[group[0]] == keys[node]:
            group.append(node)
        else:
            last[phases[node]] = [node]
            groups.append(last[phases[node]])
    return groups


def _stretches(nodes: list[Node], most: int) -> list[list[Node]]:
    """Cut an order where one value, or none, goes on: between blocks, not through them."""
    last = {v: k for k, node in enumerate(nodes) for v in node.reads()}
    least = -(-len(nodes) // max(most // 2, 1))
    groups: list[list[Node]] = [[]]
    live: set[Value] = set()
    for k, node in enumerate(nodes):
        groups[-1].append(node)
        live |= {v for v in node.writes() if v in last}
        live -= {v for v in live if last[v] <= k}
        size = len(groups[-1])
        if size >= least and len(live) <= 1 or size >= 4 * least:
            groups.append([])
    return [g for g in groups if g]


def _operator(
    graph: Graph, node: Node, drawn: dict[Value | Node, Box], phases: dict[Node, str]
) -> Box:
    held = [v for v in node.reads() if v.parameter or graph.producer(v) not in (None, *drawn)]
    names = ", ".join(dict.fromkeys(v.name for v in held))
    detail = _shorten(names or str(next(node.writes()).type), WIDEST)
    return Box(phases[node], node.op_type, detail, describe(node), [node])


def _module(group: list[Node], phases: dict[Node, str]) -> Box:
    counts = Counter(n.op_type for n in group).most_common()
    listed = ", ".join(f"{op} ×{count}" if count > 1 else op for op, count in counts)
    names = [scoped_name(n) for n in group]
    title = _MODULE.sub("", commonprefix(names)).strip("/")
    shown = _shorten(title or f"{len(group)} operators", WIDEST)
    return Box(phases[group[0]], shown, _shorten(listed, WIDEST), f"{title}\n{listed}", group)


def describe(node: Node) -> str:
    """Write a node out: operator, name, inputs, outputs and attributes, a line each."""
    lines = [node.operator + (f" '{node.name}'" if node.name else "")]
    lines += [f"← {v.name}: {v.type}" for v in node.inputs if v is not None]
    lines += [f"→ {v.name}: {v.type}" for v in node.writes()]
    for key, value in node.attributes.items():
        shown = repr(value) if isinstance(value, Graph) else str(value)
        lines.append(f"{key} = {_shorten(shown, 80)}")
    return "\n".join(lines)


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _arrows(graph: Graph, boxes: dict[Value | Node, Box], results: dict[Value, Box]) -> list[Arrow]:
    flows: dict[tuple[Box, Box], dict[str, None]] = {}

    def add(value: Value, target: Box) -> None:
        source = boxes.get(value) or boxes.get(graph.producer(value) or value)
        if source is not None and source is not target:
            flows.setdefault((source, target), {})[f"{value.name}: {value.type}"] = None

    for node in graph.nodes():
        if node in boxes:
            for value in node.reads():
                add(value, boxes[node])
    for value, box in results.items():
        add(value, box)
    return [Arrow(a, b, "\n".join(names)) for (a, b), names in flows.items()]
