"""200 steps of the demo's network by every way to take them: the same losses from one start."""

from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
from demo.network import batches, build_network, load_digits, steps_per_epoch

import onnxgrad as og

STEPS, BATCH = 200, 16


def test_all_ways_give_the_same_losses(tmp_path: Path) -> None:
    digits = load_digits()
    epochs = STEPS // steps_per_epoch(digits) + 1
    whole = islice(batches(digits, epochs), STEPS)
    taken = [{name: array[:BATCH] for name, array in feeds.items()} for feeds in whole]
    step = og.train_step(build_network(), optimizer=og.optim.SGD(0.02, momentum=0.9))
    loop = og.train_loop(step, steps=STEPS)
    found = {}
    for backend in ("numpy", "onnxruntime"):
        stepper = og.compile(step, backend).stepper()
        found[backend] = np.array([stepper.run(feeds)["loss"] for feeds in taken])
    data = {name: np.concatenate([feeds[name] for feeds in taken]) for name in taken[0]}
    data["rows"] = np.arange(STEPS * BATCH).reshape(STEPS, BATCH)
    found["numpy, loop"] = og.compile(loop).stepper().run(data)["loss"]
    for graph, name in ((step, "step"), (loop, "loop"), (og.start_graph(step), "start")):
        og.save(graph, tmp_path / f"{name}.onnx")
    start, one, many = (
        onnxruntime.InferenceSession(tmp_path / f"{n}.onnx") for n in ("start", "step", "loop")
    )
    names = [v.name for v in start.get_outputs()]
    first = dict(zip(names, start.run(None, {}), strict=True))
    (found["saved loop"],) = many.run(["loss"], data | first)
    losses, state = [], first
    for feeds in taken:
        loss, *after = one.run(["loss", *(f"{n}.new" for n in names)], feeds | state)
        state = dict(zip(names, after, strict=True))
        losses.append(loss)
    found["saved step"] = np.array(losses)
    for curve in found.values():
        np.testing.assert_allclose(curve, found["numpy"], atol=1e-5, rtol=0)
    np.testing.assert_array_equal(found["numpy, loop"], found["numpy"])
    np.testing.assert_array_equal(found["saved loop"], found["saved step"])
    assert found["numpy"][-20:].mean() < 0.3 * found["numpy"][0]
