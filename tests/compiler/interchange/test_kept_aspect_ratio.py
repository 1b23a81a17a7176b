"""Resize that keeps the aspect ratio: onnxruntime counts by the sizes that were asked for."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnxgrad as og


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("antialias", [0, 1])
@pytest.mark.parametrize("places", ["align_corners", "half_pixel"])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_images_are_the_standard_s_in_stock_onnxruntime(
    mode: str, places: str, antialias: int, policy: str
) -> None:
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], axes=[2, 3], mode=mode, antialias=antialias,
        coordinate_transformation_mode=places, keep_aspect_ratio_policy=policy,
    )  # fmt: skip
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 5, 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, None, None])
    sizes = numpy_helper.from_array(np.array([8, 7]), "sizes")
    model = helper.make_model(
        helper.make_graph([node], "resized", [x], [y], [sizes]),
        opset_imports=[helper.make_opsetid("", 19)],
    )
    image = np.random.default_rng(0).normal(size=(1, 2, 5, 6)).astype(np.float32)
    (right,) = ReferenceEvaluator(model).run(None, {"x": image})
    graph = og.load(model)
    session = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    for found in (session.run(None, {"x": image})[0], og.compile(graph).run({"x": image})["y"]):
        np.testing.assert_allclose(np.asarray(found), np.asarray(right), rtol=0, atol=2e-5)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_its_gradient_is_the_transposed_matrix(backend: str) -> None:
    b = og.Builder("resized")
    x = b.input("x", "float32", (2, 5, 6))
    y = b.op.Resize(
        x, sizes=[7, 8, 7], mode="cubic", coordinate_transformation_mode="align_corners",
        keep_aspect_ratio_policy="not_larger",
    )  # fmt: skip
    b.output(y, "y")
    graph = b.build()
    resize = og.compile(graph)
    matrix = [resize.run({"x": e.reshape(2, 5, 6)})["y"] for e in np.eye(60, dtype=np.float32)]
    rng = np.random.default_rng(0)
    feeds = {n: rng.normal(size=s).astype("f4") for n, s in (("x", (2, 5, 6)), ("dy", (2, 6, 7)))}
    backward = og.compile(og.vjp(graph, "y", "x"), backend)
    found = backward.run({"x": feeds["x"], "y.grad": feeds["dy"]})["x.grad"]
    right = np.array([np.vdot(column, feeds["dy"]) for column in matrix]).reshape(2, 5, 6)
    np.testing.assert_allclose(found, right, rtol=0, atol=2e-5)
