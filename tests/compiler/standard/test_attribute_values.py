"""What ONNX lets attributes be: the table is whole, agrees with ONNX's text, and is held to."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.defs import OpSchema

import onnxgrad as og
from onnxgrad.compiler.standard.attribute_values import (
    AXES,
    DTYPES,
    FREE_INTEGERS,
    FREE_WORDS,
    INTEGERS,
    WORDS,
    allowed_values,
    check_values,
)

NOT_IN_THE_TEXT = {
    ("Resize", "tf_half_pixel_for_nn"),  # dropped at 13, and still written
    ("Upsample", "linear"),  # versions 1 and 7 call one mode by two names
    ("Upsample", "bilinear"),
    ("GRU", "foward"),  # the default of version 1
}


def attributes_of_kind(*kinds: str) -> Iterator[tuple[OpSchema, str, Any]]:
    """Yield each attribute of those kinds, of every version of every operator."""
    spec: Any  # onnx types only half of OpSchema
    for schema in onnx.defs.get_all_schemas_with_history():
        for name, spec in schema.attributes.items():
            if spec.type.name in kinds:
                yield schema, name, spec


def keys_of(schema: OpSchema, name: str) -> set[str]:
    operator = f"{schema.domain}.{schema.name}" if schema.domain else schema.name
    return {name, f"{operator}.{name}"}


def free(spec: Any) -> dict[str, str]:
    return FREE_WORDS if spec.type.name.startswith("STRING") else FREE_INTEGERS


def test_every_attribute_has_allowed_values_or_is_free_with_a_reason() -> None:
    unstated = [
        f"{schema.domain} {schema.name}-{schema.since_version} {name}"
        for schema, name, spec in attributes_of_kind("INT", "INTS", "STRING", "STRINGS")
        if [
            allowed_values(schema, name) is not None,
            name in AXES,
            bool(keys_of(schema, name) & {*free(spec)}),
        ].count(True)
        != 1
    ]
    assert not unstated


def test_every_entry_of_the_tables_is_an_attribute() -> None:
    known = {
        key
        for schema, name, _ in attributes_of_kind("INT", "INTS", "STRING", "STRINGS")
        for key in keys_of(schema, name)
    }
    assert not {*WORDS, *INTEGERS, *DTYPES, *FREE_WORDS, *FREE_INTEGERS, *AXES} - known


def test_every_word_stands_in_the_text_of_onnx() -> None:
    missing = [
        (schema.name, word)
        for schema, name, spec in attributes_of_kind("STRING", "STRINGS")
        for word in allowed_values(schema, name) or ()
        if str(word) not in spec.description + schema.doc
    ]
    assert set(missing) <= NOT_IN_THE_TEXT


def test_every_default_is_allowed() -> None:
    for schema, name, spec in attributes_of_kind("INT", "INTS", "STRING", "STRINGS"):
        if spec.default_value.type:
            default = onnx.helper.get_attribute_value(spec.default_value)
            default = default.decode() if isinstance(default, bytes) else default
            listed = default if isinstance(default, list) else [default]
            texts = [v.decode() if isinstance(v, bytes) else v for v in listed]
            check_values(schema, {name: texts})


def test_every_enumerated_attribute_refuses_what_it_cannot_be() -> None:
    for schema, name, spec in attributes_of_kind("INT", "INTS", "STRING", "STRINGS"):
        allowed = allowed_values(schema, name)
        if allowed is None:
            continue
        wrong: Any = "nonsense" if spec.type.name.startswith("STRING") else -(2**40)
        for given in [wrong, [wrong]]:
            if name == "pads" and schema.name == "Pad":
                continue  # a pad crops
            with pytest.raises(og.OnnxgradError, match=f"{schema.name}: .*'{name}' must be"):
                check_values(schema, {name: given})


def x_of(b: og.Builder, *shape: int) -> og.Tensor:
    return b.input("x", "float32", shape)


def test_the_error_says_what_the_word_may_be() -> None:
    b = og.Builder()
    x = x_of(b, 2, 4)
    with pytest.raises(og.GraphError, match="'reduction' must be 'none', 'sum' or 'mean'"):
        b.op.SoftmaxCrossEntropyLoss(x, [0, 3], reduction="Mean")
    with pytest.raises(og.GraphError, match="'approximate' must be 'none' or 'tanh', got 'Tanh'"):
        b.op.Gelu(x, approximate="Tanh")
    with pytest.raises(og.GraphError, match="'keepdims' must be 0 or 1, got 2"):
        b.op.ReduceSum(x, keepdims=2)
    with pytest.raises(og.GraphError, match="'to' must be 1 .float., 2 .uint8., .* got 77"):
        b.op.Cast(x, to=77)
    with pytest.raises(og.GraphError, match="'strides' must be 1 or more, got 0 in .1, 0."):
        b.op.MaxPool(x, kernel_shape=[2, 2], strides=[1, 0])


def test_a_file_is_held_to_the_words_of_its_own_opset() -> None:
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 3])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    pads = onnx.numpy_helper.from_array(np.array([0, 1, 0, 1]), "pads")
    node = onnx.helper.make_node("Pad", ["x", "pads"], ["y"], mode="wrap")
    graph = onnx.helper.make_graph([node], "g", [x], [y], [pads])
    for opset in (18, 19):
        made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
        if opset >= 19:
            assert og.load(made).outputs[0].shape == (2, 5)
            continue
        with pytest.raises(og.OnnxgradError, match="'mode' must be 'constant', 'reflect' or"):
            og.load(made)


def test_a_word_may_be_given_as_bytes() -> None:
    b = og.Builder()
    y = b.op.Gelu(x_of(b, 2), approximate=b"tanh")
    b.output(y, "y")
    assert b.build().nodes()[0].attributes == {"approximate": "tanh"}
