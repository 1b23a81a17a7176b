"""The nine models inside the onnx package, as shipped: gradients by the image and every weight.

Each model's output is projected on a random cotangent; NumPy and onnxruntime, both in float32, must
agree with NumPy in float64 on the gradient by the image and by every float weight. A gradient is
"unsteady" where no digit of it agrees, but in float64 too it moves as far once each weight goes to
a neighbour of it in float32: no arithmetic in float32 can tell it. Models with such are counted
apart; any other difference fails. It also prints how many nodes the exported gradient of
light_resnet50 has.

Run: python tests/benchmarks/light_models.py [--only resnet50,vgg19]
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnx

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype

_SMOOTH = {"Relu": "Softplus", "MaxPool": "AveragePool"}

TOLERANCE = 1e-3
"""Relative to the array's largest gradient, or to the model's where one is only rounding noise."""

UNSTEADY = 100
"""Rounding happens in every operator, a move of the weights once: how much farther it may reach."""

NO_DIGIT = 10
"""How many times its size a gradient must be off to have no digit right; a wrong sign makes 2."""

Arrays = dict[str, np.ndarray]

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def weights(graph: og.Graph) -> list[str]:
    """List the float tensors a model holds: inputs, initializers, what ConstantOfShape makes."""
    made = [v for n in graph.nodes() if n.op_type == "ConstantOfShape" for v in n.writes()]
    held = [v for v in graph.values() if v.parameter]
    found = dict.fromkeys([*graph.inputs, *held, *made])
    return [v.name for v in found if v.dtype == np.float32]


def feeds_for(graph: og.Graph, seed: int = 0) -> Arrays:
    """Draw inputs: positive, as some of them are variances."""
    rng = np.random.default_rng(seed)
    return {
        v.name: rng.uniform(0.5, 1.5, [int(d) for d in v.shape or ()]).astype(v.dtype)
        for v in graph.inputs
        if v.constant is None
    }


def reached(graph: og.Graph, names: list[str]) -> list[str]:
    """Keep the names that the first output depends on."""
    upstream = graph.upstream(graph.outputs[:1])
    return [n for n in names if graph.find(n) in upstream]


def before_softmax(path: Path) -> onnx.ModelProto:
    """Give a model whose output is its Softmax's input, where it ends with one.

    As shipped all weights of a layer are equal, and so are all logits: before the Softmax every
    gradient is exactly zero, and what one measures there is the rounding noise of float32.
    """
    model = onnx.load(path)
    last = model.graph.node[-1]
    if last.op_type == "Softmax":
        model.graph.output[0].name = last.input[0]
        model.graph.output[0].type.tensor_type.ClearField("shape")
        model.graph.node.pop()
    return model


def with_weights(model: onnx.ModelProto, put: Callable[[np.ndarray], np.ndarray]) -> None:
    """Put other arrays in place of the weights that ConstantOfShape makes."""
    shapes = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        (number,) = (onnx.numpy_helper.to_array(a.t) for a in node.attribute)
        array = put(np.full(shapes[node.input[0]], number))
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)


def smooth_with_drawn_weights(path: Path) -> onnx.ModelProto:
    """Give a model with weights drawn at random, Softplus for Relu and AveragePool for MaxPool.

    With drawn weights rounding flips a few decisions of Relu and MaxPool, which changes single
    elements entirely; hence the smooth operators.
    """
    model = before_softmax(path)
    rng = np.random.default_rng(1)

    def drawn(old: np.ndarray) -> np.ndarray:
        if old.ndim > 1:
            array = rng.normal(size=old.shape) * np.sqrt(1 / np.prod(old.shape[1:]))
        else:
            array = rng.uniform(0.5, 1.5, old.shape)
        return array.astype(np.float32)

    for node in model.graph.node:
        node.op_type = _SMOOTH.get(node.op_type, node.op_type)
    with_weights(model, drawn)
    return model


def with_neighbours(path: Path) -> onnx.ModelProto:
    """Give a model whose weights are, up or down, the next numbers of float32."""
    rng = np.random.default_rng(2)

    def moved(old: np.ndarray) -> np.ndarray:
        if old.dtype != np.float32:
            return old
        return np.nextafter(old, rng.choice([-1, 1], old.shape).astype(np.float32) * np.inf)

    model = onnx.load(path)
    with_weights(model, moved)
    return model


def in_float64(graph: og.Graph, feeds: Arrays) -> Arrays:
    """Run a graph in float64."""
    wide = with_dtype(graph, np.dtype(np.float64))
    return og.compile(wide).run({k: a.astype(np.float64) for k, a in feeds.items()})


def check(
    model: Path | onnx.ModelProto, neighbours: Callable[[], onnx.ModelProto] | None = None
) -> tuple[str, str]:
    """Differentiate one model and compare the backends; give the verdict and what was found."""
    start = time.perf_counter()
    graph = og.load(model)
    (target,) = graph.outputs
    names = reached(graph, weights(graph))
    backward = og.vjp(graph, target.name, names)
    compile_time = time.perf_counter() - start
    feeds = feeds_for(backward)
    truth = in_float64(backward, feeds)

    @cache
    def moved() -> Arrays | None:
        if neighbours is None:
            return None
        return in_float64(og.vjp(og.load(neighbours()), target.name, names), feeds)

    sizes = {n: float(np.abs(truth[f"{n}.grad"]).max()) for n in names}
    scale = max(sizes.values())
    worst, where, verdict = 0.0, "", "ok"
    for backend in ("numpy", "onnxruntime"):
        results = og.compile(backward, backend).run(feeds)
        for name in names:
            gap = largest(results, truth, name)
            error = gap / (sizes[name] if sizes[name] > 1e-5 * scale else scale)
            worst, where = max((worst, where), (error, f"{name} on {backend}"))
            if not error < TOLERANCE and verdict != "WRONG":
                other = moved() if gap > NO_DIGIT * sizes[name] else None
                told = other is None or not gap < UNSTEADY * largest(other, truth, name)
                verdict = "WRONG" if told else "unsteady"
    nodes = len(og.to_onnx(backward).graph.node)
    return verdict, (
        f"{len(graph.nodes())} → {nodes} nodes, {len(names)} gradients, largest difference "
        f"{worst:.1e} ({where}), {compile_time:.1f} s to load and differentiate"
    )


def largest(results: Arrays, truth: Arrays, name: str) -> float:
    """Give the largest difference between two gradients."""
    return float(np.abs(results[f"{name}.grad"] - truth[f"{name}.grad"]).max())


def resnet_nodes() -> list[tuple[str, int]]:
    """Count the nodes of light_resnet50's exported gradient by image, Conv and Gemm weights…"""
    graph = og.load(FOLDER / "light_resnet50.onnx")
    image = graph.inputs[0].name
    counts = []
    chosen = [image]
    for title, wanted in [
        ("image, Conv and Gemm weights", {"Conv": [1], "Gemm": [1]}),
        ("BatchNormalization's scale and bias too", {"BatchNormalization": [1, 2]}),
    ]:
        for node in graph.nodes():
            for index in wanted.get(node.op_type, []):
                value = node.inputs[index]
                if value is not None and value.name not in chosen:
                    chosen.append(value.name)
        backward = og.vjp(graph, graph.outputs[0].name, chosen)
        counts.append((f"{title} ({len(chosen)})", len(og.to_onnx(backward).graph.node)))
    return counts


def main() -> int:
    """Check all models; exit 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="comma-separated parts of file names")
    options = parser.parse_args()
    parts = options.only.split(",") if options.only else [""]
    verdicts: Counter[str] = Counter()
    for path in [p for p in sorted(FOLDER.glob("*.onnx")) if any(s in p.name for s in parts)]:
        for title, verdict_of in (
            ("as shipped", partial(check, path, partial(with_neighbours, path))),
            ("smooth, weights drawn", partial(check, smooth_with_drawn_weights(path))),
        ):
            verdict, detail = verdict_of()
            verdicts[verdict] += 1
            print(f"{verdict:8} {path.stem}, {title}: {detail}", flush=True)
    apart = f", {verdicts['unsteady']} unsteady in float32" if verdicts["unsteady"] else ""
    print(f"{verdicts['ok']} of {verdicts.total()} right{apart}")
    for title, count in resnet_nodes():
        print(f"light_resnet50 by {title}: {count} nodes exported")
    return int(verdicts["WRONG"] > 0)


if __name__ == "__main__":
    sys.exit(main())
