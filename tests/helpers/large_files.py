"""Model files of any number of nodes, and of any size: wide, deep, with large bodies."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

WIDTH = 8
"""Length of the rows that flow through the models."""

node = helper.make_node


def weight(name: str, *shape: int) -> TensorProto:
    rng = np.random.default_rng(len(name))
    return numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)


def info(name: str, *shape: int | str, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: list[NodeProto],
    last: str,
    weights: list[TensorProto],
    shape: tuple[int | str, ...] = ("N", WIDTH),
) -> onnx.ModelProto:
    """Give a model from x to the sum of `last`, which is called loss."""
    nodes = [*nodes, node("ReduceSum", [last], ["loss"], keepdims=0)]
    graph = helper.make_graph(nodes, "large", [info("x", *shape)], [info("loss")], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def deep(count: int) -> onnx.ModelProto:
    """Residual layers, one after the other, each with weights of its own."""
    nodes, weights, h = [], [], "x"
    for k in range(count // 4):
        weights += [weight(f"w{k}", WIDTH, WIDTH), weight(f"b{k}", WIDTH)]
        nodes += [
            node("MatMul", [h, f"w{k}"], [f"product{k}"]),
            node("Add", [f"product{k}", f"b{k}"], [f"sum{k}"]),
            node("Tanh", [f"sum{k}"], [f"tanh{k}"]),
            node("Add", [f"tanh{k}", h], [f"h{k}"]),
        ]
        h = f"h{k}"
    return model(nodes, h, weights)


def wide(count: int) -> onnx.ModelProto:
    """Layers side by side, joined by one node that reads all of them."""
    nodes, weights, parts = [], [], []
    for k in range(count // 3):
        weights.append(weight(f"w{k}", WIDTH, WIDTH))
        nodes += [
            node("MatMul", ["x", f"w{k}"], [f"product{k}"]),
            node("Sigmoid", [f"product{k}"], [f"gate{k}"]),
            node("Mul", [f"product{k}", f"gate{k}"], [f"part{k}"]),
        ]
        parts.append(f"part{k}")
    return model([*nodes, node("Concat", parts, ["joined"], axis=1)], "joined", weights)


def convolutional(count: int) -> onnx.ModelProto:
    """A convolutional network: its gradients are composites, written by their bodies."""
    nodes, weights, h = [], [], "x"
    for k in range(count // 4):
        names = [f"{kind}{k}" for kind in ("scale", "bias", "mean", "variance")]
        weights += [weight(f"w{k}", 4, 4, 3, 3), *(weight(name, 4) for name in names)]
        nodes += [
            node("Conv", [h, f"w{k}"], [f"conv{k}"], pads=[1, 1, 1, 1]),
            node("BatchNormalization", [f"conv{k}", *names], [f"norm{k}"]),
            node("Relu", [f"norm{k}"], [f"relu{k}"]),
            node("Add", [f"relu{k}", h], [f"h{k}"]),
        ]
        h = f"h{k}"
    return model(nodes, h, weights, ("N", 4, 8, 8))


def repeated(count: int) -> onnx.ModelProto:
    """One node that reads one value again and again."""
    return model([node("Concat", ["x"] * count, ["joined"], axis=1)], "joined", [])


def copies(count: int) -> onnx.ModelProto:
    """Copies of one value that one node reads: all of them can be merged."""
    names = [f"copy{k}" for k in range(count)]
    nodes = [node("Identity", ["x"], [name]) for name in names]
    return model([*nodes, node("Sum", names, ["sum"])], "sum", [])


def parts(count: int) -> onnx.ModelProto:
    """A value that is split into many parts, each with a node of its own."""
    names = [f"part{k}" for k in range(count // 2)]
    sizes = numpy_helper.from_array(np.ones(len(names), np.int64), "sizes")
    nodes = [node("Split", ["x", "sizes"], names, axis=1)]
    nodes += [node("Tanh", [name], [f"{name}.tanh"]) for name in names]
    nodes.append(node("Sum", [f"{name}.tanh" for name in names], ["sum"]))
    return model(nodes, "sum", [sizes], ("N", len(names)))


def loop(count: int) -> onnx.ModelProto:
    """A loop with a large body, whose weights lie outside."""
    layers, state = range(count // 2), "state"
    inner = [node("Identity", ["going"], ["goes"])]
    for k in layers:
        inner += [
            node("MatMul", [state, f"w{k}"], [f"product{k}"]),
            node("Tanh", [f"product{k}"], [f"tanh{k}"]),
        ]
        state = f"tanh{k}"
    going = info("going", dtype=TensorProto.BOOL)
    body = helper.make_graph(
        inner,
        "body",
        [info("step", dtype=TensorProto.INT64), going, info("state", "N", WIDTH)],
        [info("goes", dtype=TensorProto.BOOL), info(state, "N", WIDTH)],
    )
    start = [
        numpy_helper.from_array(np.array(3), "trips"),
        numpy_helper.from_array(np.array(True), "go"),
    ]
    weights = [weight(f"w{k}", WIDTH, WIDTH) for k in layers]
    return model([node("Loop", ["trips", "go", "x"], ["y"], body=body)], "y", [*start, *weights])


def branches(count: int) -> onnx.ModelProto:
    """Branches, one after the other, each of which reads what lies around it."""
    nodes, weights, h = [], [numpy_helper.from_array(np.array(0, np.float32), "zero")], "x"
    for k in range(count // 5):
        weights.append(weight(f"w{k}", WIDTH, WIDTH))
        graphs = {}
        for name, inputs, op_type in (
            ("then_branch", [h, f"w{k}"], "MatMul"),
            ("else_branch", [h], "Tanh"),
        ):
            inner = node(op_type, inputs, [f"{name}{k}"])
            graphs[name] = helper.make_graph([inner], name, [], [info(f"{name}{k}", "N", WIDTH)])
        nodes += [
            node("ReduceSum", [h], [f"sum{k}"], keepdims=0),
            node("Greater", [f"sum{k}", "zero"], [f"positive{k}"]),
            node("If", [f"positive{k}"], [f"h{k}"], **graphs),
        ]
        h = f"h{k}"
    return model(nodes, h, weights)


KINDS: dict[str, Callable[[int], onnx.ModelProto]] = {
    f.__name__: f for f in (deep, wide, convolutional, repeated, copies, parts, loop, branches)
}


def write_heavy(folder: Path, size: int) -> Path:
    """Write a model whose weights, `size` bytes in 40 layers, lie in a file beside it."""
    layers = 40
    width = max(32, int((size / layers / 4) ** 0.5))
    block = np.random.default_rng(0).normal(0, width**-0.5, (width, width)).astype(np.float32)
    nodes, weights, h = [], [], "x"
    with (folder / "heavy.data").open("wb") as file:
        for k in range(layers):
            proto = TensorProto(name=f"w{k}", data_type=TensorProto.FLOAT, dims=block.shape)
            proto.data_location = TensorProto.EXTERNAL
            where = {"location": "heavy.data", "offset": file.tell(), "length": block.nbytes}
            for key, value in where.items():
                proto.external_data.add(key=key, value=str(value))
            file.write(block.data)
            weights.append(proto)
            nodes += [
                node("MatMul", [h, f"w{k}"], [f"product{k}"]),
                node("Tanh", [f"product{k}"], [f"h{k}"]),
            ]
            h = f"h{k}"
    path = folder / "heavy.onnx"
    path.write_bytes(model(nodes, h, weights, ("N", width)).SerializeToString())
    return path
