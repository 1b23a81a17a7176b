"""Time grows with a file's size and not with its square, whatever the file looks like."""

import time
from pathlib import Path

import onnx
import pytest
from large_files import KINDS

import onnxgrad as og


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
    small = min(seconds(KINDS[kind](200), tmp_path) for _ in range(2))
    large = seconds(KINDS[kind](1600), tmp_path)
    # quadratic growth would be 64 times; a busy machine can double a time, so 8 times is not asked
    assert large < 3 * 8 * small
