"""The words in which a call that does not fit is refused."""

from ..errors import GraphError
from ..graph.ir import Node
from ..graph.wording import settings


def explain(node: Node, reason: str) -> str:
    """Write why a node does not fit, with the names, types and attributes it was given."""
    given = ", ".join("–" if v is None else f"{v.name}: {v.type}" for v in node.inputs)
    attributes = settings(node.attributes)
    detail = reason.partition("]")[2] if reason.startswith("[") else reason
    call = f"{node.op_type}({given}{'; ' if attributes else ''}{attributes})"
    return f"{call} does not fit: {detail.strip() or reason.strip()}"


def require(node: Node, holds: bool, reason: str) -> None:
    """Refuse a node for a reason unless something holds."""
    if not holds:
        raise GraphError(explain(node, reason))
