"""The pages of examples/docs tell the truth: their blocks run, their paths and names exist."""

import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import typer
from snippets import run_snippets, snippets

import onnxgrad as og
from onnxgrad.cli import app
from onnxgrad.compiler.differentiation import rules
from onnxgrad.compiler.emission.ops import Ops

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "examples/docs/pages"
ALL = sorted(PAGES.rglob("*.md"))
WITH_CODE = [page for page in ALL if snippets(page)]
NEEDS = {"torch.md": "torch", "jax.md": "jax", "casadi.md": "casadi"}
"""Pages about programs that the tests do not install; `make bridges` does, and runs them."""


def name_of(page: Path) -> str:
    return page.relative_to(PAGES).as_posix()


@pytest.mark.filterwarnings(
    "ignore:.*torch.jit.script.*:DeprecationWarning",
    "ignore:::torch",
    "ignore:::copyreg",
    r"ignore:os\.fork\(\) was called:RuntimeWarning",  # JAX, which the page on it has loaded
    "ignore:You are using the legacy:DeprecationWarning",
)
@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_blocks_run_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # of forms that are tuned
    run_snippets(page)


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_paths_exist(page: Path) -> None:
    named = re.findall(
        r"(?<![\w/[-])(?:compiler|backends|frontend|tests|examples)/[\w./]*", page.read_text()
    )
    assert [p for p in named if not (ROOT / p.rstrip(".")).exists()] == []


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_commands_have_the_options(page: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    text = page.read_text().replace("\\\n", " ")
    for name, arguments in re.findall(r"(?:^    |`|-m )onnxgrad (\w+) ([^`\n]*)", text, re.M):
        taken = {option for parameter in commands[name].params for option in parameter.opts}
        used = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", arguments.partition("#")[0]))
        assert used - taken - {"--help"} == set(), name


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_targets_of_make_exist(page: Path) -> None:
    named = set(re.findall(r"`make (\w+)|^(?:    |## )make (\w+)", page.read_text(), re.M))
    there = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert {first or second for first, second in named} <= there


def test_the_stepper_has_the_methods() -> None:
    script = (ROOT / "examples/browser/page/stepper.js").read_text()
    named = set(re.findall(r"[sS]tepper\.(?!js)(\w+)", (PAGES / "jobs/browser.md").read_text()))
    assert "step" in named
    assert {n for n in named if not re.search(rf"^  (?:\w+ )*{n}\(", script, re.M)} == set()


def test_the_reference_holds_the_whole_public_face() -> None:
    text = "".join(page.read_text() for page in (PAGES / "reference").glob("*.md"))
    asked = set(re.findall(r"^::: onnxgrad\.([\w.]+)$", text, re.M))
    wanted = {*og.__all__, *(f"optim.{name}" for name in og.optim.__all__)} - {"optim"}
    assert wanted - asked == set()


def test_the_public_face_at_a_glance_names_all() -> None:
    text = (PAGES / "reference/index.md").read_text()
    assert [name for name in og.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_the_price_of_an_operator_is_a_rule_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (PAGES / "design.md").read_text()
    section = text.partition("## The price of an operator")[2].partition("\n## ")[0]
    rule, row = (dedent(block) for block in re.findall(r"\n\n((?:    .*\n)+)", section))
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


def test_every_page_is_in_the_navigation() -> None:
    settings = (PAGES.parent / "mkdocs.yml").read_text()
    named = set(re.findall(r"[\w/-]+\.md$", settings, re.M))
    assert named == {name_of(page) for page in PAGES.rglob("*.md")}
