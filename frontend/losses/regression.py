"""Distances between a prediction and a target of its type, as means over all elements."""

from onnxgrad.compiler.graph.ir import Graph

from .prediction import Prediction, require_positive


def mse(graph: Graph, of: str | None = None, target: str = "target", name: str = "loss") -> Graph:
    """Add the mean of (x − t)².

    Args:
        graph: any graph.
        of: the prediction x, floats; by default the only float output.
        target: the input t to add, of the type of x; or a value of the graph.
        name: the output to add.
    """
    p = Prediction(graph, of, name)
    error = p.tensor - p.widen(p.target(target, *p.like()))
    return p.finish(p.mean(error * error))


def l1(graph: Graph, of: str | None = None, target: str = "target", name: str = "loss") -> Graph:
    """Add the mean of |x − t|; arguments as in `mse`."""
    p = Prediction(graph, of, name)
    return p.finish(p.mean(abs(p.tensor - p.widen(p.target(target, *p.like())))))


def huber(
    graph: Graph,
    of: str | None = None,
    target: str = "target",
    name: str = "loss",
    *,
    delta: float = 1.0,
) -> Graph:
    """Add the mean of e²/2 where |e| = |x − t| is at most δ, of δ·(|e| − δ/2) elsewhere.

    Args:
        graph, of, target, name: as in `mse`.
        delta: δ, over 0.
    """
    p, delta = Prediction(graph, of, name), require_positive(delta, "delta")
    error = p.tensor - p.widen(p.target(target, *p.like()))
    near = p.op.Clip(error, -delta, delta)
    # with c = e cut to ±δ, both pieces are c·(e − c/2)
    return p.finish(p.mean(near * (error - near * 0.5)))
