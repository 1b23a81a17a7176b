"""Build a program's graph by og.Builder."""

from typing import Any

import onnxgrad as og

from .evaluation import dtype_of
from .program import CONSTANT, INPUT, SAME, Block, Dim, Leaf, Program

CONTROL_FLOW = ("If", "Loop", "Scan")


def build(program: Program) -> og.Graph:
    """Give the graph of a program.

    Raises:
        OnnxgradError: the builder refuses it.
    """
    builder = og.Builder("fuzz")
    tensors: dict[int, Any] = {}
    _fill(builder, program, program.block, tensors)
    for k, number in enumerate(program.block.outputs):
        builder.output(tensors[number], program.output(k))
    return builder.build()


def _fill(builder: og.Builder, program: Program, block: Block, tensors: dict[int, Any]) -> None:
    """Add a block's leaves and calls where the builder stands."""
    for leaf in block.leaves:
        tensors[leaf.number] = _leaf(builder, program, leaf)
    for call in block.calls:
        inputs = [None if n is None else tensors[n] for n in call.inputs]
        settings = dict(call.attributes)
        for name, body in call.bodies.items():
            settings[name] = _body(builder, program, body, tensors)
        if call.op not in CONTROL_FLOW:
            settings["outputs"] = len(call.outputs)
        results = getattr(builder.op, call.op)(*inputs, **settings)
        listed = results if isinstance(results, tuple) else (results,)
        tensors.update(zip(call.outputs, listed, strict=True))


def _leaf(builder: og.Builder, program: Program, leaf: Leaf) -> og.Tensor:
    if leaf.role == INPUT:
        dtype = dtype_of(program.dtypes[leaf.number])
        return builder.input(program.name(leaf.number), dtype, leaf.shape)
    if leaf.role == CONSTANT:
        return builder.constant(leaf.array(0))
    return builder.parameter(program.name(leaf.number), leaf.array(0))


def _body(builder: og.Builder, program: Program, body: Block, tensors: dict[int, Any]) -> og.Graph:
    def function(*given: og.Tensor) -> Any:
        tensors.update(zip(body.inputs, given, strict=True))
        _fill(builder, program, body, tensors)
        return tuple(tensors[n] for n in body.outputs)

    types: list[Any] = []
    for number, shape, outside in zip(body.inputs, body.shapes, body.outside, strict=True):
        if shape == SAME and outside is not None:
            types.append(_type_outside(tensors[outside[0]], outside[1]))
        else:
            types.append((dtype_of(program.dtypes[number]), shape))
    return builder.subgraph(function, *types)


def _type_outside(tensor: og.Tensor, axis: int | None) -> Any:
    if axis is None:
        return tensor
    if tensor.shape is None:
        return tensor.dtype, None
    named = [f"{tensor.name}_{k}" if is_anonymous(d) else d for k, d in enumerate(tensor.shape)]
    return tensor.dtype, (*named[:axis], *named[axis + 1 :])


def is_anonymous(dim: Dim) -> bool:
    """Tell whether inference invented a name for a size."""
    return isinstance(dim, str) and "unk__" in dim
