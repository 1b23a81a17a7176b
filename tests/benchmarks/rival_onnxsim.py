"""onnxsim 0.8's graph_grad for the gradient sweep, run on onnx.reference or onnxruntime.

It appends to a builder, in float32 at opset 17, the gradient of a slice of nodes of static shapes.
Tried in turn: the model at opset 17; without optional outputs; and with functions inlined and
simplified by onnxsim, as its refusals advise, at opset 17 and as it is.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnxsim  # pyright: ignore[reportMissingImports]  # only `make rivals` installs it
from onnx.helper import make_tensor_value_info, np_dtype_to_tensor_dtype
from onnxsim import graph_grad, qat_graph  # pyright: ignore[reportMissingImports]
from rival_runs import RUNS, Run, by_onnxruntime, by_reference, in_float32, inlined
from sweep_cases import Arrays, with_shapes
from sweep_tools import Attempt, Tool

OPSET = 17
SEED = "onnxsim_seed"


def gradients(
    model: Any, feeds: Arrays, source: str, target: str, cotangent: np.ndarray
) -> Iterator[Attempt]:
    """Differentiate by build_backward, in float32, with the shapes declared that are fed."""
    model, feeds = in_float32(model, feeds)
    model = with_shapes(model, feeds)
    seen: set[bytes] = set()
    for prepare in (_at_opset, _cut_at_opset, _simplified_at_opset, _simplified):
        try:
            prepared = prepare(model, target)
            values = _all_values(prepared, feeds) | {SEED: cotangent.astype(np.float32)}
        except Exception:  # of ONNX's tools: no word of onnxsim's gradient
            continue
        written = prepared.SerializeToString(deterministic=True)
        if written not in seen:
            seen.add(written)
            yield from _attempts(prepared, values, source, target)
    if not seen:
        yield partial(_raise, graph_grad.UnsupportedOpError("no form in float32 runs"))


def _attempts(model: Any, values: Arrays, source: str, target: str) -> Iterator[Attempt]:
    """Run what build_backward appends on the values of the forward model."""
    builder = qat_graph.GraphBuilder(prefix="onnxsim_")
    builder.initializer = _constants(model, values)
    try:
        result = graph_grad.build_backward(
            builder,
            _slice(model, source, target),
            {name: np.shape(value) for name, value in values.items()},
            {target: SEED},
            [source],
        )[source]
        backward = _backward_model(builder, values, result)
    except Exception as error:
        yield partial(_raise, error)
        return
    for run in RUNS:
        yield partial(_result, run, backward, result, values)


def _result(run: Run, model: Any, name: str, values: Arrays) -> np.ndarray:
    return np.asarray(run(model, [name], values)[0], np.float64)


def _raise(error: Exception) -> np.ndarray:
    raise error


def _at_opset(model: Any, target: str) -> Any:
    """Convert to the opset that build_backward writes, where ONNX's converter can."""
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception:  # no adapter: the newer call may read the same
        return model


def _cut(model: Any, target: str) -> Any:
    """Leave out the optional outputs where the first one is asked for, as models mostly do."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    (node,) = changed.graph.node
    formal = onnx.defs.get_schema(node.op_type, model.opset_import[0].version).outputs
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    if target == node.output[0] and len(formal) > 1 and formal[1].option == optional:
        del node.output[1:], changed.graph.output[1:]
    return changed


def _cut_at_opset(model: Any, target: str) -> Any:
    return _at_opset(_cut(model, target), target)


def _simplified(model: Any, target: str) -> Any:
    """Inline what has a body in the standard and fold what is constant."""
    return onnxsim.simplify(inlined(_cut(model, target)))[0]


def _simplified_at_opset(model: Any, target: str) -> Any:
    return _at_opset(_simplified(model, target), target)


def _all_values(model: Any, feeds: Arrays) -> Arrays:
    """Give what flows through the model, its initializers too."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    known = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    declared = {o.name for o in model.graph.output}
    exposed.graph.output.extend(
        known.get(name, onnx.ValueInfoProto(name=name)) for name in names if name not in declared
    )
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    try:
        results = by_reference(exposed, names, feeds)
    except Exception:  # whatever it raises where it lacks something
        results = by_onnxruntime(exposed, names, feeds)
    return feeds | constants | dict(zip(names, results, strict=True))


def _constants(model: Any, values: Arrays) -> list[Any]:
    """Give initializers and the values of Constant nodes as initializers."""
    nodes = [node.output[0] for node in model.graph.node if node.op_type == "Constant"]
    written = [onnx.numpy_helper.from_array(np.asarray(values[name]), name) for name in nodes]
    return [*model.graph.initializer, *written]


def _slice(model: Any, source: str, target: str) -> list[Any]:
    """Give the nodes that lie between source and target."""
    reached, after = {source}, []
    for node in model.graph.node:
        if reached & set(node.input):
            reached |= set(node.output)
            after.append(node)
    needed, between = {target}, []
    for node in reversed(after):
        if needed & set(node.output):
            needed |= set(node.input)
            between.append(node)
    return between[::-1]


def _backward_model(builder: Any, values: Arrays, output: str) -> Any:
    """Give the appended nodes as a model of the forward's values, its functions inlined."""
    constants = {t.name for t in builder.initializer}
    read = {name for node in builder.nodes for name in node.input} | {output}
    inputs = [
        make_tensor_value_info(name, np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in values.items()
        if name in read - constants
    ]
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        builder.nodes or [onnx.helper.make_node("Identity", [output], [output + "_copy"])],
        "backward",
        inputs,
        [make_tensor_value_info(output, float32, None)],
        builder.initializer,
    )
    domains = {f.domain for f in builder.functions}
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    opsets += [onnx.helper.make_opsetid(domain, 1) for domain in domains]
    model = onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=8, functions=builder.functions
    )
    return onnx.inliner.inline_local_functions(model)


ONNXSIM = Tool("onnxsim 0.8.1", gradients, (graph_grad.UnsupportedOpError, ValueError))
