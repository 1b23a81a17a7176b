"""What can be tuned: composites that have several forms, each as a graph of its own."""

import json
from collections.abc import Iterator, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from ...compiler.composites import FORMS
from ...compiler.composites.expand import expand_node
from ...compiler.composites.form_choice import choose_straight_form, equal_forms
from ...compiler.composites.registry import RUN_ONLY
from ...compiler.graph.ir import Graph, Node, Value
from ...compiler.graph.subgraphs import all_graphs
from ...compiler.graph.types import TensorType, is_float, is_static
from ...compiler.inference.node_types import freeze
from ...compiler.interchange.model_functions import graph_of
from ..base import Backend, FormChoosingBackend

_MOST_WRITTEN = 64
"""Integers of a constant that stand in a key; of more their hash does."""


@dataclass(frozen=True, slots=True)
class Site:
    """A composite, and the forms that it could have.

    `usual` is the form that it has without tuning, `fed` are the inputs of the whole graph.
    """

    owner: Graph
    node: Node
    forms: list[str]
    usual: str
    fed: Set[Value]

    @property
    def key(self) -> dict[str, Any]:
        """All that the time of each form depends on, as JSON has it."""
        node = self.node
        return {
            "operator": node.op_type,
            "attributes": {k: _plain(a) for k, a in sorted(node.attributes.items())},
            "inputs": [self._described(v) for v in node.inputs],
            "repeats": [node.inputs.index(v) for v in node.inputs],
            "outputs": [None if v is None else str(v.type) for v in node.outputs],
            "forms": self.forms,
        }

    @property
    def identity(self) -> str:
        """The key as text: what is alike has the same."""
        return json.dumps(self.key)

    @property
    def sizes(self) -> str:
        """The types of what the node reads and does not know."""
        return ", ".join(str(v.type) for v in self.node.reads() if not self._is_known(v))

    @property
    def unknown(self) -> str | None:
        """Why the node cannot be timed alone; None where it can."""
        for value in (*self.node.reads(), *self.node.writes()):
            if not isinstance(value.type, TensorType) or not is_static(value.shape):
                return f"'{value.name}' is {value.type}: give its sizes numbers, shapes={{…}}"
            if 0 in value.shape:
                return f"'{value.name}' has no elements"
        for value in self.node.reads():
            if not self._is_known(value) and not is_float(value.dtype):
                return f"'{value.name}' holds integers that only running tells"
        return None

    def alone(self, form: str) -> Graph:
        """Give the node in a form, as a graph that takes what is computed or fed."""
        graph = graph_of(self.node)
        given = dict.fromkeys(v for v in self.node.inputs if v is not None)
        for value, copied in zip(given, graph.inputs, strict=True):
            if not self._is_known(value):
                copied.constant, copied.parameter = None, False
            elif copied.constant is None and value.elements is not None:
                copied.constant = np.array(value.elements, copied.dtype)
        graph.inputs = [v for v in graph.inputs if v.constant is None]
        expand_node(graph, graph.nodes()[0], form)
        return graph

    def expand(self, form: str) -> None:
        """Put a form in place, in the graph that holds the node."""
        expand_node(self.owner, self.node, form)

    def _is_known(self, value: Value) -> bool:
        return value not in self.fed and (value.constant is not None or _has_elements(value))

    def _described(self, value: Value | None) -> Any:
        if value is None or not self._is_known(value):
            return None if value is None else str(value.type)
        if value.constant is None:
            return [str(value.type), list(value.elements or ())]
        array = value.constant
        if array.dtype.kind not in "iu":
            return [str(value.type), "constant"]
        if array.size > _MOST_WRITTEN:
            return [str(value.type), sha256(array.tobytes()).hexdigest()]
        return [str(value.type), array.tolist()]


def sites_in(graph: Graph, backend: Backend, lasting: bool, opset: int) -> Iterator[Site]:
    """Yield what can be tuned in a graph and its subgraphs.

    What a backend runs by a kernel of its own has no forms there: alone it is no slower than they
    are, and in a graph it saves what timing it alone does not show.

    Args:
        graph: the graph.
        backend: what will run it.
        lasting: take forms only that may be differentiated again and batched, as files hold them.
        opset: take forms only that this opset has the operators for.
    """
    fed = frozenset(graph.inputs)
    for owner in all_graphs(graph):
        for node in owner.nodes():
            forms = [] if node.op_type in backend.native else equal_forms(node, lasting, opset)
            if len(forms) > 1:
                yield Site(owner, node, forms, _usual(node, backend, forms, lasting, opset), fed)


def _usual(node: Node, backend: Backend, forms: list[str], lasting: bool, opset: int) -> str:
    default = next(iter(FORMS[node.op_type]))
    if lasting:
        return choose_straight_form(node, opset=opset) or default
    chosen = backend.choose_form(node) if isinstance(backend, FormChoosingBackend) else None
    return chosen if chosen in forms else RUN_ONLY.get(node.op_type, default)


def _has_elements(value: Value) -> bool:
    return value.elements is not None and all(isinstance(d, int) for d in value.elements)


def _plain(attribute: Any) -> Any:
    try:
        json.dumps(attribute)
    except TypeError:
        return repr(freeze(attribute))
    return attribute
