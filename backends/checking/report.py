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
    passed: bool | None
    """None where it is undecided: what it is compared with tells nothing there."""
    producer: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """Say in a word or two how it went; a note says more."""
        said = {True: "ok", False: "differs", None: "undecided"}[self.passed]
        return f"{said}: {self.note}" if self.note else said

    def __str__(self) -> str:
        by = f", which {self.producer} computes," if self.producer else ""
        note = f" ({self.note})" if self.note else ""
        return (
            f"'{self.value}'{by} differs between {self.of} and {self.against} "
            f"by {self.error:.2g}, allowed {self.tolerance:.2g}{note}"
        )


def undecided(value: str, why: str) -> Comparison:
    """Give the entry for a gradient that cannot be compared at all."""
    return Comparison(value, "gradient", "finite differences", math.nan, 0.0, None, "", why)


@dataclass(slots=True)
class Report:
    """The outcome of a check: falsy where something differs or failed, or nothing was decided.

    `first` is the first value in topological order at which backends part, where they do.
    """

    title: str
    comparisons: list[Comparison] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    first: Comparison | None = None

    def __bool__(self) -> bool:
        verdicts = [c.passed for c in self.comparisons]
        return True in verdicts and False not in verdicts and not self.failures

    @property
    def undecided(self) -> list[Comparison]:
        """The comparisons that tell nothing; their notes say why."""
        return [c for c in self.comparisons if c.passed is None]

    def to_json(self) -> str:
        """Give everything as JSON; errors that are not numbers and open verdicts are null."""
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
        elif len(self.undecided) == len(self.comparisons):
            lines.append("nothing was decided")
        return lines + self.notes

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("value", "of", "against", "error", "allowed", "", title=self.title)
        for c in self.comparisons:
            style = {True: "green", False: "bold red", None: "yellow"}[c.passed]
            mark = Text(c.verdict, style)
            error = "" if math.isnan(c.error) else f"{c.error:.2g}"
            allowed = f"{c.tolerance:.2g}"
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
