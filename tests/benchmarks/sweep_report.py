"""What a sweep found and its scoreboard."""

from collections import Counter, defaultdict
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What became of one (case, input, output) in one form."""

    case: str
    operator: str
    input: str
    output: str
    form: str
    verdict: str  # right, wrong, refused, failed, unusable
    detail: str = ""
    by: str = ""  # second order: the input, or the cotangent, that the gradient is taken by


def report(outcomes: list[Outcome]) -> None:
    """Print how many triples and slots are right, refused, wrong."""
    triples = Counter(o.verdict for o in outcomes)
    print("outcomes:", dict(triples))
    slots: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for o in outcomes:
        slots[o.operator, o.input, o.output, o.by].add(o.verdict)
    clean = [s for s, verdicts in slots.items() if verdicts <= {"right", "unusable"}]
    print(f"slots clean: {len(clean)} of {len(slots)}")
    for slot, verdicts in sorted(slots.items()):
        if not verdicts <= {"right", "unusable"}:
            print("  ", *filter(None, slot), sorted(verdicts))
