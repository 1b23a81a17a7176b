"""Write training-mode BatchNormalization so that no runtime overwrites the statistics it is given.

onnxruntime 1.32 computes the running mean and variance in the buffers of the old ones, unless the
model gives them out. Initializers and arrays of the caller change then, and with them every other
operator that reads them: of two equal initializers onnxruntime keeps one.
"""

from functools import partial

from ..emission.accumulation import as_float32, cast_to
from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..emission.statistics import batch_statistics
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_within
from ..standard.schemas import attribute

TRAINING_SINCE = 14
"""The first opset whose BatchNormalization has a training mode."""


def keep_statistics(graph: Graph, opset: int, is_model: bool = True) -> None:
    """Spell training mode by standard operators, in place, where its statistics stay inside.

    It is spelled in every subgraph, for runtimes move branches and bodies into the graph around.
    """
    for node in graph.nodes():
        run_within(partial(keep_statistics, opset=opset, is_model=False), graph, node)
        if node.operator != "BatchNormalization" or not attribute(node, "training_mode"):
            continue
        given = len(node.outputs) == 3 and all(v in graph.outputs for v in node.outputs[1:])
        if not (is_model and given and opset >= TRAINING_SINCE):
            op = Ops(graph, node.position, f"{node.title}/")
            put_in_place(op, node, in_inference_mode(op, node))


def in_inference_mode(op: Ops, node: Node) -> list[Value | None]:
    """With the mean μ and variance σ² of the batch, m the momentum:

    y = (x − μ)·scale/√(σ² + ε) + b,  running mean = m·old + (1 − m)·μ, variance likewise.
    """
    x, scale, bias, *old = node.required(5)
    wide = as_float32(op, x)
    if wide.rank is None:
        wide = op.Reshape(wide, [0, 0, -1])
    mean, _, variance = batch_statistics(op, wide)
    batch = [op.Reshape(v, [-1]) for v in (mean, variance)]
    attributes = {k: a for k, a in node.attributes.items() if k == "epsilon"}
    statistics = [cast_to(op, new, v) for new, v in zip(batch, old, strict=True)]
    results: list[Value | None] = [op.BatchNormalization(x, scale, bias, *statistics, **attributes)]
    momentum = attribute(node, "momentum")
    for before, now in zip(old, statistics, strict=True):
        results.append(op.Add(op.Mul(before, momentum), op.Mul(now, 1 - momentum)))
    return results[: len(node.outputs)]
