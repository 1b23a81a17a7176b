"""The optimizers of ai.onnx.preview.training are said in standard operators when they are read."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import onnxgrad as og

DOMAIN = "ai.onnx.preview.training"

STATES = {"Adagrad": 1, "Adam": 2, "Momentum": 1}


def model(op_type: str, **attributes: Any) -> onnx.ModelProto:
    """Step two tensors of different shapes at once."""
    parts = ["x", "g", *("v", "h")[: STATES[op_type]]]
    tensors = [(f"{part}{k}", shape) for part in parts for k, shape in enumerate(([2, 3], [4]))]
    results = [(f"new_{name}", shape) for name, shape in tensors if name[0] != "g"]

    def info(name: str, shape: list[int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    node = helper.make_node(
        op_type,
        ["r", "t", *(name for name, _ in tensors)],
        [name for name, _ in results],
        domain=DOMAIN,
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "step",
        [
            info("r", []),
            helper.make_tensor_value_info("t", TensorProto.INT64, []),
            *(info(*tensor) for tensor in tensors),
        ],
        [info(*result) for result in results],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("Adagrad", {"norm_coefficient": 0.1, "decay_factor": 0.2, "epsilon": 1e-3}),
        ("Adam", {"norm_coefficient": 0.1, "alpha": 0.8, "beta": 0.9, "epsilon": 1e-3}),
        ("Adam", {"norm_coefficient_post": 0.2}),
        ("Momentum", {"norm_coefficient": 0.1, "alpha": 0.9, "beta": 0.3, "mode": "standard"}),
        ("Momentum", {"norm_coefficient": 0.1, "alpha": 0.9, "beta": 0.3, "mode": "nesterov"}),
    ],
)
def test_optimizers_step_as_the_reference(
    op_type: str, attributes: dict[str, float | str], count: int
) -> None:
    proto = model(op_type, **attributes)
    random = np.random.default_rng(0)
    feeds = {
        i.name: random.random([d.dim_value for d in i.type.tensor_type.shape.dim], np.float32)
        for i in proto.graph.input
    } | {"t": np.array(count, np.int64)}
    expected: Any = ReferenceEvaluator(proto).run(None, feeds)
    graph = og.load(proto)
    assert not {n.domain for n in graph.nodes()} - {""}
    for backend in ("numpy", "onnxruntime"):
        results = og.compile(graph, backend).run(feeds)
        for wanted, actual in zip(expected, results.values(), strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-6)


def test_adam_before_any_step_differentiates_by_its_rate() -> None:
    """At t = 0 the rate is taken as it is, x' = x − r·v'/(√h' + ε), and 1 − αᵗ = 0 unused."""
    proto = model("Adam", alpha=0.8, beta=0.9, epsilon=1e-3)
    feeds = {"r": np.float32(0.1), "t": np.array(0)}
    for k, shape in enumerate([(2, 3), (4,)]):
        filled = zip("xgvh", (1, 2, 3, 4), strict=True)
        feeds |= {f"{part}{k}": np.full(shape, value, np.float32) for part, value in filled}
    graph = og.vjp(og.load(proto), ["new_x1"], ["r"])
    results = og.compile(graph).run(feeds | {"new_x1.grad": np.ones(4, np.float32)})
    mean, square = 0.8 * 3 + 0.2 * 2, 0.9 * 4 + 0.1 * 4
    np.testing.assert_allclose(results["r.grad"], -4 * mean / (square**0.5 + 1e-3), rtol=1e-5)
