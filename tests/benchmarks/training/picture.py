"""The picture of a report: how much faster, and with how much less memory, than torch eager."""

from pathlib import Path
from typing import Any

SHOWN = {
    "onnxruntime": ("onnxgrad: onnxruntime", "#2f7ed8", "o"),
    "openvino": ("onnxgrad: OpenVINO", "#17a398", "o"),
    "numpy": ("onnxgrad: NumPy", "#8a63d2", "o"),
    "numba": ("onnxgrad: numba", "#e0218a", "*"),
    "onnx-ad": ("onnx-ad: onnxruntime", "#9a7b6f", "v"),
    "torch.compile": ("torch.compile", "#e4572e", "D"),
    "channels_last": ("torch channels_last", "#f0a202", "D"),
    "jax.jit": ("jax.jit", "#6b8e23", "s"),
    "onnxsim": ("onnxsim: onnxruntime", "#c0569f", "^"),
}
"""Contenders in the picture, with color and mark; the exported file runs as onnxruntime does."""

INK = "#7f7f7f"
"""Seen on white and on black."""

SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "onnxgrad",
    "font.size": 11,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


def draw(report: Any, file: Path) -> None:
    """Draw time above memory, narrow enough for a phone; the page's color shows through."""
    from matplotlib import pyplot as plt

    panels = {"ms": "speed, torch eager = 1, more is better", "MB": "peak memory, torch eager = 1"}
    height = 1.7 + 0.62 * len(report["workloads"])
    with plt.rc_context(SETTINGS):
        figure, axes = plt.subplots(2, 1, figsize=(5, height), layout="constrained")
        for each, (key, title) in zip(axes, panels.items(), strict=True):
            _panel(each, report["workloads"], key, title)
        figure.legend(
            *axes[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=2,
            frameon=False,
            fontsize=10,
        )
        figure.savefig(file, transparent=True, metadata={"Date": None})
        plt.close(figure)


def _panel(axes: Any, workloads: Any, key: str, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for contender, (label, color, mark) in SHOWN.items():
        points = _points(workloads, contender, key)
        if points:
            axes.plot(*zip(*points, strict=True), mark, color=color, label=label, ms=6)
    axes.axvline(1, color=INK, lw=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    names = [found["title"].split(",")[0] for found in workloads.values()]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(color=INK, alpha=0.25, lw=0.6)
    axes.set_title(title, fontsize=11, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _points(workloads: Any, contender: str, key: str) -> list[tuple[float, int]]:
    """Give torch ÷ contender for times, contender ÷ torch for memory, by row."""
    points = []
    for row, measured in enumerate(workloads.values()):
        found = measured["contenders"]
        if key in found.get(contender, {}):
            ratio = found[contender][key] / found["torch"][key]
            points.append((1 / ratio if key == "ms" else ratio, row))
    return points
