"""README tells the truth: its snippets run, and what it names or links is there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from snippets import run_snippets

import onnxgrad as og

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def test_snippets_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_snippets(README)
    *lines, losses = capsys.readouterr().out.splitlines()
    assert lines == ["(16, 3)", "['loss', 'logits', 'x.grad', 'w1.grad']"]
    first, last = map(float, losses.split())
    assert last < first / 10
    assert (tmp_path / "step.svg").exists()
    label = np.array([0, 2])
    np.savez(tmp_path / "train.npz", x=np.ones((2, 4), np.float32), label=label)
    for line in re.findall(r"^    onnxgrad (.*)$", README.read_text(), re.M):
        run(*shlex.split(line))
    before, after = (og.load(f"{name}.onnx").find("w2").constant for name in ("model", "tuned"))
    assert before is not None and after is not None and not np.array_equal(before, after)


def test_paths_exist() -> None:
    named = re.findall(
        r"\b(?:compiler|backends|frontend|tests|examples)/[\w./-]*", README.read_text()
    )
    assert named and [p for p in named if not (ROOT / p).exists()] == []


def test_every_page_is_linked() -> None:
    linked = set(re.findall(r"\]\((examples/docs/pages/[^)#]+)\)", README.read_text()))
    assert [p for p in linked if not (ROOT / p).exists()] == []
    jobs = {p.relative_to(ROOT).as_posix() for p in (ROOT / "examples/docs/pages/jobs").iterdir()}
    assert jobs - linked == {"examples/docs/pages/jobs/index.md"}
