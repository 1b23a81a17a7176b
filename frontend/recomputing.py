"""Hold fewer bytes at once by computing cheap values twice; the compiler's pass tells which."""

import re

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_count, require_graph
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.passes.operator_costs import UnknownSize
from onnxgrad.compiler.passes.pin_sizes import open_sizes
from onnxgrad.compiler.passes.recompute import recompute_within
from onnxgrad.compiler.standard.verifier import verify


def recompute(graph: Graph, limit: int | str) -> Graph:
    """Give the graph with cheap values computed again, so that it holds at most `limit` at once.

    What the forward pass computes and the backward pass reads is held in between. Of that,
    activations, normalizations, casts and moves of elements are computed again where they are read,
    as far as the limit asks for, those first that save most bytes per work; products are not, nor
    anything random. The results are the same to the last bit on NumPy. Of the bytes held at once
    `og.cost(g).peak` tells, by which the limit is judged: inputs, weights and what lies between
    operators, not what kernels hold while they run. That is of this graph: a saved file spells
    composites out, and holds more by `og.cost(og.load(file)).peak`; ask for less where the file is
    to run. onnxruntime's optimizer may merge what is computed twice; so does `og.optimize`.

    Example:
        >>> gradient = og.grad(g, of="loss", wrt="*.weight")
        >>> limit = og.cost(gradient).peak * 3 // 4
        >>> og.cost(og.recompute(gradient, limit)).peak <= limit
        True

    Args:
        graph: a gradient, a training step or any other graph, all of its sizes numbers.
        limit: bytes, or a text such as "2GB", "512MB" or "1.5 GiB".

    Raises:
        GraphError: the limit cannot be met (it says the least possible), or a size is open.
    """
    most = _bytes(limit)
    copy = require_graph(graph).copy()
    if still := open_sizes(copy):
        raise GraphError(
            f"what a graph holds depends on {', '.join(still)}; load the model with "
            f"shapes={{{', '.join(f'{name!r}: 8' for name in still)}}}"
        )

    try:
        recompute_within(copy, most)
    except UnknownSize as error:
        raise GraphError(f"what the graph holds is not known: {error}") from None
    verify(copy)
    return copy


def _bytes(limit: int | str) -> int:
    """Read a number of bytes."""
    if not isinstance(limit, str):
        return require_count(limit, "limit", least=1)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B\s*", limit, re.IGNORECASE)
    if found is None:
        raise GraphError(f"limit is a number of bytes, or a text such as '2GB', not '{limit}'")
    number, prefix, binary = found.groups()
    exponent = "KMGT".find(prefix.upper()) + 1 if prefix else 0
    return int(float(number) * (1024 if binary else 1000) ** exponent)
