"""Drawings: every operator stands there in its phase's colour, large graphs by module or block."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest

import onnxgrad as og
from onnxgrad.drawing.outline import outline
from onnxgrad.drawing.pictures import FILLS

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
SVG = "{http://www.w3.org/2000/svg}"


def chain(length: int, name: str = "block{0}/act{1}") -> og.Graph:
    """Tanh after Tanh, ten to a block, each block with a connection around it."""
    b = og.Builder("chain & <co>")
    y = b.input("x", "float32", ("N", 3)) * b.parameter("scale", np.ones(3, np.float32))
    for k in range(length // 10):
        start = y
        for j in range(9):
            y = b.op.Tanh(y, name=name.format(k, j))
        y = b.op.Add(y, start, name=name.format(k, 9))
    b.output(b.op.ReduceSum(y, keepdims=0), "loss")
    return b.build()


def texts(svg: str) -> list[str]:
    return [t.text or "" for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def fills(svg: str) -> list[str]:
    return [r.attrib["fill"] for r in ElementTree.fromstring(svg).iter(f"{SVG}rect")]


def test_every_operator_is_drawn_in_its_colour() -> None:
    step = og.train_step(og.grad(chain(10), "loss", "x"), optimizer=og.optim.SGD(0.1))
    svg = og.draw(step)
    legend = {t.split(":")[0]: int(t.split()[1]) for t in texts(svg) if t.endswith("operators")}
    assert set(legend) == {"forward", "derivative", "update"}
    for kind, count in legend.items():
        assert fills(svg).count(FILLS[kind][0]) == count + 1  # and the square in the legend
    assert legend["forward"] == len(chain(10).nodes())
    for name in ("x", "loss", "x.grad", "scale.new"):
        assert name in texts(svg)
    assert "chain & <co>" in texts(svg)


def test_tooltips_tell_types_and_attributes() -> None:
    svg = og.draw(chain(10))
    tooltips = [t.text or "" for t in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    assert any("→ loss: float32[]" in t and "keepdims = 0" in t for t in tooltips)
    assert "x: float32[N, 3]" in tooltips


def test_a_path_is_written(tmp_path: Path) -> None:
    svg = og.draw(chain(10), tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == svg


def test_many_operators_are_summarised_by_module() -> None:
    graph = og.grad(chain(200), "loss", "x")
    shown = outline(graph, 120)
    titles = [b.title for b in shown.boxes]
    assert len(titles) <= 66
    assert titles.count("block7") == 2  # the block and its derivative
    drawn = [n for b in shown.boxes for n in b.nodes]
    assert len(drawn) == len(set(drawn)) > 400


def test_names_without_modules_are_cut_between_blocks() -> None:
    shown = outline(chain(500, name="t"), 120)
    sizes = [len(b.nodes) for b in shown.boxes if b.nodes]
    assert max(sizes) <= 12 and len(sizes) <= 60
    assert all((b.source.kind, b.target.kind) for b in shown.arrows)
    assert len(shown.arrows) == len(shown.boxes) - 1  # blocks hang together by one value each


@pytest.mark.parametrize(
    ("name", "image"),
    [("resnet50", "gpu_0/data_0"), ("densenet121", "data_0"), ("inception_v2", "data_0")],
)
def test_models_inside_onnx_are_drawn_without_their_weights(name: str, image: str) -> None:
    graph = og.load(LIGHT / f"light_{name}.onnx")
    shown = outline(graph, 120)
    assert [b.title for b in shown.boxes if b.kind == "input"] == [image]
    assert not any(n.op_type == "ConstantOfShape" for b in shown.boxes for n in b.nodes)
    assert len(shown.boxes) <= 70
    ElementTree.fromstring(og.draw(graph))


def test_dot_has_the_same_boxes(tmp_path: Path) -> None:
    """Graphviz's language, without graphlay: a node for each box, an arrow for each edge."""
    b = og.Builder('a "net"')
    x = b.input("x", "float32", (2,))
    b.output(b.op.Tanh(x) * x, "y")
    text = og.draw(b.build(), tmp_path / "net.dot")
    assert (tmp_path / "net.dot").read_text() == text
    assert text.startswith('digraph "a \\"net\\"" {') and text.endswith("}\n")
    assert text.count("[label=") == 4 and text.count(" -> ") == 4
    assert 'label="Tanh' in text and text.count("shape=ellipse") == 2
