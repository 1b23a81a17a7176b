"""How many outputs a call has and under which names; it emits nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from onnx.defs import OpSchema

from ..errors import GraphError
from ..graph.ir import Value
from ..standard.schemas import formal_output, number_of

Asked = int | Sequence[str] | None
"""The first so many outputs, as many as there are names ("" omits one), or what the call says."""

_WITH_BODIES = ("If", "Loop", "Scan", "SequenceMap")
"""Operators whose subgraphs say how many outputs they have."""


def count_outputs(
    schema: OpSchema, asked: Asked, inputs: Sequence[Value | None], attributes: Mapping[str, Any]
) -> int:
    """Give the number of outputs that a call asks for, or else of those that it must have.

    Raises:
        GraphError: the operator cannot have so many or so few, or the call does not tell.
    """
    names: Sequence[str] = ()
    match asked:
        case None:
            count = _default(schema, inputs, attributes)
        case int():
            count = asked
        case list() | tuple() if all(isinstance(name, str) for name in asked):
            names, count = asked, len(asked)
        case _:
            raise GraphError(
                f"{schema.name}: outputs= is a number or a list of names, not {asked!r}"
            )
    least, most = max(1, schema.min_output), schema.max_output
    if schema.name in _WITH_BODIES:
        least = most = _default(schema, inputs, attributes)
    if not least <= count <= most:
        here = " here" if schema.name in _WITH_BODIES else ""
        number = number_of(least, most, "output")
        raise GraphError(f"{schema.name} has {number}{here}, asked for {count}")
    for k, name in enumerate(names):
        formal = formal_output(schema, k)
        if not name and formal.option == OpSchema.FormalParameterOption.Single:
            raise GraphError(f"{schema.name} cannot omit its output '{formal.name}'; name it")
    return count


def _default(
    schema: OpSchema, inputs: Sequence[Value | None], attributes: Mapping[str, Any]
) -> int:
    match schema.name:
        case "If":
            return len(attributes["then_branch"].outputs)
        case "Loop":
            return len(attributes["body"].outputs) - 1
        case "Scan" | "SequenceMap":
            return len(attributes["body"].outputs)
        case "Split":
            return _parts(inputs, attributes)
        case "BatchNormalization" if attributes.get("training_mode"):
            return 3
        case _:
            return max(1, schema.min_output)


def _parts(inputs: Sequence[Value | None], attributes: Mapping[str, Any]) -> int:
    if "num_outputs" in attributes:
        return int(attributes["num_outputs"])
    sizes = inputs[1] if len(inputs) > 1 else None
    if sizes is None:
        raise GraphError("Split needs sizes, op.Split(x, [1, 3]), or a number, num_outputs=2")
    if sizes.shape is None or len(sizes.shape) != 1 or not isinstance(sizes.shape[0], int):
        raise GraphError(f"Split by '{sizes.name}', {sizes.type}: say how many parts by outputs=…")
    return sizes.shape[0]
