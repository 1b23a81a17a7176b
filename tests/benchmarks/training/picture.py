"""The picture of a report: how much faster, and with how much less memory, than torch eager."""

from pathlib import Path
from typing import Any

SHOWN = {
    "onnxruntime": ("onnxgrad on onnxruntime", "#2f7ed8", "o"),
    "openvino": ("onnxgrad on OpenVINO", "#17a398", "o"),
    "numpy": ("onnxgrad on NumPy", "#8a63d2", "o"),
    "torch.compile": ("torch.compile", "#e4572e", "D"),
    "channels_last": ("torch, channels_last", "#f0a202", "D"),
    "jax.jit": ("jax.jit", "#6b8e23", "s"),
    "onnx-ad": ("onnx-ad on onnxruntime", "#9a7b6f", "v"),
    "onnxsim": ("onnxsim on onnxruntime", "#c0569f", "^"),
}
"""Contenders in the picture, with color and mark; the exported file runs as onnxruntime does."""

INK = "#7f7f7f"
"""Seen on white and on black."""


def draw(report: Any, file: Path) -> None:
    """Draw time above memory, narrow enough for a phone; the page's color shows through."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    names = list(report["workloads"])
    settings: Any = {
        "svg.fonttype": "none", "font.size": 11, "text.color": INK, "axes.edgecolor": INK,
        "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "svg.hashsalt": "onnxgrad",
    }  # fmt: skip
    with plt.rc_context(settings):
        figure, panels = plt.subplots(2, 1, figsize=(5, 1.6 + 0.72 * len(names)))
        titles = ("times as fast as torch eager", "of its memory at the peak")
        for axes, title, key in zip(panels, titles, ("ms", "MB"), strict=True):
            for contender, (label, color, mark) in SHOWN.items():
                points = _points(report, names, contender, key)
                if points:
                    axes.plot(*zip(*points, strict=True), mark, color=color, label=label, ms=6)
            axes.axvline(1, color=INK, lw=1)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_yticks(range(len(names)), names)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.grid(color=INK, alpha=0.25, lw=0.6)
            axes.set_title(title, fontsize=11, loc="left")
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_xticks([0.25, 0.5, 1, 2, 4, 8])
        panels[1].set_xticks([0.25, 0.5, 1, 2])
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
        figure.tight_layout()
        figure.savefig(file, transparent=True, metadata={"Date": None})
        plt.close(figure)


def _points(report: Any, names: list[str], contender: str, key: str) -> list[tuple[float, int]]:
    """Give torch ÷ contender for times, contender ÷ torch for memory, by row."""
    points = []
    for row, name in enumerate(names):
        found = report["workloads"][name]["contenders"]
        if key in found.get(contender, {}):
            ratio = found[contender][key] / found["torch"][key]
            points.append((1 / ratio if key == "ms" else ratio, row))
    return points
