"""ONNX's operators as methods that editors can complete; the builder adds their nodes."""

from inspect import Parameter, Signature
from typing import Any, Protocol

from onnx.defs import OpSchema

from onnxgrad.compiler.standard.schemas import (
    attribute_defaults,
    find_schema,
    operator_names,
    signature,
)


class Emitter(Protocol):
    """What adds a node: a builder."""

    def emit(self, op_type: str, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
        """Add one operator and give its output, or a tuple of several."""
        ...


class TensorOps:
    """`op.Conv(x, w, strides=[2, 2])`: any ONNX operator on tensors, arrays and numbers.

    Inputs go by place or by the standard's names: `op.Clip(x, min=0.0)`. An operator with several
    outputs gives a tuple of those that it always has; `outputs=2` asks for the first two, a list
    for as many under these names, "" omits one. `name` names the node.
    """

    def __init__(self, builder: Emitter) -> None:
        self._builder = builder

    def __getattr__(self, op_type: str) -> "Operator":
        if op_type.startswith("_"):
            raise AttributeError(op_type)
        return Operator(self._builder, op_type)

    def __dir__(self) -> list[str]:
        return operator_names()


class Operator:
    # one operator, to be called; what the standard says of it is its documentation

    __slots__ = ("_builder", "_op_type")

    def __init__(self, builder: Emitter, op_type: str) -> None:
        self._builder = builder
        self._op_type = op_type

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        return self._builder.emit(self._op_type, inputs, attributes)

    def __getattr__(self, name: str) -> Any:
        """Answer what `help` and editors ask for; it is written when they ask."""
        schema = find_schema(self._op_type)
        match name:
            case "__name__" | "__qualname__":
                return self._op_type
            case "__signature__" if schema is not None:
                return call_signature(schema)
        raise AttributeError(name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # of each operator, not of the class
        schema = find_schema(self._op_type)
        return None if schema is None else documentation(schema)

    def __repr__(self) -> str:
        schema = find_schema(self._op_type)
        return f"op.{signature(schema)}" if schema is not None else f"op.{self._op_type}: unknown"


def call_signature(schema: OpSchema) -> Signature:
    """Give how an operator is called: inputs, then attributes and what every operator takes."""
    option = OpSchema.FormalParameterOption
    listed: list[Parameter] = []
    for formal in schema.inputs:
        if formal.option == option.Variadic:
            listed.append(Parameter(formal.name, Parameter.VAR_POSITIONAL))
        else:
            omitted = formal.option == option.Optional or any(p.default is None for p in listed)
            default = None if omitted else Parameter.empty
            listed.append(Parameter(formal.name, Parameter.POSITIONAL_OR_KEYWORD, default=default))
    defaults = attribute_defaults(schema.name, schema.domain)
    keyword = Parameter.KEYWORD_ONLY
    for name, spec in sorted(schema.attributes.items()):
        default = Parameter.empty if spec.required else defaults.get(name)
        listed.append(Parameter(name, keyword, default=default))
    listed += [Parameter(name, keyword, default=None) for name in ("outputs", "name")]
    return Signature(listed)


def documentation(schema: OpSchema) -> str:
    """Write what the standard says of an operator, its inputs, attributes and outputs."""
    lines = [signature(schema), "", (schema.doc or "").strip(), ""]
    for title, formals in (("Inputs", schema.inputs), ("Outputs", schema.outputs)):
        if formals:
            lines += [f"{title}:", *(f"    {p.name}: {_line(p.description)}" for p in formals), ""]
    if schema.attributes:
        lines.append("Attributes:")
        lines += [f"    {k}: {_line(a.description)}" for k, a in sorted(schema.attributes.items())]
    return "\n".join(lines).strip()


def _line(text: str) -> str:
    return " ".join(text.split())
