"""How far a predicted distribution is from a given one."""

from onnxgrad.compiler.graph.ir import Graph

from .prediction import Prediction


def kl_divergence(
    graph: Graph,
    of: str | None = None,
    target: str = "target",
    name: str = "loss",
    *,
    axis: int | None = None,
) -> Graph:
    """Add Σ t·(log t − log softmax(logits)) over the classes, as a mean over all other axes.

    A probability of 0 counts nothing; a negative one makes the loss NaN.

    Args:
        graph: any graph with logits. Those of a last Softmax or LogSoftmax are what it reads.
        of: the logits, floats; by default the only float output.
        target: the input t to add, probabilities of the type of the logits; or a value of the
            graph, such as a teacher's.
        name: the output to add.
        axis: where the classes are; it may be left out for (batch, classes).

    Raises:
        GraphError: an argument does not fit the logits.
    """
    p = Prediction(graph, of, name)
    op, axis = p.op, p.classes(axis)
    log_prob = op.LogSoftmax(p.before("Softmax", "LogSoftmax", axis=axis), axis=axis)
    t = p.widen(p.target(target, *p.like()))
    never = op.Equal(t, 0.0)
    gap = op.Log(op.Where(never, 1.0, t)) - log_prob
    # 0 counts nothing, even where the logits say −∞
    terms = op.Where(never, 0.0, t * gap)
    return p.finish(p.mean(op.ReduceSum(terms, [axis], keepdims=0)))
