"""Sizes that a model leaves open get numbers: by symbol, or input by input."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import onnxgrad as og


def model(**inputs: Any) -> onnx.ModelProto:
    """Add all inputs."""
    infos = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, dims) for n, dims in inputs.items()
    ]
    y = helper.make_empty_tensor_value_info("y")
    made = helper.make_graph([helper.make_node("Sum", list(inputs), ["y"])], "add", infos, [y])
    opsets = [helper.make_opsetid("", 17)]
    proto: onnx.ModelProto = helper.make_model(made, opset_imports=opsets, ir_version=8)
    return proto


def shapes_of(graph: og.Graph) -> list[Any]:
    return [v.shape for v in (*graph.inputs, *graph.outputs)]


def test_an_input_is_pinned_by_its_name() -> None:
    graph = og.load(model(x=[None, None]), shapes={"x": (1, 576)})
    assert shapes_of(graph) == [(1, 576)] * 2


def test_some_of_its_sizes_stay_open() -> None:
    (x,) = og.load(model(x=[None, "N", "?"]), shapes={"x": [2, None, 3]}).inputs
    assert x.shape == (2, "N", 3)


def test_a_named_size_is_pinned_wherever_it_stands() -> None:
    graph = og.load(model(x=["N", "M"], z=["N", 1]), shapes={"x": (4, None)})
    assert shapes_of(graph) == [(4, "M"), (4, 1), (4, "M")]


def test_both_ways_at_once() -> None:
    graph = og.load(model(x=["N", None], z=["K", None]), shapes={"N": 4, "z": (None, 5)})
    (x, z) = graph.inputs
    assert x.shape is not None and x.shape[0] == 4 and z.shape == ("K", 5)


def test_a_rank_is_given_too() -> None:
    made = model(x=None)
    made.graph.input[0].type.tensor_type.ClearField("shape")
    assert shapes_of(og.load(made, shapes={"x": (2, 3)})) == [(2, 3)] * 2


def test_a_placeholder_is_pinned_by_its_text() -> None:
    assert shapes_of(og.load(model(x=["?", "?"]), shapes={"?": 3})) == [(3, 3)] * 2


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"w": (1, 2)}, "the model has no input 'w'; it has 'x', 'z'"),
        ({"x": (1, 2, 3)}, r"shapes\['x'\] gives 3 sizes; the input has 2"),
        ({"z": (2, 4)}, r"shapes\['z'\] says 4 where the model says 3"),
        ({"N": 4, "x": (5, None)}, "shapes=… gives 'N' the sizes 4 and 5"),
        ({"x": (5, None), "z": (6, None)}, "shapes=… gives 'N' the sizes 5 and 6"),
        ({"x": 5}, "no symbolic dimension 'x'; it has 'M', 'N'; for the sizes of an input give"),
        ({"x": (1, -2)}, r"shapes\['x'\]: -2 is not a dimension"),
        ({"x": (1, 2.5)}, r"shapes\['x'\]: 2.5 is not a dimension"),
        ({"x": {1, 2}}, r"shapes\['x'\]: {1, 2} is not a dimension"),
    ],
)
def test_what_does_not_fit(shapes: Any, message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.load(model(x=["N", "M"], z=["N", 3]), shapes=shapes)


def test_the_argument_stays() -> None:
    made = model(x=["N", None])
    before = made.SerializeToString()
    graph = og.load(made, shapes={"x": (2, 3)})
    assert made.SerializeToString() == before
    assert og.compile(graph)(x=np.ones((2, 3), np.float32))["y"].shape == (2, 3)
