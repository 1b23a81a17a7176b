"""Which values of a graph a caller means, and what they must be; it differentiates nothing."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

import numpy as np

from onnxgrad.compiler.emission.naming import GRADIENT, is_emitted
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.graph.arguments import is_iterable, require_flag, require_graph
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.names import suggestion
from onnxgrad.compiler.graph.types import TensorType, is_differentiable, is_float
from onnxgrad.compiler.passes.refine_types import settle

from .advice import refuse_unused, warn_of_rounding
from .weights.roles import Roles

Selection = str | Value | Sequence[str | Value]
"""One value or several, as a Value of the graph, by name or by a pattern such as "*.weight"."""

WRT, OF = "wrt", "of"


@dataclass(frozen=True, slots=True)
class Selected:
    """The values that a caller chose; those of `matched` only by a pattern.

    What a pattern finds may be beside the point, so it is passed over where nothing depends on it.
    """

    values: list[Value]
    matched: frozenset[Value]

    def mapped(self, mapping: Mapping[Value, Value]) -> "Selected":
        """Give what stands for the values in a mapping, the others as they are."""
        values, matched = (
            [mapping.get(v, v) for v in group] for group in (self.values, self.matched)
        )
        return Selected(values, frozenset(matched))

    def only(self, kept: Container[object]) -> "Selected":
        """Leave out what only a pattern found, but for what is kept; if all, there is no choice."""
        values = [v for v in self.values if v in kept or v not in self.matched]
        return Selected(values or self.values, self.matched)


def copied(graph: Graph) -> tuple[Graph, dict[Value, Value]]:
    """Copy a graph; give also where each of its values went."""
    mapping: dict[Value, Value] = {}
    copy = require_graph(graph).copy(mapping)
    settle(copy)
    return copy, mapping


def select(
    graph: Graph,
    mapping: dict[Value, Value],
    chosen: Selection,
    role: str,
    pool: Sequence[Value] | None = None,
) -> Selected:
    """Find values of a graph by name, Value or pattern; give them in its copy."""
    return find_values(graph, chosen, role, pool).mapped(mapping)


def select_one(
    graph: Graph,
    mapping: dict[Value, Value],
    chosen: str | Value,
    role: str = OF,
    pool: Sequence[Value] | None = None,
) -> Value:
    """Find one value of a graph by name, Value or pattern; give it in its copy."""
    found = select(graph, mapping, chosen, role, pool).values
    if len(found) > 1:
        listed = ", ".join(v.name for v in found)
        raise GraphError(f"{role} is {len(found)} values where one is wanted: {listed}")
    return found[0]


def find_values(
    graph: Graph,
    chosen: Selection,
    role: str,
    pool: Sequence[Value] | None = None,
    others: Mapping[Value, str] = MappingProxyType({}),
    aliases: Mapping[Value, str] = MappingProxyType({}),
) -> Selected:
    """Find values of a graph by name, Value or pattern.

    Args:
        graph: the graph that has them.
        chosen: one of them or several.
        role: the argument that they are, for errors.
        pool: what patterns choose from; by default the floats among inputs and initializers for
            `WRT`, but for settings of operators, else those among the outputs.
        others: what only names choose, each with the reason, for errors.
        aliases: other names, as which patterns may match values, too.

    Raises:
        GraphError: there are none, one is named twice, is unknown or another graph's.
    """
    several = is_iterable(chosen) and not isinstance(chosen, str | Value)
    listed: list[object] = [*chosen] if several else [chosen]  # type: ignore[misc]  # see above
    if not listed:
        raise GraphError(f"{role} is an empty list of values; name at least one")
    named: dict[Value, bool] = {}
    for item in listed:
        if isinstance(item, str) and (_is_pattern(item, graph) or item in aliases.values()):
            if pool is None:
                pool, others = _pool(graph, role)
            for value in _matching(pool, item, role, others, aliases):
                named.setdefault(value, False)
            continue
        if not isinstance(item, str | Value):
            raise GraphError(f"{role}: a value goes by its name or as a Value, not as {item!r}")
        value = graph.find(item) if isinstance(item, str) else item
        if not graph.owns(value):
            raise GraphError(f"'{value.name}' is a value of another graph; give its name instead")
        if named.get(value):
            raise GraphError(f"{role}: '{value.name}' is named twice")
        named[value] = True
    return Selected(list(named), frozenset(v for v, by_name in named.items() if not by_name))


def _is_pattern(name: str, graph: Graph) -> bool:
    """Tell whether a text is a pattern, not a name: * and ? stand for any letters."""
    return ("*" in name or "?" in name) and all(v.name != name for v in graph.values())


def _pool(graph: Graph, role: str) -> tuple[list[Value], Mapping[Value, str]]:
    """Give what patterns choose from, and what they pass over, each with the reason."""
    held = [v for v in graph.values() if v.parameter]
    known = [*graph.inputs, *held] if role == WRT else graph.outputs
    floats = [v for v in known if isinstance(v.type, TensorType) and is_float(v.dtype)]
    settings = Roles(graph).settings() if role == WRT else {}
    others = {v: str(role) for v, role in settings.items()}
    return [v for v in dict.fromkeys(floats) if v not in others], others


def _matching(
    pool: Sequence[Value],
    pattern: str,
    role: str,
    others: Mapping[Value, str],
    aliases: Mapping[Value, str],
) -> list[Value]:
    names = {v: (v.name, aliases.get(v, v.name)) for v in pool}
    found = [v for v in pool if any(fnmatchcase(name, pattern) for name in names[v])]
    if found:
        return found
    alike = [f"'{v.name}' ({why})" for v, why in others.items() if fnmatchcase(v.name, pattern)]
    if alike:
        more = f" and {len(alike) - 3} more" if len(alike) > 3 else ""
        kind, kinds = ("input or weight", "those") if role == WRT else ("weight", "weights")
        raise GraphError(
            f"{role}: '{pattern}' matches no {kind}, only {', '.join(alike[:3])}{more}; a pattern "
            f"stands for {kinds}, others go by their full names"
        )
    raise GraphError(f"{role}: nothing matches '{pattern}'{suggestion(pattern, _names(pool))}")


def _names(values: Sequence[Value]) -> list[str]:
    return [v.name for v in values]


def related(
    graph: Graph,
    chosen: Selected,
    found: Container[object],
    others: Sequence[Value],
    role: str,
    allow_unused: bool,
) -> list[Value]:
    """Give the chosen values that results are wanted for; warn of what rounds on the way.

    Args:
        graph: the graph, differentiated.
        chosen: what was asked for, as `role` says.
        found: the values that a derivative was found for.
        others: what they were differentiated by, or what by them.
        role: `WRT` or `OF`.
        allow_unused: accept zeros.

    Raises:
        GradientError: none of them has a derivative, or not one that was named.
    """
    require_flag(allow_unused, "allow_unused")
    kept = chosen.values if allow_unused else chosen.only(found).values
    unused = [v for v in kept if v not in found]
    targets, sources = (others, unused) if role == WRT else (unused, others)
    if unused and not allow_unused:
        refuse_unused(graph, targets, sources)
    warn_of_rounding(graph, *((others, kept) if role == WRT else (kept, others)))
    return kept


def require_scalar(graph: Graph, value: Value, role: str = OF) -> None:
    """Refuse what is not one float."""
    require_float(graph, value, role)
    if value.shape is None or any(d != 1 for d in value.shape):
        other = ", or use vjp with a cotangent of its shape" if role == OF else ""
        raise GradientError(
            f"{_told(graph, value, role)}: that is not a scalar; reduce it (ReduceSum, ReduceMean)"
            f"{other}"
        )


def require_float(graph: Graph, value: Value, role: str) -> None:
    """Refuse what is not a float tensor."""
    if not isinstance(value.type, TensorType) or not is_float(value.dtype):
        raise GradientError(
            f"{_told(graph, value, role)}; this needs a float tensor (by and of sequences"
            " and optionals of them there are vjp and jvp, by them grad and hvp)"
        )


def require_differentiable(graph: Graph, value: Value, role: str) -> None:
    """Refuse what holds no floats; sequences and optionals have gradients of their own type."""
    if not is_differentiable(value.type):
        raise GradientError(
            f"{_told(graph, value, role)}; name a value of floats, for gradients exist by and of "
            "floats only: tensors, or sequences and optionals of them"
        )


def _told(graph: Graph, value: Value, role: str) -> str:
    """Tell what a value is and which node gives it."""
    node = graph.producer(value)
    return f"{role}='{value.name}' is {value.type}" + (
        f", which {node.label} gives" if node else ""
    )


def seed_of_one(graph: Graph, target: Value) -> Value:
    """Add the cotangent of a scalar that is differentiated: the number one, in its shape."""
    shape = [d for d in target.shape or () if isinstance(d, int)]
    return Ops(graph, prefix=GRADIENT).constant(np.ones(shape, target.dtype), name=f"{GRADIENT}one")


def set_apart(graph: Graph, wrt: list[Value]) -> dict[Value, Value]:
    """Let what a node computes and what others read of it be two values: y → Identity(y).

    A rule may read the node's own output: tanh′(x) = 1 − y². That is a function of x, which does
    not move when y alone is moved: a second derivative by x and y would count it. So each of `wrt`
    that another one influences becomes a copy of that name; give what stands for what now.
    """
    apart: dict[Value, Value] = {}
    readers = [n for v in wrt for n in graph.consumers(v)]
    moved = graph.downstream(v for n in readers for v in n.writes())
    for value in wrt:
        node = graph.producer(value)
        if node is None or value not in moved:
            continue
        op = Ops(graph, node.position)
        copy: Value = op.Identity(value)
        graph.replace_uses(value, copy)
        (identity,) = op.emitted
        identity.inputs = (value,)
        graph.reconnect(identity)
        name = value.name
        graph.rename(value, graph.names.fresh(f"{GRADIENT}{name}"))
        graph.rename(copy, name)
        apart[value] = copy
    return apart


def add_output(graph: Graph, value: Value, name: str) -> None:
    """Make a value an output of that name; one that already has a role gets a copy."""
    named = graph.producer(value) is None or value in graph.outputs
    if named or not is_emitted(value):
        value = Ops(graph).Identity(value)
    graph.rename(value, name)
    graph.outputs.append(value)
