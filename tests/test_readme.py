"""README tells the truth: its snippets run, its paths exist, the public face is all there."""

import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from snippets import run_snippets

import onnxgrad as og
from onnxgrad.compiler.differentiation import rules
from onnxgrad.compiler.emission.ops import Ops

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_snippets_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_snippets(ROOT / "README.md")
    assert capsys.readouterr().out == "(16, 3)\n['loss', 'logits', 'x.grad', 'w1.grad']\n"
    assert (tmp_path / "step.svg").exists()


def test_paths_exist() -> None:
    named = re.findall(r"\b(?:compiler|backends|frontend|tests|examples)/[\w./]*", README)
    assert named and [p for p in named if not (ROOT / p).exists()] == []


def test_the_price_of_an_operator_is_a_rule_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.partition("### The price of an operator")[2].partition("\n## ")[0]
    rule, row = (dedent(text) for text in re.findall(r"\n\n((?:    .*\n)+)", section))
    assert rule in (ROOT / "compiler/gradients/activations.py").read_text()
    assert row.strip() in (ROOT / "tests/helpers/op_samples/activations.py").read_text()
    monkeypatch.delitem(rules.RULES, ("", "Softsign"))
    exec(rule, {**vars(rules), "Ops": Ops, "Node": og.Node, "Value": og.Value})
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    b.output(b.op.ReduceSum(b.op.Softsign(x), keepdims=0), "y")
    array = np.array([-2.0, 0.5, 4.0])
    found = og.compile(og.grad(b.build(), "y", "x")).run({"x": array})["x.grad"]
    np.testing.assert_allclose(found, 1 / (1 + np.abs(array)) ** 2)


def test_the_whole_public_face_is_named() -> None:
    assert [name for name in og.__all__ if not re.search(rf"\b{name}\b", README)] == []
