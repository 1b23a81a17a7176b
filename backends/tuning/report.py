"""What tuning chose, and what it took; it times nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..checking.report import render

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for composites that are alike: their forms, and the seconds of each.

    `held` are the bytes that a form holds besides what it reads and gives. `refused` says why a
    form was not in question.
    """

    operator: str
    name: str
    sizes: str
    count: int
    usual: str
    form: str
    seconds: Mapping[str, float]
    held: Mapping[str, int]
    refused: Mapping[str, str]
    from_cache: bool


@dataclass(slots=True)
class Tuning:
    """What tuning did: a row for all composites that are alike, and how many seconds it took.

    `whole` holds the seconds of a run of the whole graph: with the usual forms, and with those that
    are faster alone, of all composites or of one operator. `left` are composites that could not be
    timed, and why: they have the usual form.
    """

    title: str
    backend: str
    rows: list[Chosen] = field(default_factory=list)
    whole: dict[str, float] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def changed(self) -> list[Chosen]:
        """The rows whose form is another one than without tuning."""
        return [row for row in self.rows if row.form != row.usual]

    def as_dict(self) -> dict[str, Any]:
        """Give everything as dicts and lists."""
        return asdict(self)

    def to_json(self) -> str:
        """Give everything as JSON."""
        return json.dumps(self.as_dict(), indent=2)

    def untimed(self) -> list[str]:
        """Give a line about what could not be timed, and why the first of it; none of nothing."""
        if not self.left:
            return []
        name, why = next(iter(self.left.items()))
        more = f" and {len(self.left) - 1} more" if len(self.left) > 1 else ""
        return [f"not timed, and left in the usual form: {name}{more}: {why}"]

    def summary(self) -> list[str]:
        """Give the lines under the table."""
        timed = sum(not row.from_cache for row in self.rows)
        lines = [
            f"{timed} timed in {self.seconds:.2g} s, {len(self.rows) - timed} from the cache; "
            f"{len(self.changed)} changed"
        ]
        if self.whole:
            each = ", ".join(f"{name} {s * 1e3:.3g}" for name, s in self.whole.items())
            lines.append(f"ms of the whole graph, by whose forms are others: {each}")
        if not self.rows and not self.left:
            lines = [f"nothing to choose: {self.backend} leaves no operator here to several forms"]
        lines += self.untimed()
        for row in self.rows:
            lines += [f"{row.name} not as {form}: {why}" for form, why in row.refused.items()]
        return lines

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("operator", "sizes", "count", "was", "is", "ms of each form",
                      title=self.title, title_justify="left")  # fmt: skip
        for row in self.rows:
            style = "green" if row.form != row.usual else ""
            each = ", ".join(f"{f} {s * 1e3:.3g}" for f, s in row.seconds.items())
            cells = [row.operator, row.sizes, str(row.count), row.usual]
            table.add_row(*map(Text, cells), Text(row.form, style), Text(each))
        lines = map(Text, self.summary())
        return Group(table, *lines) if self.rows else Group(Text(self.title), *lines)

    def __str__(self) -> str:
        return render(self)
