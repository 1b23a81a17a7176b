"""Time grows with a file's size and not with its square, whatever the file looks like."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from large_files import KINDS

import onnxgrad as og
from onnxgrad.weights.roles import Roles, held_floats


def seconds(model: onnx.ModelProto, folder: Path) -> float:
    """Load, differentiate by all there is, optimise, prepare for NumPy and save."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    start = time.process_time()
    graph = og.load(path)
    wrt = [v.name for v in graph.values() if v.parameter and v.rank]
    gradient = og.vjp(graph, "loss", [*wrt, "x"])
    og.optimize(gradient)
    og.compile(gradient)
    og.save(gradient, folder / "gradient.onnx")
    return time.process_time() - start


@pytest.mark.parametrize("kind", KINDS)
def test_eight_times_the_nodes_do_not_take_much_more_than_eight_times_as_long(
    kind: str, tmp_path: Path
) -> None:
    seconds(KINDS[kind](100), tmp_path)  # what loads when it is first used
    assert grows_evenly(lambda count: seconds(KINDS[kind](count), tmp_path), 200)


def grows_evenly(seconds: Callable[[int], float], count: int) -> bool:
    """Tell whether eight times as many take less than 24 times as long, in one of three tries.

    Quadratic growth would be 64 times. A busy machine can double a time, or treble one of them, so
    neither 8 times nor each try is asked.
    """
    tries = ((min(seconds(count) for _ in range(2)), seconds(8 * count)) for _ in range(3))
    return any(large < 3 * 8 * small for small, large in tries)


def layers(count: int) -> og.Graph:
    """A chain of products, each with a weight and a bias of its own and a scale that all share."""
    b = og.Builder("layers")
    h, scale = b.input("x", "float32", ("N", 4)), b.parameter("scale", np.ones(4, np.float32))
    for k in range(count):
        w = b.parameter(f"w{k}", np.eye(4, dtype=np.float32))
        h = b.op.LayerNormalization(h @ w + b.parameter(f"c{k}", np.zeros(4, np.float32)), scale)
    b.output(h, "y")
    return b.build()


def tuning_seconds(count: int) -> float:
    """Look what trains, split what was merged, put adapters beside weights and merge them."""
    graph = layers(count)
    start = time.process_time()
    roles = Roles(graph)
    for value in held_floats(graph):
        roles.of(value)
        roles.path_of(value)
    og.untie(graph)
    og.merge_lora(og.lora(graph, "w*", rank=2))
    return time.process_time() - start


def test_tuning_grows_with_the_layers() -> None:
    tuning_seconds(20)
    assert grows_evenly(tuning_seconds, 60)
