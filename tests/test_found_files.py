"""A few models as onnxruntime's own tools write them; `make found` tries all with every tool."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from converted_files import optimized
from judged_files import judge

import onnxgrad as og
from onnxgrad.backends import onnxruntime_sessions

FOLDER = Path(__file__).parent / "fixtures" / "torch_models"

FOUND = [
    ("bert", "optimized"),
    ("llama", "optimized"),
    ("mobilenet", "optimized"),
    ("gpt_tied", "optimized"),
    ("encoder", "dynamic, optimized"),
    ("lstm", "dynamic"),
    ("resnet", "QDQ, optimized"),
    ("resnet_old", "QOperator"),
    ("vit", "4 bits, optimized"),
    ("bert", "float16, optimized"),
    ("gru", "float16"),
]


def arrays(name: str, kind: str) -> dict[str, Any]:
    with np.load(FOLDER / f"{name}.npz") as held:
        return {k.partition("/")[2]: held[k] for k in held if k.startswith(f"{kind}/")}


@pytest.mark.filterwarnings("ignore")  # of the tools
@pytest.mark.parametrize(("name", "tool"), FOUND, ids=[" ".join(f) for f in FOUND])
def test_a_file_gives_what_stock_onnxruntime_gives(name: str, tool: str, tmp_path: Path) -> None:
    given = (arrays(name, kind) for kind in ("input", "cotangent", "grad"))
    verdict = judge(FOLDER / f"{name}.onnx", tmp_path / "made.onnx", tool, *given)
    assert not (verdict.made or verdict.runs or verdict.refused)
    assert not verdict.wrong
    assert verdict.outputs


def test_onnxruntime_gets_its_own_operators_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    opened = onnxruntime_sessions.open_session

    def spy(model: Any, *others: Any, **settings: Any) -> Any:
        written.append(model)
        return opened(model, *others, **settings)

    monkeypatch.setattr(onnxruntime_sessions, "open_session", spy)
    path = tmp_path / "optimized.onnx"
    optimized(FOLDER / "bert.onnx", path, {})
    graph = og.load(path)
    og.compile(graph, "onnxruntime")
    kept = {n.op_type for n in written[0].graph.node if n.domain == "com.microsoft"}
    assert {"SkipLayerNormalization", "BiasGelu"} & kept
    plain = og.to_onnx(graph)
    assert not [n for n in plain.graph.node if n.domain]
