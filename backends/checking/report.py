"""What a check found: true where all is well, and able to say what is not; it runs nothing."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value, computed in two ways."""

    value: str
    of: str
    """Whose result it is: a backend, or "gradient"."""
    against: str
    """What it is compared with: a backend, "float64" or "finite differences"."""
    error: float
    """Largest difference, relative to the largest magnitude."""
    tolerance: float
    passed: bool
    producer: str = ""
    note: str = ""

    def __str__(self) -> str:
        by = f", which {self.producer} computes," if self.producer else ""
        note = f" ({self.note})" if self.note else ""
        return (
            f"'{self.value}'{by} differs between {self.of} and {self.against} "
            f"by {self.error:.2g}, allowed {self.tolerance:.2g}{note}"
        )


@dataclass(slots=True)
class Report:
    """The outcome of a check: falsy where something differs or failed.

    `first` is the first value in topological order at which backends part, where they do.
    """

    title: str
    comparisons: list[Comparison] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    first: Comparison | None = None

    def __bool__(self) -> bool:
        compared = bool(self.comparisons) and all(c.passed for c in self.comparisons)
        return compared and not self.failures

    def to_json(self) -> str:
        """Give everything as JSON; an infinite or undefined error is null."""
        content = {"passed": bool(self), **asdict(self)}
        for entry in [*content["comparisons"], *filter(None, [content["first"]])]:
            entry["error"] = entry["error"] if math.isfinite(entry["error"]) else None
        return json.dumps(content, indent=2, allow_nan=False)

    def summary(self) -> list[str]:
        """Give the lines under the table: what parted, failed, or was left out."""
        lines = [f"first to differ: {self.first}"] if self.first is not None else []
        lines += [f"{name} failed: {why}" for name, why in self.failures.items()]
        lines += [f"{name} was not run: {why}" for name, why in self.unavailable.items()]
        if not self.comparisons:
            lines.append("nothing was compared")
        return lines + self.notes

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("value", "of", "against", "error", "allowed", "", title=self.title)
        for c in self.comparisons:
            mark = Text("ok", "green") if c.passed else Text(c.note or "differs", "bold red")
            error, allowed = f"{c.error:.2g}", f"{c.tolerance:.2g}"
            table.add_row(Text(c.value), c.of, c.against, error, allowed, mark)
        return Group(table, *(Text(line) for line in self.summary()))

    def __str__(self) -> str:
        return render(self)


def render(renderable: Any) -> str:
    """Give what rich would print, as plain text."""
    from rich.console import Console

    console = Console(width=100, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get().rstrip()
