"""Labels that are not a class: how a graph knows them, and how a caller learns which they are."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import as_array, require_graph, require_mapping
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.types import Dim, dtype_name

_KEY = "onnxgrad.labels"
"""Key of the graph's metadata: a JSON object of input name → [number of classes, ignored label]."""


def note_labels(graph: Graph, label: str, classes: Dim, ignore_index: int) -> None:
    """Write down what the labels of an input may be; it stands in files, too."""
    if not isinstance(classes, int):
        return
    noted = json.loads(graph.metadata.get(_KEY, "{}"))
    graph.metadata[_KEY] = json.dumps(noted | {label: [classes, ignore_index]})


def check_labels(graph: Graph, feeds: Mapping[str, Any]) -> None:
    """Refuse labels that are not a class, by name, index and value.

    A graph cannot stop at a label that is out of range: it gives NaN, loss and gradients.

    Args:
        graph: one with a loss by `cross_entropy`, or what was made of it, such as a training step.
        feeds: arrays by input name.

    Raises:
        GraphError: a label is neither a class nor ignored.
    """
    noted = json.loads(require_graph(graph).metadata.get(_KEY, "{}"))
    for name, (classes, ignored) in noted.items():
        if name not in require_mapping(feeds, "feeds"):
            continue
        labels = as_array(feeds[name])
        if labels.dtype.kind not in "iu":
            raise GraphError(f"'{name}' is {dtype_name(labels.dtype)}; labels are integers")
        wrong = ((labels < 0) | (labels >= classes)) & (labels != ignored)
        if wrong.any():
            index = tuple(int(k) for k in np.argwhere(wrong)[0])
            place = f"[{', '.join(map(str, index))}]" if index else ""
            more = f" (and {int(wrong.sum()) - 1} more)" if wrong.sum() > 1 else ""
            raise GraphError(
                f"{name}{place} is {labels[index]}{more}, but the classes are 0 to {classes - 1}"
                f", and {ignored} is ignored"
            )
