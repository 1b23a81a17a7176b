"""The demo learns, writes its files and replays them with the same losses."""

from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest
from demo.__main__ import main


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = main(tmp_path / "out", epochs=2)
    assert accuracy > 0.9
    for name in ("sgd", "adam"):
        for kind in ("step", "start", "model"):
            model = onnx.load(tmp_path / "out" / f"{name}_{kind}.onnx")
            onnx.checker.check_model(model, full_check=True)
            assert {o.domain for o in model.opset_import} == {""}
    assert (tmp_path / "out" / "losses.png").read_bytes().startswith(b"\x89PNG")
    ElementTree.parse(tmp_path / "out" / "sgd_step.svg")
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines()]
    found = {row[1].strip(): float(row[5]) for row in rows if len(row) == 7}
    assert set(found) == {"sgd", "adam"} and max(found.values()) < 1e-5
