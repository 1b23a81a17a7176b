"""Write a program as an ONNX file by the onnx package alone: what other tools would hand us."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_type_proto

from .element_types import NEWEST, takes
from .evaluation import Evaluator, dtype_of
from .program import CONSTANT, INPUT, SAME, Block, Call, Program, every_call

LEAST_OPSET = 21

IR_VERSION = 10


def write(program: Program) -> ModelProto:
    """Give the model of a program."""
    return _Writer(program).model()


def opset_of(program: Program) -> int:
    """Give the oldest opset from `LEAST_OPSET` on that has all of its operators and their types."""
    return max(LEAST_OPSET, *(_since(c, program) for c in every_call(program.block)))


def _since(call: Call, program: Program) -> int:
    """Give the first version of an operator, from `LEAST_OPSET` on, that takes a call's types."""
    dtypes = [None if n is None else program.dtypes[n] for n in call.inputs]
    versions = range(LEAST_OPSET, NEWEST + 1)
    return next((v for v in versions if takes(call.op, dtypes, v)), NEWEST)


class _Writer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.names: dict[int, str] = {}
        self.arrays: dict[int, Any] = {}
        with np.errstate(all="ignore"):
            Evaluator(0).block(program.block, self.arrays)

    def model(self) -> ModelProto:
        program, block = self.program, self.program.block
        for leaf in block.leaves:
            self.names[leaf.number] = (
                f"c{leaf.number}" if leaf.role == CONSTANT else program.name(leaf.number)
            )
        taken: set[int] = set(self.names)
        for k, number in enumerate(block.outputs):
            if number not in taken:
                self.names[number] = program.output(k)
                taken.add(number)
        nodes = [*self._nodes(block), *self._copies(block)]
        outputs = [self._info(program.output(k), number) for k, number in enumerate(block.outputs)]
        inputs = [
            self._info(self.names[leaf.number], leaf.number, leaf.shape, exact=True)
            for leaf in program.inputs()
        ]
        graph = make_graph(nodes, "fuzz", inputs, outputs, self._tensors(block))
        opset = [make_opsetid("", opset_of(program))]
        return make_model(graph, opset_imports=opset, ir_version=IR_VERSION)

    def _copies(self, block: Block) -> Iterator[NodeProto]:
        """Give outputs that are inputs, or are there twice, by Identity."""
        for k, number in enumerate(block.outputs):
            if self.names[number] != self.program.output(k):
                yield make_node("Identity", [self.names[number]], [self.program.output(k)])

    def _tensors(self, block: Block) -> list[TensorProto]:
        return [
            onnx.numpy_helper.from_array(leaf.array(0), self.names[leaf.number])
            for leaf in block.leaves
            if leaf.role != INPUT
        ]

    def _name(self, number: int) -> str:
        return self.names.setdefault(number, f"v{number}")

    def _nodes(self, block: Block) -> Iterator[NodeProto]:
        for call in block.calls:
            inputs = ["" if n is None else self._name(n) for n in call.inputs]
            outputs = [self._name(n) for n in call.outputs]
            node = make_node(call.op, inputs, outputs)
            for name, value in call.attributes.items():
                node.attribute.append(_attribute(call, name, value))
            for name, body in call.bodies.items():
                node.attribute.append(onnx.helper.make_attribute(name, self._body(body)))
            yield node

    def _body(self, body: Block) -> GraphProto:
        nodes = list(self._nodes(body))
        ends, outputs = [], []
        computed = {n for call in body.calls for n in call.outputs}
        for number in body.outputs:
            name = self._name(number)
            if number not in computed or name in ends:  # runtimes want it computed here, once
                copy = f"{name}.out{len(nodes)}"
                nodes.append(make_node("Identity", [name], [copy]))
                name = copy
            ends.append(name)
            outputs.append(self._info(name, number))
        inputs = [
            self._info(self._name(n), n, None if shape == SAME else shape, exact=shape != SAME)
            for n, shape in zip(body.inputs, body.shapes, strict=True)
        ]
        for leaf in body.leaves:
            self._name(leaf.number)
        return make_graph(nodes, "body", inputs, outputs, self._tensors(body))

    def _info(
        self,
        name: str,
        number: int,
        shape: Any = None,
        exact: bool = False,
    ) -> ValueInfoProto:
        """Declare a value: with the shape given, or its rank alone where that is known."""
        element = onnx.helper.np_dtype_to_tensor_dtype(dtype_of(self.program.dtypes[number]))
        known = self.arrays.get(number)
        if not exact and isinstance(known, np.ndarray):
            shape = [None] * known.ndim
        return ValueInfoProto(name=name, type=make_tensor_type_proto(element, shape))


def _attribute(call: Call, name: str, value: Any) -> AttributeProto:
    if name == "to":
        value = onnx.helper.np_dtype_to_tensor_dtype(dtype_of(value))
    elif isinstance(value, np.ndarray):
        value = onnx.numpy_helper.from_array(value)
    known: dict[str, Any] = dict(onnx.defs.get_schema(call.op).attributes)
    return onnx.helper.make_attribute(name, value, attr_type=known[name].type.value)
