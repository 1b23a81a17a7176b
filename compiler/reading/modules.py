"""Which layer of the exporting framework a node of a file is part of; it reads nothing else."""

import ast

from onnx import NodeProto

from ..standard.protos import SCOPES_KEY


def module_of(proto: NodeProto) -> str:
    """Give the path of the innermost module that torch's exporter names, "" where it names none.

    The text is a list of Python: "['', 'blocks.0', 'blocks.0.q_proj', 'linear']"; the last item is
    the call itself.
    """
    text = next((p.value for p in proto.metadata_props if p.key == SCOPES_KEY), "")
    try:
        scopes = ast.literal_eval(text) if text else []
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        return ""
    return next((scope for scope in reversed(scopes[:-1]) if scope), "")
