"""Plot the demo's losses; it computes none."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

COLORS = ("#2563eb", "#c2410c")


def plot(curves: Mapping[str, tuple[list[float], list[float]]], path: Path) -> None:
    """Write a picture of the losses of each optimizer, ours and replayed."""
    from matplotlib.figure import Figure  # an extra, for the demo only

    figure = Figure(figsize=(9, 4), layout="constrained")
    losses, differences = figure.subplots(1, 2)
    for (name, (ours, replayed)), color in zip(curves.items(), COLORS, strict=True):
        losses.plot(ours, color=color, lw=1.2, label=f"{name}, onnxgrad on NumPy")
        losses.plot(replayed, "o", color=color, ms=4, mfc="none", markevery=8, label="replayed")
        gap = np.abs(np.subtract(ours, replayed))
        differences.plot(gap, ".", color=color, label=name)
    losses.set(title="loss", xlabel="step", yscale="log")
    differences.set(title="difference from the replay", xlabel="step", ylim=(0, None))
    for axes in (losses, differences):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
