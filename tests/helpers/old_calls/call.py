"""One call of an operator in the form that an old opset took, and the model that holds it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper
from onnx.defs import OpSchema

Array = np.ndarray
Feeds = dict[str, Any]

IR_VERSION = 10
TRAINING = "ai.onnx.preview.training"


@dataclass(frozen=True)
class OldCall:
    """A call, tried at every version of its operator that accepts it.

    Attributes:
        op: the operator.
        inputs: arrays; None where an optional input is omitted. Those of float64 are fed, in the
            model's float type; others are constants of the model.
        attributes: the call's attributes.
        outputs: how many outputs the call has, or which: (True, False, True) omits the second.
        expected: closed form of the outputs by the inputs that are not None.
        versions: the versions that it is tried at; none named means all that accept it.
        wrt: indices of the inputs to differentiate by; none named means all that are fed.
        like: a call that means the same at the opset `as_of`, which onnxruntime runs there.
        as_of: that opset; where no call is named beside it, this call means the same there.
        text: the graph in ONNX's text form, where one node is not enough; its inputs are called
            x0, x1, …, its outputs y0, y1, …, and FLOAT stands for the model's float type.
        domain: the operator's domain.
    """

    op: str
    inputs: Sequence[Any] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int | Sequence[bool] = 1
    expected: Callable[..., Any] | None = None
    versions: Sequence[int] | None = None
    wrt: Sequence[int] | None = None
    like: Any = None
    as_of: int | None = None
    text: str = ""
    domain: str = ""

    def __str__(self) -> str:
        return f"{self.op}({', '.join(f'{k}={v}' for k, v in self.attributes.items())})"

    def gives(self, attribute: str) -> bool:
        """Tell whether the call has an attribute."""
        return attribute in self.attributes or f"{attribute} =" in self.text

    def feeds(self, dtype: Any) -> Feeds:
        """Give what is fed, in a model of this float type."""
        return {
            f"x{k}": a.astype(dtype) if is_float(a) else a
            for k, a in enumerate(self.inputs)
            if a is not None and (is_float(a) or self._feeds_all())
        }

    def _feeds_all(self) -> bool:
        return bool(self.text) or not any(map(is_float, self.inputs))

    def differentiated(self) -> list[str]:
        """Name the inputs to differentiate by."""
        floats = [k for k, a in enumerate(self.inputs) if is_float(a)]
        return [f"x{k}" for k in (floats if self.wrt is None else self.wrt)]

    def model(self, opset: int, dtype: Any, symbolic: bool = False) -> ModelProto:
        """Make the model at an opset, in a float type; `symbolic` leaves the sizes to run time."""
        if self.text:
            return self._of_text(opset, dtype)
        fed = self.feeds(dtype)
        present = {f"x{k}": a for k, a in enumerate(self.inputs) if a is not None}
        infos = [_info(n, a, symbolic) for n, a in fed.items()]
        held = [numpy_helper.from_array(a, n) for n, a in present.items() if n not in fed]
        asked = [True] * self.outputs if isinstance(self.outputs, int) else self.outputs
        names = [f"y{k}" if there else "" for k, there in enumerate(asked)]
        inputs = ["" if a is None else f"x{k}" for k, a in enumerate(self.inputs)]
        node = helper.make_node(self.op, inputs, names, domain=self.domain, **self.attributes)
        results = [helper.make_empty_tensor_value_info(n) for n in names if n]
        graph = helper.make_graph([node], "old", infos, results, held)
        opsets = [helper.make_opsetid(d, v) for d, v in self._versions(opset).items()]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        # with symbols ONNX infers what is wrong of Slice-10: that its output is like its input
        return made if symbolic else onnx.shape_inference.infer_shapes(made)

    def _of_text(self, opset: int, dtype: Any) -> ModelProto:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        name = onnx.TensorProto.DataType.Name(element).lower()
        opsets = ", ".join(f'"{d}": {v}' for d, v in self._versions(opset).items())
        header = f"<ir_version: {IR_VERSION}, opset_import: [{opsets}]>"
        return onnx.parser.parse_model(header + self.text.replace("FLOAT", name))

    def _versions(self, opset: int) -> dict[str, int]:
        return {"": 21, self.domain: opset}

    def is_accepted(self, opset: int, dtype: Any) -> bool:
        """Tell whether ONNX takes the call at an opset, by its form and its types."""
        context = onnx.checker.C.CheckerContext()
        context.ir_version, context.opset_imports = IR_VERSION, self._versions(opset)
        try:
            model = self.model(opset, dtype)
            if self.text:
                onnx.checker.check_model(model)
            else:  # a model's outputs need types, which old schemas cannot infer
                onnx.checker.check_node(model.graph.node[0], context)
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
            return False
        return True


def _info(name: str, array: Array, symbolic: bool) -> ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(array.dtype)
    shape: list[Any] = [f"{name}_{k}" for k in range(array.ndim)] if symbolic else [*array.shape]
    return helper.make_tensor_value_info(name, element, shape)


def is_float(array: Any) -> bool:
    """Tell whether an input is fed and varies."""
    return isinstance(array, np.ndarray) and array.dtype == np.float64


@cache
def history() -> dict[tuple[str, str], list[OpSchema]]:
    """Give every version of every operator that is tested, by domain and name, in order."""
    found: dict[tuple[str, str], list[OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((schema.domain, schema.name), []).append(schema)
    return {k: sorted(v, key=lambda s: s.since_version) for k, v in found.items()}
