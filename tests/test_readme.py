"""README tells the truth: its snippets run, its paths exist, the public face is all there."""

import re
from pathlib import Path

import pytest

import onnxgrad as og

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_snippets_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    snippets = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), names)
    assert len(snippets) >= 5
    assert capsys.readouterr().out == "(16, 3)\n['loss', 'logits', 'x.grad', 'w1.grad']\n"
    assert (tmp_path / "step.svg").exists()


def test_paths_exist() -> None:
    named = re.findall(r"\b(?:compiler|backends|frontend|tests|examples)/[\w./]*", README)
    assert named and [p for p in named if not (ROOT / p).exists()] == []


def test_the_whole_public_face_is_named() -> None:
    assert [name for name in og.__all__ if not re.search(rf"\b{name}\b", README)] == []
