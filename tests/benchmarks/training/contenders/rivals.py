"""What onnx-ad or onnxsim makes of our forward model, its gradients run by onnxruntime.

The model's weights are inputs, all shapes are static. Tried in turn are the model at opset 18 and
at 17, as it is and with the bodies inlined that the standard has. NumPy updates the weights.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from onnx.helper import make_tensor_value_info
from rival_runs import inlined
from workload import Arrays, Job

import onnxgrad as og

from . import Started
from .ours import model

Derived = tuple[Any, dict[str, str], Arrays]
"""A model, the names of its gradients, and what else it is fed."""


def start(job: Job, tool: str) -> Started:
    """Give the step of the first form of the model that a tool takes."""
    if job.work.optimizer != "SGD":
        raise NotImplementedError("it gives gradients only")
    names = list(job.weights) if job.work.by == "weights" else ["x"]
    reasons = []
    for forward in _forms(job):
        try:
            return _started(job, _TOOLS[tool](forward, names))
        except Exception as error:  # whatever the tool, or onnxruntime of what it wrote, raises
            reasons.append(f"{type(error).__name__}: {error}")
    raise NotImplementedError(reasons[-1])


def _forms(job: Job) -> Iterator[Any]:
    graph = model(job)
    if job.work.by == "x":
        graph = og.vmap(graph, size=len(job.data["x"]))
    for opset in (18, 17):
        written = onnx.shape_inference.infer_shapes(og.to_onnx(graph, opset))
        yield _with_weights_fed(written, job)
        yield _with_weights_fed(onnx.shape_inference.infer_shapes(inlined(written)), job)


def _with_weights_fed(written: Any, job: Job) -> Any:
    """Make inputs of the weights."""
    graph = written.graph
    fed = [t for t in graph.initializer if t.name in job.weights]
    kept = [t for t in graph.initializer if t.name not in job.weights]
    graph.input.extend(make_tensor_value_info(t.name, t.data_type, t.dims) for t in fed)
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return written


def _by_onnx_ad(forward: Any, names: list[str]) -> Derived:
    import onnx_ad  # pyright: ignore[reportMissingImports]  # `make bench` installs it

    found = onnx_ad.reverse(forward, names, ["loss"], prefix="adj_", layout="onnx")
    seed = np.ones([*_shape(forward.graph.output[0]), 1], np.float32)
    return found, {name: f"adj_{name}" for name in names}, {"adj_loss": seed}


def _by_onnxsim(forward: Any, names: list[str]) -> Derived:
    from onnxsim import graph_grad, qat_graph  # pyright: ignore[reportMissingImports]

    graph = forward.graph
    builder = qat_graph.GraphBuilder(prefix="onnxsim_")
    constants = [n for n in graph.node if n.op_type == "Constant"]
    for node in constants:  # it looks for constants among the initializers
        (value,) = (onnx.helper.get_attribute_value(a) for a in node.attribute)
        value.name = node.output[0]
        graph.initializer.append(value)
        graph.node.remove(node)
    builder.initializer = list(graph.initializer)
    shapes = {v.name: _shape(v) for v in [*graph.value_info, *graph.input, *graph.output]}
    shapes |= {t.name: tuple(t.dims) for t in graph.initializer}
    nodes = list(graph.node)
    found = graph_grad.build_backward(builder, nodes, shapes, {"loss": "seed"}, names)
    graph.input.append(make_tensor_value_info("seed", onnx.TensorProto.FLOAT, shapes["loss"]))
    graph.node.extend(builder.nodes)
    graph.output.extend(
        make_tensor_value_info(found[name], onnx.TensorProto.FLOAT, shapes[name]) for name in names
    )
    del graph.initializer[:]
    graph.initializer.extend(builder.initializer)
    forward.functions.extend(builder.functions)
    forward.opset_import.extend(
        onnx.helper.make_opsetid(domain, 1) for domain in {f.domain for f in builder.functions}
    )
    whole = onnx.inliner.inline_local_functions(forward)
    return whole, found, {"seed": np.ones(shapes["loss"], np.float32)}


_TOOLS: dict[str, Callable[[Any, list[str]], Derived]] = {
    "onnx-ad": _by_onnx_ad,
    "onnxsim": _by_onnxsim,
}


def _started(job: Job, derived: Derived) -> Started:
    written, gradients, seeds = derived
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    session: Any = onnxruntime.InferenceSession(
        written.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    weights = {name: array.copy() for name, array in job.weights.items()}
    feeds = {**job.data, **weights, **seeds}
    last: Arrays = {}

    def step() -> float:
        loss, *found = session.run(["loss", *gradients.values()], feeds)
        for name, slope in zip(gradients, found, strict=True):
            slope = slope.reshape(feeds[name].shape)  # onnx-ad's has an axis of one seed
            if job.work.by == "weights":
                weights[name] -= job.work.rate * slope
            else:
                last[name] = slope
        return float(np.sum(loss))

    step()
    for name, array in job.weights.items():
        weights[name][...] = array
    return step, lambda: weights if job.work.by == "weights" else last


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
