"""Which nodes draw random numbers: those are never merged, folded, recomputed or duplicated."""

import numpy as np

from ..graph.ir import Node
from .traits import RANDOM


def is_random(node: Node) -> bool:
    """Tell whether two runs of this node on equal inputs may differ."""
    if node.domain:
        return False
    if node.op_type == "Dropout":
        training = node.inputs[2] if len(node.inputs) > 2 else None
        return training is not None and not (
            training.constant is not None and not np.any(training.constant)
        )
    if node.op_type in RANDOM:
        return True
    return any(is_random(inner) for graph in node.subgraphs for inner in graph.nodes())
