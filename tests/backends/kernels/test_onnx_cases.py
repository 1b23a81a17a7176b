"""Every kernel against the expected outputs of ONNX's own node cases."""

import functools
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx_suite import Case, load_cases

import onnxgrad.backends.kernels  # noqa: F401 (registers the kernels)
from onnxgrad.backends.kernels.registry import KERNELS, KernelDoesNotApply

NEWEST = onnx.defs.onnx_opset_version()


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node and its schema's defaults, as kernels take them."""
    schema = onnx.defs.get_schema(node.op_type, NEWEST, node.domain)
    protos = [a.default_value for a in schema.attributes.values() if a.default_value.name]
    values = {}
    for proto in (*protos, *node.attribute):
        value = onnx.helper.get_attribute_value(proto)
        if isinstance(value, onnx.TensorProto):
            value = numpy_helper.to_array(value)
        elif isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, list) and value and isinstance(value[0], bytes):
            value = [v.decode() for v in value]
        values[proto.name] = value
    return values


def run_kernel(node: onnx.NodeProto, inputs: list[Any]) -> tuple[Any, ...]:
    """Call the kernel of a node with its inputs, None where one is omitted."""
    entry = KERNELS[node.domain, node.op_type]
    attributes = attributes_of(node)
    if entry.takes_outputs:
        attributes["outputs"] = len(node.output)
    results = entry.function(np, *inputs, **attributes)
    return results if isinstance(results, tuple) else (results,)


def same_semantics(model: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    """Tell whether the case's opset gives the node the meaning that it has in the newest."""
    version = next(o.version for o in model.opset_import if o.domain == node.domain)
    old = onnx.defs.get_schema(node.op_type, version, node.domain)
    new = onnx.defs.get_schema(node.op_type, NEWEST, node.domain)
    return old.since_version == new.since_version


@functools.cache
def cases() -> dict[str, tuple[Case, onnx.ModelProto]]:
    """Return ONNX's cases whose only node has a kernel."""
    found = {}
    for case in load_cases():
        if case.kind != "node":
            continue
        model = case.model()
        nodes = model.graph.node
        if len(nodes) == 1 and (nodes[0].domain, nodes[0].op_type) in KERNELS:
            if same_semantics(model, nodes[0]):
                found[case.name] = case, model
    return found


def datasets(case: Case, model: onnx.ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield the inputs, aligned with the node's, and the expected outputs."""
    graph = model.graph
    for inputs, expected in case.data(model):
        feeds = {value.name: array for value, array in zip(graph.input, inputs, strict=True)}
        for tensor in graph.initializer:
            feeds[tensor.name] = numpy_helper.to_array(tensor)
        yield [feeds[name] if name else None for name in graph.node[0].input], expected


def assert_close(result: Any, expected: Any, rtol: float, atol: float) -> None:
    """Assert that arrays, or lists of them, agree in dtype, shape and values."""
    if isinstance(expected, list):
        for one, other in zip(result, expected, strict=True):
            assert_close(one, other, rtol, atol)
        return
    assert result.dtype == expected.dtype and result.shape == expected.shape
    if expected.dtype.kind == "O":
        np.testing.assert_array_equal(result, expected)
    elif expected.dtype.kind == "V":  # one unit of bfloat16, which NumPy cannot compare
        np.testing.assert_allclose(result.astype("f4"), expected.astype("f4"), rtol=1e-2)
    else:
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)


def check(case: Case, model: onnx.ModelProto) -> None:
    """Assert that every output is as expected and that no input has changed."""
    node = model.graph.node[0]
    for inputs, expected in datasets(case, model):
        before = pickle.dumps(inputs)
        results = run_kernel(node, inputs)
        assert pickle.dumps(inputs) == before, "an input was modified"
        wanted = [r for r, name in zip(results, node.output, strict=False) if name]
        for result, value in zip(wanted, expected, strict=True):
            assert_close(result, value, case.rtol, case.atol)


RANDOM = {"Bernoulli", "Dropout"}  # what they draw is nobody's to prescribe


def test_every_case() -> None:
    failures, left = [], []
    for name, (case, model) in cases().items():
        if model.graph.node[0].op_type in RANDOM and "training" in name:
            continue
        try:
            with np.errstate(all="ignore"):
                check(case, model)
        except KernelDoesNotApply:
            left.append(name)
        except Exception as error:  # collect all, then fail once
            failures.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
    assert not failures, f"{len(failures)} of {len(cases())}\n" + "\n".join(failures)
    assert len(cases()) - len(left) > 800


def test_kernels_name_their_inputs_positionally() -> None:
    for key, entry in KERNELS.items():
        parameters = list(inspect.signature(entry.function).parameters.values())
        assert parameters[0].name == "xp", key
