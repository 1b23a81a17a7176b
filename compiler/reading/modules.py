"""What a node's metadata tells: the layer that it is part of, and whose derivative it has."""

import ast

from onnx import NodeProto

from ..standard.protos import DERIVATIVE_KEY, PASSED_ON, SCOPES_KEY


def module_of(proto: NodeProto) -> str:
    """Give the path of the innermost module that torch's exporter names, "" where it names none.

    The text is a list of Python: "['', 'blocks.0', 'blocks.0.q_proj', 'linear']"; the last item is
    the call itself.
    """
    text = _metadata(proto, SCOPES_KEY)
    try:
        scopes = ast.literal_eval(text) if text else []
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        return ""
    return next((scope for scope in reversed(scopes[:-1]) if scope), "")


def derivative_of(proto: NodeProto) -> str | None:
    """Give the composite that an Identity was before it was written, None for any other node."""
    if proto.op_type != "Identity" or proto.domain or not proto.metadata_props:
        return None
    found = _metadata(proto, DERIVATIVE_KEY)
    return found if found in PASSED_ON else None


def _metadata(proto: NodeProto, key: str) -> str:
    return next((p.value for p in proto.metadata_props if p.key == key), "")
