"""Read the branch of an If that is certainly taken in place of the If."""

from collections.abc import Callable, Sequence

import numpy as np
from onnx import GraphProto, NodeProto

from ..emission.inlining import move_in
from ..emission.ops import Ops
from ..errors import GraphError
from ..graph.ir import Graph, Value
from ..graph.types import TensorType
from ..graph.wording import counted
from .reading_context import domain_of

ReadBranch = Callable[[GraphProto, Graph, bool], None]
"""`read(proto, graph, trial)` fills a graph from a branch's message."""

_NAMES = {True: "then_branch", False: "else_branch"}


def read_chosen(
    op: Ops,
    proto: NodeProto,
    inputs: Sequence[Value | None],
    names: Sequence[str],
    read: ReadBranch,
    may_fail: bool,
) -> list[Value | None] | None:
    """Read a node that is an If of which one branch only can be taken, else give None.

    Its condition is known; or, with `may_fail`, one branch does not fit the sizes that were given,
    and the graph fails where it would be taken. The types that the file leaves to both branches
    are then those of one, and the other need not even fit.
    """
    if proto.op_type != "If" or domain_of(proto.domain) or not inputs or inputs[0] is None:
        return None
    condition = inputs[0]
    graphs = {a.name: a.g for a in proto.attribute if a.HasField("g")}
    branches = {wanted: graphs[name] for wanted, name in _NAMES.items() if name in graphs}
    known = None if condition.parameter else condition.constant
    if known is not None and known.dtype == np.bool_ and known.size == 1:
        return _take(op, branches[bool(known.all())], names, read)
    if not may_fail:
        return None
    fitting = [wanted for wanted, branch in branches.items() if _fits(op, branch, read)]
    if len(fitting) != 1:
        return None
    (wanted,) = fitting
    fresh = op.graph.names.fresh
    inner = [fresh(f"{name}/{_NAMES[wanted]}") if name else "" for name in names]
    found = zip(_take(op, branches[wanted], inner, read), names, strict=True)
    return [v and _pass_where(op, condition, wanted, v, name) for v, name in found]


def _fits(op: Ops, branch: GraphProto, read: ReadBranch) -> bool:
    try:
        read(branch, Graph(branch.name, op.graph.names.copy()), True)
    except GraphError:
        return False
    return True


def _take(
    op: Ops, branch: GraphProto, names: Sequence[str], read: ReadBranch
) -> list[Value | None]:
    """Read a branch into the graph around it; its outputs get the names of the If's."""
    graph = Graph(branch.name, op.graph.names)
    read(branch, graph, False)
    if len(graph.outputs) != len(names):
        has = counted(len(names), "output")
        raise GraphError(f"it has {has}, its branch gives {len(graph.outputs)}")
    inner = Ops(op.graph, op.position)
    found: list[Value | None] = []
    for name, value in zip(names, move_in(inner, graph), strict=True):
        computed = any(value is v for node in inner.emitted for v in node.writes())
        if not name:
            found.append(None)
        elif computed and not any(value is v for v in found):
            op.graph.rename(value, name)
            found.append(value)
        else:
            found.append(inner.Identity(value, outputs=[name]))
    op.emitted += inner.emitted
    return found


def _pass_where(op: Ops, condition: Value, wanted: bool, value: Value, name: str) -> Value:
    """Give a value under a name where the condition is as wanted; a graph that runs else fails.

    The other branch reshapes two elements to one, a number that only the condition tells.
    """
    if not isinstance(value.type, TensorType) or value.rank is None:
        raise GraphError(f"one branch cannot run at these sizes, and nothing fails like {value}")
    passed, failed = (Graph(f"{name}/{what}", op.graph.names) for what in ("passed", "failed"))
    passed.outputs = [Ops(passed, prefix=f"{name}/").Identity(value)]
    inner = Ops(failed, prefix=f"{name}/branch_that_cannot_run_at_these_sizes/")
    false = inner.Not(condition) if wanted else condition
    count = inner.Add(inner.Reshape(inner.Cast(false, to="int64"), [1]), [1])
    two = inner.ConstantOfShape(count, value=np.zeros(1, value.dtype))
    failed.outputs = [inner.Reshape(two, inner.constant(np.ones(value.rank, np.int64)))]
    then, other = (passed, failed) if wanted else (failed, passed)
    result: Value = op.If(condition, then_branch=then, else_branch=other, outputs=[name])
    result.type = value.type
    return result
