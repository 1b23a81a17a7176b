"""Write an outline in Graphviz's language, for its tools and others; it lays nothing out."""

from .outline import INPUT, OUTPUT, Outline


def to_dot(shown: Outline, colours: dict[str, tuple[str, str]]) -> str:
    """Write a drawing as DOT: a digraph whose boxes have the colours of the SVG.

    Args:
        shown: boxes and arrows.
        colours: fill and line of each kind of box.
    """
    lines = [
        f"digraph {_quoted(shown.name)} {{",
        '  node [shape=box, style="rounded,filled", fontname="DejaVu Sans"];',
    ]
    places = {box: f"n{k}" for k, box in enumerate(shown.boxes)}
    for box, name in places.items():
        fill, line = colours[box.kind]
        label = f"{box.title}\n{box.detail}" if box.detail else box.title
        shape = ", shape=ellipse" if box.kind in (INPUT, OUTPUT) else ""
        lines.append(
            f"  {name} [label={_quoted(label)}, tooltip={_quoted(box.tooltip)}, "
            f"fillcolor={_quoted(fill)}, color={_quoted(line)}{shape}];"
        )
    for arrow in shown.arrows:
        ends = f"{places[arrow.source]} -> {places[arrow.target]}"
        lines.append(f"  {ends} [tooltip={_quoted(arrow.tooltip)}];")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
