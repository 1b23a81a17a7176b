"""Change what a graph gives out and what its values are called; it changes no number."""

import json
from collections.abc import Iterable, Mapping

from onnxgrad.compiler.emission.naming import STATE_KEY
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_graph, require_mapping, require_text
from onnxgrad.compiler.graph.dead_code import remove_dead_code
from onnxgrad.compiler.graph.ir import Graph, Value

from .selection import Selection, copied, select, select_one


def keep(graph: Graph, outputs: Selection) -> Graph:
    """Give the part of a graph that computes some values: inputs that they do not need go, too.

    Args:
        graph: any graph.
        outputs: values anywhere in it, which become the outputs; a pattern stands for outputs.
    """
    copy, mapping = copied(graph)
    chosen = select(graph, mapping, outputs, "outputs", graph.outputs).values
    copy.outputs = chosen
    _drop_unneeded(copy)
    if not set(json.loads(copy.metadata.get(STATE_KEY, "{}")).values()) <= set(
        _listed(copy.outputs)
    ):
        del copy.metadata[STATE_KEY]  # it is not a training step any more
    return copy


def rename(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Give a graph whose values have other names: {old: new}; two may exchange theirs.

    Raises:
        GraphError: there is no such value, or the new name is taken.
    """
    copy = require_graph(graph).copy()
    renamed = {copy.find(old): new for old, new in require_mapping(names, "names").items()}
    for value, new in renamed.items():
        require_text(new, f"the new name of '{value.name}'")
    asked = [v.name for v in renamed]
    for value in renamed:
        copy.rename(value, copy.names.fresh(f"{value.name}.renamed"))
    for value, new in renamed.items():
        _make_way(copy, new)
        copy.rename(value, new)
        copy.names.keep(new)
    if STATE_KEY in copy.metadata:
        new_names = dict(zip(asked, (v.name for v in renamed), strict=True))
        pairs = json.loads(copy.metadata[STATE_KEY])
        pairs = {new_names.get(a, a): new_names.get(b, b) for a, b in pairs.items()}
        copy.metadata[STATE_KEY] = json.dumps(pairs)
    return copy


def replace_output(graph: Graph, output: str, value: str | Value) -> Graph:
    """Let another value be given out under an output's name, such as logits for probabilities."""
    copy, mapping = copied(graph)
    before = select_one(graph, mapping, output, "output", graph.outputs)
    after = select_one(graph, mapping, value, "value", graph.values())
    if before not in copy.outputs:
        raise GraphError(
            f"'{before.name}' is not an output; those are {', '.join(_listed(copy.outputs))}"
        )
    if before is after:
        return copy
    name, place = before.name, copy.outputs.index(before)
    if copy.producer(before) is None:
        raise GraphError(f"'{name}' is an input or a constant that is given out; rename it first")
    if copy.producer(after) is None or after in copy.outputs:
        after = Ops(copy).Identity(after)
    copy.outputs = [after if k == place else v for k, v in enumerate(copy.outputs)]
    if copy.consumers(before) or before in copy.outputs:
        copy.rename(before, copy.names.fresh(f"{name}.replaced"))
    else:
        _drop_unneeded(copy)
    copy.rename(after, name)
    copy.names.keep(name)
    return copy


def _drop_unneeded(graph: Graph) -> None:
    """Remove what no output depends on, inputs too."""
    needed = graph.upstream(graph.outputs)
    graph.inputs = [v for v in graph.inputs if v in needed]
    remove_dead_code(graph)


def _make_way(graph: Graph, name: str) -> None:
    """Free a name that nobody chose, of an inner value, for the value that is to have it."""
    if graph.names.is_made_up(name) and any(v.name == name for v in graph.values()):
        value = graph.find(name)
        if value not in graph.outputs and value not in graph.inputs:
            graph.rename(value, graph.names.fresh(name))


def _listed(values: Iterable[Value]) -> list[str]:
    return [v.name for v in values]
