"""Draw a graph as an SVG picture: forward, derivative and update in colors of their own.

Which boxes there are is decided in outline.py; where they stand, by the library graphlay.
"""

from os import PathLike
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from onnxgrad.compiler.errors import BackendUnavailableError, GraphError
from onnxgrad.compiler.graph.arguments import require_count, require_graph
from onnxgrad.compiler.graph.ir import Graph

from ..files import as_path, replacing
from .dot import to_dot
from .outline import (
    DERIVATIVE,
    FORWARD,
    INPUT,
    OUTPUT,
    PHASES,
    UPDATE,
    Arrow,
    Box,
    Outline,
    outline,
)

LARGE = 120
"""Graphs of more operators than this are drawn by module."""

FILLS = {
    FORWARD: ("#dbeafe", "#2563eb"),
    DERIVATIVE: ("#ffedd5", "#c2410c"),
    UPDATE: ("#dcfce7", "#15803d"),
    INPUT: ("#f8fafc", "#475569"),
    OUTPUT: ("#f8fafc", "#475569"),
}
"""Fill and line color of each kind of box."""

FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
MARGIN, LEGEND_HEIGHT, HEIGHT, CORNER = 24.0, 56.0, 38.0, 6.0
TITLE_WIDTH, DETAIL_WIDTH = 8.6, 6.6
"""Width of a letter in a box's two lines of text."""


def draw(graph: Graph, path: str | PathLike[str] | None = None, most: int = LARGE) -> str:
    """Draw a graph; give the SVG text and write it where a path is given; DOT for a path in .dot.

    Boxes have tooltips: an operator's inputs, outputs and attributes, an arrow's values.

    Args:
        graph: any graph; the nodes of `grad`, `vjp`, `jvp` and `train_step` get their colors.
        path: the file to write.
        most: how many operators are drawn one by one; more are summarised by module.

    Raises:
        BackendUnavailableError: the layout library graphlay is missing.
        GraphError: the path's suffix is another than .svg or .dot.
        ModelFileError: the file cannot be written.
    """
    target = None if path is None else as_path(path)
    suffix = "" if target is None else target.suffix.lower()
    if suffix not in ("", ".svg", ".dot"):
        raise GraphError(
            f"a drawing is SVG or DOT, so it is not written as {target}; name it .svg or .dot"
        )
    shown = outline(require_graph(graph), require_count(most, "most"))
    text = to_dot(shown, FILLS) if suffix == ".dot" else render(shown)
    if target is not None:
        with replacing(target) as part:
            part.write_text(text, encoding="utf-8")
    return text


def render(shown: Outline) -> str:
    """Lay an outline out and write it as SVG."""
    placed = _lay_out(shown)
    low, high = placed.bounds["min"], placed.bounds["max"]
    width = max(high["x"] - low["x"] + 2 * MARGIN, 560.0)
    height = high["y"] - low["y"] + 2 * MARGIN + LEGEND_HEIGHT
    root = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
    )
    root.set("font-family", FONT)
    SubElement(root, "rect", width="100%", height="100%", fill="white")
    _legend(root, shown)
    x, y = MARGIN - low["x"], MARGIN + LEGEND_HEIGHT - low["y"]
    inner = SubElement(root, "g", transform=f"translate({x:.1f} {y:.1f})")
    for arrow, edge in zip(shown.arrows, placed.edges, strict=True):
        _arrow(inner, arrow, [(p["x"], p["y"]) for p in edge["points"]])
    for box, node in zip(shown.boxes, placed.nodes, strict=True):
        _box(inner, box, node["center"], node["size"])
    indent(root)
    return tostring(root, encoding="unicode")


def _lay_out(shown: Outline) -> Any:
    try:
        import graphlay  # an extra, for drawing only
    except ImportError:
        raise BackendUnavailableError(
            "drawing needs graphlay: pip install 'onnxgrad[draw]'"
        ) from None
    graph = graphlay.Graph()
    for k, box in enumerate(shown.boxes):
        graph.node(k, width=_width(box), height=HEIGHT)
    places = {box: k for k, box in enumerate(shown.boxes)}
    for arrow in shown.arrows:
        graph.edge(places[arrow.source], places[arrow.target])
    spacing = {"layer_gap": 30.0, "node_gap": 18.0, "dummy_gap": 10.0, "isolated_gap": 18.0}
    return graphlay.layout(graph, options={"direction": "topbottom", "spacing": spacing})


def _width(box: Box) -> float:
    return max(64.0, 20 + max(TITLE_WIDTH * len(box.title), DETAIL_WIDTH * len(box.detail)))


def _box(parent: Element, box: Box, center: dict[str, float], size: dict[str, float]) -> None:
    fill, line = FILLS[box.kind]
    group = SubElement(parent, "g")
    SubElement(group, "title").text = box.tooltip
    rect = SubElement(group, "rect", fill=fill, stroke=line)
    rect.set("stroke-width", "2" if len(box.nodes) > 1 else "1")
    round_ = HEIGHT / 2 if box.kind in (INPUT, OUTPUT) else CORNER
    left, top = center["x"] - size["width"] / 2, center["y"] - size["height"] / 2
    numbers = {"x": left, "y": top, "width": size["width"], "height": size["height"], "rx": round_}
    for key, number in numbers.items():
        rect.set(key, f"{number:.1f}")
    _text(group, box.title, center["x"], center["y"] - 3, 13, line, bold=True)
    _text(group, box.detail, center["x"], center["y"] + 12, 11, "#334155")


def _text(
    parent: Element, text: str, x: float, y: float, size: int, fill: str, bold: bool = False
) -> None:
    element = SubElement(parent, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=fill)
    element.set("font-size", str(size))
    element.set("text-anchor", "middle")
    if bold:
        element.set("font-weight", "600")
    element.text = text


def _arrow(parent: Element, arrow: Arrow, points: list[tuple[float, float]]) -> None:
    kind = arrow.target.kind if arrow.source.kind == INPUT else arrow.source.kind
    line = FILLS[kind][1]
    group = SubElement(parent, "g", fill="none", stroke=line, opacity="0.75")
    SubElement(group, "title").text = arrow.tooltip
    SubElement(group, "path", d=_rounded(points))
    (x0, y0), (x1, y1) = points[-2:]
    length = max(abs(x1 - x0) + abs(y1 - y0), 1e-6)
    dx, dy = 6 * (x1 - x0) / length, 6 * (y1 - y0) / length
    head = f"M {x1:.1f} {y1:.1f} l {-dx - dy / 2:.1f} {-dy + dx / 2:.1f}"
    head += f" l {dy:.1f} {-dx:.1f} z"
    SubElement(group, "path", d=head, fill=line, stroke="none")


def _rounded(points: list[tuple[float, float]]) -> str:
    """Write a polyline whose bends are rounded."""
    parts = [f"M {points[0][0]:.1f} {points[0][1]:.1f}"]
    for (ax, ay), (bx, by), (cx, cy) in zip(points, points[1:], points[2:], strict=False):
        before, after = abs(bx - ax) + abs(by - ay), abs(cx - bx) + abs(cy - by)
        radius = min(CORNER, before / 2, after / 2)
        s, t = radius / max(before, 1e-6), radius / max(after, 1e-6)
        start, end = (
            (bx + (ax - bx) * s, by + (ay - by) * s),
            (bx + (cx - bx) * t, by + (cy - by) * t),
        )
        parts.append(
            f"L {start[0]:.1f} {start[1]:.1f} Q {bx:.1f} {by:.1f} {end[0]:.1f} {end[1]:.1f}"
        )
    parts.append(f"L {points[-1][0]:.1f} {points[-1][1]:.1f}")
    return " ".join(parts)


def _legend(root: Element, shown: Outline) -> None:
    title = SubElement(root, "text", x=f"{MARGIN}", y="26", fill="#0f172a")
    title.set("font-size", "15")
    title.set("font-weight", "600")
    title.text = shown.name
    x = MARGIN
    for kind in PHASES:
        count = sum(len(b.nodes) for b in shown.boxes if b.kind == kind)
        if not count:
            continue
        fill, line = FILLS[kind]
        SubElement(
            root, "rect", x=f"{x}", y="38", width="14", height="14", rx="3", fill=fill, stroke=line
        )
        entry = SubElement(root, "text", x=f"{x + 20}", y="50", fill="#334155")
        entry.set("font-size", "12")
        entry.text = f"{kind}: {count} operators"
        x += 30 + DETAIL_WIDTH * len(entry.text) + 20
