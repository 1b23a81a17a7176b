"""Bring a graph to what onnxruntime's kernels run, and run fast; it runs nothing.

What the kernels refuse or get wrong is said otherwise as in every file that is saved; the rules of
this file are for graphs that only run here.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np

from ..compiler.composites.expand import expand_node, has_body
from ..compiler.emission.masking import MANY, masked
from ..compiler.emission.ops import Ops
from ..compiler.emission.replacing import put_in_place
from ..compiler.errors import UnsupportedOpError
from ..compiler.graph.dead_code import remove_dead_code
from ..compiler.graph.dims import typical_size
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.subgraphs import run_within
from ..compiler.interchange.spellings.calls import NEVER_WRITTEN
from ..compiler.interchange.spellings.double import is_said_in_double
from ..compiler.interchange.spellings.kernel_bodies import is_said_by_body
from ..compiler.interchange.spellings.kernel_dtypes import is_of
from ..compiler.interchange.spellings.kernels import say_otherwise
from ..compiler.opset import COMPOSITE_DOMAIN
from ..compiler.passes.widen import Supports, run_wider, widen_node

Rewrite = Callable[[Ops, Node], list[Value | None] | None]
"""Emits what may stand in place of a node and gives its outputs; None where it does not apply."""

REWRITES: dict[str, Rewrite] = {}


def adapt(graph: Graph, supports: Supports) -> None:
    """Bring a graph to what onnxruntime runs, in place: rewritten, widened, or by ONNX's bodies."""
    pending = graph.nodes()
    while pending:
        node = pending.pop()
        run_within(partial(adapt, supports=supports), graph, node)
        if node.domain != COMPOSITE_DOMAIN:
            pending += _adapt_node(graph, node, supports)
    remove_dead_code(graph)


def _adapt_node(graph: Graph, node: Node, supports: Supports) -> list[Node]:
    if all(v.constant is not None for v in node.writes()):
        return []  # it is known, and will stand as a constant
    op = Ops(graph, node.position, f"{node.title}/")
    if say_otherwise(op, node):
        return op.emitted
    rewrite = None if node.domain else REWRITES.get(node.op_type)
    if rewrite is not None and (results := rewrite(op, node)) is not None:
        put_in_place(op, node, results)
        return op.emitted
    if not node.domain and node.op_type in _IN_DOUBLE and is_of(node.inputs[0], np.float32):
        return run_wider(graph, node, np.dtype(np.float32), np.dtype(np.float64))
    if not is_said_by_body(node):
        if supports(node) or is_said_in_double(node) or node.op_type in NEVER_WRITTEN:
            return []
        widened = widen_node(graph, node, supports)
        if widened is not None:
            return widened
    if has_body(node):
        try:
            return expand_node(graph, node)
        except UnsupportedOpError:
            pass  # ONNX gives no body for these types; onnxruntime has the last word
    return []


_IN_DOUBLE = {"DFT", "STFT"}
"""Run in float64: the errors of their float32 kernels show where terms cancel."""


def rewrite(*op_types: str) -> Callable[[Rewrite], Rewrite]:
    """Register a rule for operators."""

    def register(function: Rewrite) -> Rewrite:
        for op_type in op_types:
            assert op_type not in REWRITES, op_type
            REWRITES[op_type] = function
        return function

    return register


@rewrite("Where")
def product_with_mask(op: Ops, node: Node) -> list[Value | None] | None:
    """v where the mask is true, else 0 = v·mask, where all of v is finite"""
    mask, first, second = node.required(3)
    y = node.output()
    v, when = (second, False) if _is_zero(first) else (first, True)
    if not (when is False or _is_zero(second)) or not is_of(v, np.float32, np.float64):
        return None
    if v.shape is None or v.shape != y.shape or typical_size(v.shape) < MANY:
        return None
    if not op.graph.owns(v):
        return None  # it is a branch that this rule has written, or as good as that

    def kept(inner: Ops) -> Value:
        return mask if when else inner.Not(mask)

    return [masked(op, v, kept, lambda inner: inner.Where(mask, first, second))]


def _is_zero(value: Value) -> bool:
    constant = None if value.parameter else value.constant
    return constant is not None and constant.size == 1 and not constant.any()


@rewrite("StringNormalizer")
def normalize_here(op: Ops, node: Node) -> list[Value | None] | None:
    """Case by C.UTF-8: onnxruntime's en_US.UTF-8 is often not installed, and maps cases alike."""
    if "locale" in node.attributes or not sys.platform.startswith("linux"):
        return None
    return [op.StringNormalizer(*node.inputs, locale="C.UTF-8", **node.attributes)]
