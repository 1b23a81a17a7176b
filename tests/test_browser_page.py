"""What the page in examples/browser loads; `make webcheck` drives the page itself."""

import json
from pathlib import Path

import numpy as np
from browser.__main__ import BATCH, STEPS, build, order

import onnxgrad as og


def test_a_page_can_write_weights_into_the_model(tmp_path: Path) -> None:
    build(tmp_path)
    about = json.loads((tmp_path / "page.json").read_text())
    content = bytearray((tmp_path / "model.onnx").read_bytes())
    start = og.load(tmp_path / "start.onnx")
    state = og.compile(start).run({})
    assert set(about["weights"]) == {n for n in state if n.endswith(("weight", "bias"))}
    for name, place in about["weights"].items():
        offset, size = place["offset"], place["bytes"]
        assert content[offset : offset + size] == state[name].tobytes()
        content[offset : offset + size] = (state[name] * 2 + 1).tobytes()
    changed = og.load(bytes(content))
    for name in about["weights"]:
        np.testing.assert_array_equal(changed.find(name).constant, state[name] * 2 + 1)
    predict = og.load(tmp_path / "predict.onnx")
    assert {v.name for v in predict.inputs} == {"image", *about["weights"]}


def test_each_step_has_a_batch_of_its_own() -> None:
    batches = order(1437)
    assert batches.shape == (STEPS, BATCH)
    assert len(set(batches[:44].ravel())) == 44 * BATCH
