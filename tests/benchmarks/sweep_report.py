"""What a sweep found and its scoreboard."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from sweep_slopes import Expected

Key = tuple[str, ...]
VERDICTS = ("right", "refused", "wrong", "failed", "not judged")
PENDING = "pending"


@dataclass(frozen=True)
class Outcome:
    """What became of one (case, input, output) in one form."""

    case: str
    operator: str
    input: str
    output: str
    form: str
    verdict: str  # one of VERDICTS; PENDING while a tool is at work
    detail: str = ""
    reason: str = ""  # why the point given has no usable differences
    tool: str = "onnxgrad"
    by: str = ""  # second order: the input, or the cotangent, that the gradient is taken by
    noise: float = 0
    flat: bool = False  # the true gradient is zero

    @property
    def is_pending(self) -> bool:
        """Tell whether a tool is at work."""
        return self.verdict == PENDING

    @property
    def key(self) -> Key:
        """Give what was judged, without what became of it."""
        return self.case, self.input, self.output, self.form, self.tool, self.by

    @property
    def slot(self) -> Key:
        return self.operator, self.input, self.output, self.by

    def killed(self, detail: str) -> "Outcome":
        """Give this outcome as failed, for it ended or stalled its process."""
        return self.judged("failed", detail)

    def judged(self, verdict: str, detail: str = "", by: Expected | None = None) -> "Outcome":
        """Give this outcome with a verdict."""
        noise, flat = (by.noise, not any(by.slopes)) if by else (0.0, False)
        return replace(self, verdict=verdict, detail=detail, noise=noise, flat=flat)


def scoreboard(outcomes: list[Outcome]) -> str:
    """Give a table in Markdown with a row for each tool.

    Clean: some outcome can be judged, and all that can are right. A slot (operator, input, output)
    is flat if its derivative is zero in every case.
    """
    lines = [
        "| | " + " | ".join(VERDICTS) + " | slots clean | … not flat | operators clean |",
        "|---" * (len(VERDICTS) + 4) + "|",
    ]
    sloping = {o.slot for o in outcomes if o.verdict != "not judged" and not o.flat}
    for tool in dict.fromkeys(o.tool for o in outcomes):
        found = [o for o in outcomes if o.tool == tool]
        counts = Counter(o.verdict for o in found)
        cells = [f"{counts[v]:,}" for v in VERDICTS]
        slots = _by(found, lambda o: o.slot)
        steep = {slot: verdicts for slot, verdicts in slots.items() if slot in sloping}
        for groups in (slots, steep, _by(found, lambda o: (o.operator,))):
            clean = sum(verdicts == {"right"} for verdicts in groups.values())
            cells.append(f"{clean} of {len(groups)}")
        lines.append(f"| {tool} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def print_points(outcomes: list[Outcome]) -> None:
    """Print how much is judged, and each (case, input, output) that cannot be, by reason."""
    pairs = {(o.case, o.input, o.output) for o in outcomes}
    print(f"{len({o.case for o in outcomes})} cases, {len(pairs)} (case, input → output)")
    for title, judged in (("no usable differences", False), ("judged beside the point", True)):
        reasons: dict[str, list[str]] = defaultdict(list)
        for o in outcomes:
            if o.reason and judged == (o.verdict != "not judged"):
                reasons[o.reason].append(f"{o.case} {o.input}→{o.output}")
        found = {reason: list(dict.fromkeys(slots)) for reason, slots in reasons.items()}
        print(f"{title}: {sum(map(len, found.values()))} (case, input → output)")
        for reason, slots in sorted(found.items()):
            print(f"  {reason} ({len(slots)})", *slots, sep="\n    ")


def print_unclean(outcomes: list[Outcome]) -> None:
    """Print each tool's slots where anything is not right."""
    for tool in dict.fromkeys(o.tool for o in outcomes):
        found = [o for o in outcomes if o.tool == tool]
        unclean = {s: v for s, v in _by(found, lambda o: o.slot).items() if v != {"right"}}
        print(f"{tool}: {len(unclean)} slots (operator, input, output) not clean")
        for slot, verdicts in sorted(unclean.items()):
            print("  ", *filter(None, slot), *sorted(verdicts))


def _by(outcomes: list[Outcome], group: Callable[[Outcome], Key]) -> dict[Key, set[str]]:
    """Give the verdicts of each group in which anything could be judged."""
    groups: dict[Key, set[str]] = defaultdict(set)
    for o in outcomes:
        if o.verdict != "not judged":
            groups[group(o)].add(o.verdict)
    return groups
