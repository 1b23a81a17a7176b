"""Write a program down as the Python that builds it, to read and to keep."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .builder_road import CONTROL_FLOW
from .program import CONSTANT, INPUT, SAME, Array, Block, Call, Leaf, Program

HEAD = "import numpy as np\nimport onnxgrad as og\n\nb = og.Builder()\nop = b.op"


def source(program: Program) -> str:
    """Give a small Python program of the same graph and what it is fed."""
    lines = [HEAD, *_block(program, program.block, "")]
    for k, number in enumerate(program.block.outputs):
        lines.append(f"b.output(v{number}, {program.output(k)!r})")
    lines.append("g = b.build()")
    for world in range(program.worlds):
        fed = program.inputs()
        feeds = ", ".join(f"{program.name(f.number)!r}: {_array(f.array(world))}" for f in fed)
        lines.append(f"feeds{world} = {{{feeds}}}")
    return "\n".join(lines) + "\n"


def _block(program: Program, block: Block, indent: str) -> Iterator[str]:
    for leaf in block.leaves:
        yield f"{indent}v{leaf.number} = {_leaf(program, leaf)}"
    for call in block.calls:
        bodies = {}
        for name, body in call.bodies.items():
            bodies[name] = f"{name}_{call.outputs[0] if call.outputs else 0}"
            yield from _body(program, bodies[name], body, indent)
        results = ", ".join(f"v{n}" for n in call.outputs)
        yield f"{indent}{results} = {_call(call, bodies)}"


def _body(program: Program, name: str, body: Block, indent: str) -> Iterator[str]:
    given = ", ".join(f"v{n}" for n in body.inputs)
    yield f"{indent}def {name}({given}):"
    yield from _block(program, body, indent + "    ")
    yield f"{indent}    return {', '.join(f'v{n}' for n in body.outputs)}"
    types = []
    for number, shape, outside in zip(body.inputs, body.shapes, body.outside, strict=True):
        if shape != SAME or outside is None:
            types.append(f"({program.dtypes[number]!r}, {shape!r})")
        elif outside[1] is None:
            types.append(f"v{outside[0]}")
        else:
            value, axis = f"v{outside[0]}", outside[1]
            entry = f"{value}.shape[:{axis}] + {value}.shape[{axis + 1}:]"
            types.append(f"({value}.dtype, {entry})")
    yield f"{indent}{name} = b.subgraph({', '.join([name, *types])})"


def _call(call: Call, bodies: Mapping[str, str]) -> str:
    inputs = ["None" if n is None else f"v{n}" for n in call.inputs]
    settings = [f"{name}={_attribute(value)}" for name, value in call.attributes.items()]
    settings += [f"{name}={body}" for name, body in bodies.items()]
    if call.op not in CONTROL_FLOW and len(call.outputs) != 1:
        settings.append(f"outputs={len(call.outputs)}")
    return f"op.{call.op}({', '.join([*inputs, *settings])})"


def _leaf(program: Program, leaf: Leaf) -> str:
    if leaf.role == INPUT:
        dtype = program.dtypes[leaf.number]
        return f"b.input({program.name(leaf.number)!r}, {dtype!r}, {leaf.shape!r})"
    if leaf.role == CONSTANT:
        return f"b.constant({_array(leaf.array(0))})"
    return f"b.parameter({program.name(leaf.number)!r}, {_array(leaf.array(0))})"


def _array(array: Array) -> str:
    name = array.dtype.name
    if not array.size:
        return f"np.zeros({array.shape}, {name!r})"
    if name == "bfloat16":
        return f"np.array({array.astype(np.float32).tolist()}).astype('bfloat16')"
    return f"np.array({array.tolist()}, {name!r})"


def _attribute(value: Any) -> str:
    return _array(value) if isinstance(value, np.ndarray) else repr(value)
