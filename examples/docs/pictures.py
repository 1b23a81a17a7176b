"""Draw the pictures of the pages; run it again after a change.

Run: python examples/docs/pictures.py. The SVG files go into pages as they are, so that the colors
of style/site.css, light or dark, are theirs.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

SIZE = 36
"""Width and height of a cell."""

STRIDE, KERNEL, INPUTS, OUTPUTS = 2, 3, 8, 3
"""The convolution that is drawn: no padding, no dilation; the last input is never reached."""

DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Picture:
    """Lines, cells and words; `svg` gives them as one element."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [
            f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
        ]

    def cell(self, x: float, y: float, text: str, kind: str = "") -> None:
        """Draw a square with a symbol; its kind is the color."""
        self.parts.append(
            f'<rect class="cell {kind}" x="{x}" y="{y}" width="{SIZE}" height="{SIZE}" rx="4"/>'
        )
        self.text(x + SIZE / 2, y + SIZE / 2 + 5, text, f"symbol {kind}")

    def cells(self, x: float, y: float, symbols: Sequence[str], kind: str = "") -> None:
        """Draw a row of cells; "" leaves a gap."""
        for k, symbol in enumerate(symbols):
            if symbol:
                self.cell(x + k * SIZE, y, symbol, "faint" if symbol == "0" else kind)

    def box(self, x: float, y: float, width: float, lines: Sequence[str], kind: str = "") -> None:
        """Draw a box with words: the first line bold, the others below it."""
        height = 24 + 18 * len(lines)
        self.parts.append(
            f'<rect class="cell {kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
        )
        for k, line in enumerate(lines):
            self.text(x + width / 2, y + 26 + 18 * k, line, "word" if k else f"head {kind}")

    def text(
        self, x: float, y: float, text: str, kind: str = "word", anchor: str = "middle"
    ) -> None:
        """Write words."""
        self.parts.append(
            f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def line(self, x: float, y: float, to_x: float, to_y: float, kind: str = "") -> None:
        """Draw a line."""
        self.parts.append(f'<line class="edge {kind}" x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"/>')

    def arrow(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Draw an arrow, level or downward."""
        self.line(x, y, to_x, to_y)
        level = abs(to_y - y) < abs(to_x - x)
        tip = [(-8, -4), (-8, 4)] if level else [(-4, -8), (4, -8)]
        points = " ".join(f"{to_x + dx},{to_y + dy}" for dx, dy in [(0, 0), *tip])
        self.parts.append(f'<polygon class="tip" points="{points}"/>')

    def svg(self) -> str:
        """Give the whole element."""
        return "\n".join([*self.parts, "</svg>"]) + "\n"


def symbols(letter: str, count: int) -> list[str]:
    """x₀, x₁, …"""
    return [f"{letter}{k}".translate(DIGITS) for k in range(count)]


WRITTEN = (
    ("gradient.onnx", "x.grad, w.grad"),
    ("step.onnx", "forward, backward, update"),
    ("hvp.onnx", "Hessian times a vector"),
)


def files() -> Picture:
    """What goes in and what comes out."""
    p = Picture(800, 230, "A model file goes in; a gradient, a training step or more comes out")
    p.box(10, 78, 150, ["model.onnx", "any opset"], "there")
    p.arrow(160, 108, 226, 108)
    p.box(228, 78, 130, ["onnxgrad", "graph → graph"])
    for k, (name, what) in enumerate(WRITTEN):
        y = 6 + 72 * k
        p.line(358, 108, 392, y + 30)
        p.arrow(392, y + 30, 420, y + 30)
        p.box(422, y, 190, [name, what], "added")
        p.line(612, y + 30, 640, 108)
    p.arrow(640, 108, 668, 108)
    p.box(670, 60, 120, ["any runtime", "onnxruntime", "browser, phone", "NumPy, CuPy"])
    return p


def files_narrow() -> Picture:
    """The same for a phone, from top to bottom."""
    p = Picture(320, 478, "A model file goes in; a gradient, a training step or more comes out")
    p.box(85, 4, 150, ["model.onnx", "any opset"], "there")
    p.arrow(160, 64, 160, 90)
    p.box(85, 92, 150, ["onnxgrad", "graph → graph"])
    p.arrow(160, 152, 160, 178)
    for k, (name, what) in enumerate(WRITTEN):
        p.box(65, 180 + 66 * k, 190, [name, what], "added")
    p.arrow(160, 372, 160, 398)
    p.box(40, 400, 240, ["any runtime", "onnxruntime, browser, NumPy, CuPy"])
    return p


def forward() -> Picture:
    """Y[i] = Σ X[s·i + k]·W[k]"""
    p = Picture(360, 218, "A convolution: each output reads a window of the input")
    left, top, below = 46, 34, 150
    p.text(left - 16, top + 23, "X", "head", "end")
    p.text(left - 16, below + 23, "Y", "head", "end")
    for i in range(OUTPUTS):
        center = left + SIZE * (STRIDE * i + 1.5)
        for k in range(KERNEL):
            p.line(left + SIZE * (STRIDE * i + k + 0.5), top + SIZE, center, below)
            p.text(center + (k - 1) * 21, top + SIZE + 40, symbols("w", KERNEL)[k], "weight")
        p.cell(center - SIZE / 2, below, symbols("y", OUTPUTS)[i], "there")
    p.cells(left, top, symbols("x", INPUTS - 1))
    p.cell(left + SIZE * (INPUTS - 1), top, symbols("x", INPUTS)[-1], "faint")
    p.text(left + SIZE * (INPUTS - 0.5), top - 10, "never reached", "word faint")
    p.text(left + SIZE * 4, 210, "stride s = 2, kernel of 3, no padding")
    return p


def by_weight() -> Picture:
    """∂L/∂W[k] = Σ G[i]·X[k + s·i]"""
    p = Picture(
        640, 262, "The weight gradient: the gradient lies on the input, s apart, and slides"
    )
    left, g = 70, symbols("g", OUTPUTS)
    for k in range(KERNEL + 1):
        y, cropped = 12 + 60 * k, k == KERNEL
        p.text(left - 18, y + 23, f"k = {k}", "word faint" if cropped else "word", "end")
        p.cells(left, y, symbols("x", INPUTS), "faint")
        for i in range(OUTPUTS):
            at = left + SIZE * (k + STRIDE * i)
            p.cell(at, y, f"x{k + STRIDE * i}".translate(DIGITS), "faint" if cropped else "there")
            kind = "faint" if cropped else "added"
            p.text(at + SIZE / 2, y + SIZE + 14, f"· {g[i]}", f"symbol small {kind}")
        end = left + SIZE * INPUTS + 18
        p.text(end, y + 23, "added up =", "word faint" if cropped else "word", "start")
        if cropped:
            p.text(end + 84, y + 23, "no such element, cropped", "word faint", "start")
        else:
            p.cell(end + 84, y, f"w{k}′".translate(DIGITS), "added")
    return p


def swapped() -> Picture:
    """Batch and channels change places, stride and dilation, too."""
    p = Picture(760, 214, "Batch and channel axes are swapped before and after the convolution")
    p.box(10, 8, 150, ["X", "batch, c, length"], "there")
    p.arrow(160, 38, 214, 38)
    p.box(216, 8, 160, ["image", "c, batch, length"], "there")
    p.box(10, 132, 150, ["G", "batch, o, positions"], "added")
    p.arrow(160, 162, 214, 162)
    p.box(216, 132, 160, ["kernel", "o, batch, positions"], "added")
    p.text(187, 28, "swap")
    p.text(187, 152, "swap")
    p.line(376, 38, 404, 96)
    p.line(376, 162, 404, 104)
    p.box(404, 61, 152, ["convolution", "stride d", "dilation s"])
    p.arrow(556, 100, 598, 100)
    p.text(577, 90, "swap")
    p.box(600, 70, 150, ["weight gradient", "o, c, kernel"], "added")
    return p


def stuffed() -> Picture:
    """The input gradient as a convolution of the gradient with zeros between its elements."""
    p = Picture(500, 288, "The input gradient: zeros go between and around the gradient")
    left, top, below = 46, 40, 218
    g, w, edge = symbols("g", OUTPUTS), symbols("w", KERNEL)[::-1], KERNEL - 1
    inside = [s for symbol in g for s in (symbol, *["0"] * (STRIDE - 1))][: 1 - STRIDE or None]
    row = ["0"] * edge + inside + ["0"] * edge
    p.text(left - 16, top + 23, "G′", "head", "end")
    p.cells(left, top, row, "added")
    p.text(left + SIZE * len(row) / 2, top - 12, "s − 1 zeros between, K′ − 1 zeros on both sides")
    for j, y in ((0, top + 50), (3, top + 96)):
        p.cells(left + SIZE * j, y, w, "there")
        p.text(left + SIZE * (j + KERNEL) + 12, y + 23, f"gives j = {j}", "word", "start")
        p.arrow(left + SIZE * (j + 1.5), y + SIZE, left + SIZE * (j + 1.5), below - 2)
    p.text(left - 16, top + 73, "W′", "head", "end")
    p.text(left - 16, below + 23, "X′", "head", "end")
    count = len(row) - KERNEL + 1
    start = left + SIZE
    p.cells(start, below, [f"x{j}′".translate(DIGITS) for j in range(count)], "added")
    p.cell(start + SIZE * count, below, "0", "faint")
    p.text(start + SIZE * (count + 1) + 12, below + 23, "never reached", "word faint", "start")
    p.text(left + SIZE * 4.5, below + 62, "the kernel is turned around and moves by 1")
    return p


def transposed() -> Picture:
    """The input gradient as what ConvTranspose does: each element throws a kernel."""
    p = Picture(
        460, 258, "A transposed convolution: each element of the gradient lays down a kernel"
    )
    left, g, w = 150, symbols("g", OUTPUTS), symbols("w", KERNEL)
    for i in range(OUTPUTS):
        y = 10 + 52 * i
        p.cell(40, y, g[i], "added")
        p.text(40 + SIZE + 16, y + 23, "·")
        p.arrow(40 + SIZE + 30, y + SIZE / 2, left + SIZE * STRIDE * i - 6, y + SIZE / 2)
        p.cells(left + SIZE * STRIDE * i, y, w, "there")
    y = 10 + 52 * OUTPUTS + 10
    p.line(left, y, left + SIZE * INPUTS, y)
    p.text(left - 16, y + 35, "X′", "head", "end")
    p.cells(left, y + 12, [f"x{j}′".translate(DIGITS) for j in range(INPUTS - 1)], "added")
    p.cell(left + SIZE * (INPUTS - 1), y + 12, "0", "faint")
    p.text(left + SIZE * 3, y + 72, "columns are added up; output_padding restores the last")
    return p


def main() -> None:
    """Write them all."""
    folder = Path(__file__).parent / "pictures"
    for draw in (files, files_narrow, forward, by_weight, swapped, stuffed, transposed):
        (folder / f"{draw.__name__}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
