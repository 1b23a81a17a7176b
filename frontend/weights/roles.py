"""What each float tensor that a model holds is for, told by how it is used; it changes nothing.

Exporters lift a model's constants into initializers: factors, limits, masks, position tables. They
look like weights; what reads them, and sometimes their numbers, tells them apart.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import Enum

import numpy as np
from onnx.defs import OpSchema

from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType, is_float
from onnxgrad.compiler.standard.schemas import find_schema, formal_input
from onnxgrad.compiler.standard.traits import ELEMENTWISE, MOVES

from .tables import is_mask, is_ramp, is_selection, is_wave


class Kind(Enum):
    """What training does with a tensor by default."""

    WEIGHT = "weight"
    UNSURE = "perhaps a constant"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Role:
    """What a held tensor is, and why: "bias of Conv 'c1'", "constant: exponent of Pow 'p'".

    It is a setting where an operator makes it a constant, not only its own numbers or size.
    """

    kind: Kind
    reason: str
    setting: bool = False

    def __str__(self) -> str:
        return self.reason if self.kind is Kind.WEIGHT else f"{self.kind.value}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a node reads a value, in the graph that owns the node."""

    graph: Graph
    node: Node
    place: int
    value: Value


_FEATURES = {1: "scale", 2: "bias"}
_RECURRENT = {1: "weight", 2: "recurrent weight", 3: "bias", 7: "peephole weight"}
PARTS = {
    "BatchNormalization": _FEATURES,
    "InstanceNormalization": _FEATURES,
    "GroupNormalization": _FEATURES,
    "LayerNormalization": _FEATURES,
    "RMSNormalization": _FEATURES,
    "Conv": {1: "weight", 2: "bias"},
    "ConvTranspose": {1: "weight", 2: "bias"},
    "DeformConv": {1: "weight", 3: "bias"},
    "Gemm": {0: "weight", 1: "weight", 2: "bias"},
    "MatMul": {0: "weight", 1: "weight"},
    "Einsum": dict.fromkeys(range(8), "weight"),
    "Gather": {0: "table"},
    "GRU": _RECURRENT,
    "LSTM": _RECURRENT,
    "RNN": _RECURRENT,
    "PRelu": {1: "slope"},
}
"""The inputs that hold what a layer has learned, by operator."""

_FIXED = {
    ("BatchNormalization", 3): "running mean",
    ("BatchNormalization", 4): "running variance",
    ("RotaryEmbedding", 1): "cosines",
    ("RotaryEmbedding", 2): "sines",
    ("Pow", 1): "exponent",
    ("Range", 0): "start",
    ("Range", 1): "limit",
    ("Range", 2): "step",
}
"""The inputs that are not weights, whatever the standard says of their derivative."""

_SIZING = {("Range", 1), ("Range", 2), ("Resize", 2)}
"""The inputs of floats that decide how large the output is."""

_STARTS = {("GRU", 5), ("LSTM", 5), ("LSTM", 6), ("RNN", 5)}
"""States to start from: zeros where nothing was learned."""

_WORDS = {"Add": "addend", "Sub": "addend", "Mul": "factor", "Div": "factor", "Where": "choice"}

_COMPARES = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")

_FREQUENCIES = "frequencies, for Sin and Cos are taken of {}"

_KEEPS_ONE = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""What leaves a single number one."""

_SMALL = 1e-2
"""An ε that keeps a divisor or a root from zero is no larger."""


def held_floats(graph: Graph) -> list[Value]:
    """List the float tensors that are a model's own, of a training step those that it starts from.

    A step is told by its names when it is to be trained again, not by a lack of weights.
    """
    begun = [v for v in graph.inputs if v.parameter and v.constant is not None]
    return [v for v in [*begun, *graph.parameters] if is_float(v.dtype)]


class Roles:
    """The roles of what one graph holds; the graph stays as it is while it is asked."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._moving: dict[Graph, Set[Value | Node]] = {}
        self._follow(graph, [])
        self._straight = any(n.op_type == "StraightThrough" for n in graph.nodes())

    def of(self, value: Value) -> Role:
        """Tell what a held tensor is by all that reads it: a weight if any of it makes it one."""
        uses = self._uses(value)
        found = list(dict.fromkeys(_role_in(use, self._straight) for use in uses))
        if not found:
            return Role(Kind.CONSTANT, "nothing reads it")
        kind = next(k for k in Kind if any(r.kind is k for r in found))
        reasons = [r.reason for r in found if r.kind is kind]
        more = f" and {len(reasons) - 2} more" if len(reasons) > 2 else ""
        setting = all(r.setting for r in found)
        return Role(kind, f"{', '.join(reasons[:2])}{more}", setting)

    def settings(self) -> dict[Value, Role]:
        """Give the floats, held or fed, that operators only take as settings: scales, limits, ε.

        Of what is fed, whose derivative may be asked for, these are those that sizes hang on.
        """
        held = {v: self.of(v) for v in held_floats(self._graph)}
        found = {v: role for v, role in held.items() if role.setting}
        for value in self._graph.inputs:
            if value in held or not isinstance(value.type, TensorType) or not is_float(value.dtype):
                continue
            uses = list(self._uses(value))
            if uses and all((u.node.op_type, u.place) in _SIZING for u in uses):
                found[value] = _role_in(uses[0], self._straight)
        return found

    def path_of(self, value: Value) -> str:
        """Give the name that a weight had where it was exported, "blocks.0.q_proj.weight".

        torch's exporter calls weights that it turned "val_9", but notes the module of each node. ""
        where it does not, or the value's own name tells.
        """
        for use in self._uses(value):
            part, module = PARTS.get(use.node.op_type, {}).get(use.place), use.node.module
            if part in ("weight", "bias") and module and not value.name.startswith(f"{module}."):
                return f"{module}.{part}"
        return ""

    def _follow(self, graph: Graph, captured: list[Value]) -> None:
        """Note what depends on inputs, in a graph and in its subgraphs."""
        moving = self._moving[graph] = graph.downstream([*graph.inputs, *captured])
        for node in graph.nodes():
            for subgraph in node.subgraphs:
                outer = [v for v in subgraph.captures() if v in moving or v in captured]
                self._follow(subgraph, outer)

    def _uses(self, value: Value) -> Iterator[Use]:
        """Yield where a value is used in the end: past moves and what joins it with held ones."""
        pending, seen = [(self._graph, value)], {(self._graph, value)}
        while pending:
            graph, current = pending.pop()
            further: list[tuple[Graph, Value]] = []
            for node in graph.consumers(current):
                further.extend((g, current) for g in node.subgraphs if current in g.captures())
                for place in [k for k, v in enumerate(node.inputs) if v is current]:
                    inner = None if _is_single(value) else _inside(node, place)
                    if inner is not None:
                        further.append(inner)
                    elif self._passes_on(graph, node, place, value):
                        further.extend((graph, v) for v in node.writes())
                    else:
                        yield Use(graph, node, place, value)
            pending.extend(item for item in further if item not in seen)
            seen.update(further)

    def _passes_on(self, graph: Graph, node: Node, place: int, value: Value) -> bool:
        """Tell whether a node only moves a tensor, or computes with what the model holds."""
        if node.domain:
            return False
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            return place == 0
        if _is_single(value):
            return node.op_type in _KEEPS_ONE
        if any(v in self._moving[graph] for v in node.reads()):
            return node.op_type in ("Expand", "Tile", *_KEEPS_ONE) and place == 0
        return node.op_type in MOVES | ELEMENTWISE and node.op_type != "Where"


def _inside(node: Node, place: int) -> tuple[Graph, Value] | None:
    """Give what an input of Loop or Scan is inside the body."""
    if node.operator not in ("Loop", "Scan") or (node.op_type == "Loop" and place < 2):
        return None
    (body,) = node.subgraphs
    return body, body.inputs[place]


def _is_single(value: Value) -> bool:
    return value.shape is not None and all(dim == 1 for dim in value.shape)


def _role_in(use: Use, straight: bool) -> Role:
    node, place = use.node, use.place
    if node.domain:
        return Role(Kind.WEIGHT, f"read by {node.label}")
    if part := PARTS.get(node.op_type, {}).get(place):
        return _as_table(use, part)
    if part := _FIXED.get((node.op_type, place)):
        return _setting(f"{part} of {node.label}")
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        scale = f"scale of {node.label}"
        return Role(Kind.WEIGHT, scale) if straight else _setting(scale)
    if node.op_type in _COMPARES:
        return _setting(f"compared by {node.label}")
    if (node.op_type, place) in _STARTS and _numbers(use).any():
        return Role(Kind.UNSURE, f"start of {node.label}")
    if _has_no_derivative(node, place):
        schema = find_schema(node.op_type)
        assert schema is not None
        return _setting(f"{formal_input(schema, place).name} of {node.label}")
    return _in_arithmetic(use)


def _setting(reason: str) -> Role:
    return Role(Kind.CONSTANT, reason, setting=True)


def _has_no_derivative(node: Node, place: int) -> bool:
    schema = find_schema(node.op_type)
    if schema is None:
        return False
    none = OpSchema.DifferentiationCategory.NonDifferentiable
    return formal_input(schema, place).differentiation_category == none


def _as_table(use: Use, part: str) -> Role:
    """Tell positions, read by number or turned into angles, from what a layer has learned."""
    if part == "table" and is_wave(_numbers(use)):
        return Role(Kind.CONSTANT, f"sines and cosines, read by {use.node.label}")
    if part == "weight" and _gives_angles(use):
        vector = sum(d != 1 for d in use.value.shape or ()) < 2
        return Role(Kind.CONSTANT if vector else Kind.UNSURE, _FREQUENCIES.format(use.node.label))
    return Role(Kind.WEIGHT, f"{part} of {use.node.label}")


def _in_arithmetic(use: Use) -> Role:
    node, value = use.node, use.value
    word, label = _WORDS.get(node.op_type), node.label
    role = f"{word} of {label}" if word else f"read by {label}"
    numbers = _numbers(use)
    if _is_epsilon(use, numbers):
        return _setting(f"ε, {role}")
    if _is_single(value):
        if node.op_type in ("Add", "Sub", "Concat") and value.rank:
            return Role(Kind.WEIGHT, role)
        return Role(Kind.UNSURE if word and word != "choice" else Kind.CONSTANT, role)
    if not numbers.size:
        return Role(Kind.CONSTANT, f"empty, {role}")
    if is_mask(numbers):
        return Role(Kind.CONSTANT, f"added as mask by {label}")
    if is_selection(numbers):
        return Role(Kind.CONSTANT, f"mask of zeros and ones, {role}")
    if node.op_type in ("Mul", "Div") and _gives_angles(use):
        return Role(Kind.CONSTANT, _FREQUENCIES.format(label))
    if is_ramp(numbers):
        return Role(Kind.UNSURE, f"ramp, {role}")
    if is_wave(numbers):
        return Role(Kind.CONSTANT, f"sines and cosines, {role}")
    if _under_a_root(use):
        return Role(Kind.CONSTANT, f"variance, {role}")
    if node.op_type.startswith("Scatter") and (numbers == numbers.flat[0]).all():
        return Role(Kind.CONSTANT, f"one number throughout, read by {label}")
    return Role(Kind.WEIGHT, role)


def _numbers(use: Use) -> np.ndarray:
    assert use.value.constant is not None
    return use.value.constant


def _readers(use: Use) -> set[str]:
    """Give the operators that read what a node computes."""
    return {n.op_type for v in use.node.writes() for n in use.graph.consumers(v)}


def _is_epsilon(use: Use, numbers: np.ndarray) -> bool:
    if use.node.op_type not in ("Add", "Max") or numbers.size != 1:
        return False
    guarded = _readers(use) <= {"Sqrt", "Div", "Pow", "Log", "Reciprocal"}
    return bool(0 < numbers.item() <= _SMALL) and guarded


def _under_a_root(use: Use) -> bool:
    """Tell whether a value is a variance: a small number is added to it, and the root taken."""
    others = [v for v in use.node.inputs if v is not None and v is not use.value]
    small = any(v.constant is not None and v.constant.size == 1 for v in others)
    return use.node.op_type == "Add" and small and _readers(use) == {"Sqrt"}


def _gives_angles(use: Use) -> bool:
    """Tell whether both the sine and the cosine are taken of a product."""
    pending, seen, readers = list(use.node.writes()), set[Value](), set[str]()
    while pending:
        current = pending.pop()
        for node in use.graph.consumers(current):
            readers.add(node.op_type)
            if node.op_type in MOVES:
                pending.extend(v for v in node.writes() if v not in seen)
                seen.update(node.writes())
    return {"Sin", "Cos"} <= readers
