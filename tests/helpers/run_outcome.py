"""What became of one run of a sample, as `isolated` wants to be told."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

_PENDING = "pending"


@dataclass(frozen=True)
class RunOutcome:
    """A verdict; who judges adds the fields that say what was run."""

    verdict: str = field(default=_PENDING, kw_only=True)
    detail: str = field(default="", kw_only=True)

    @property
    def is_pending(self) -> bool:
        return self.verdict == _PENDING

    @property
    def key(self) -> tuple[Any, ...]:
        told = ("verdict", "detail")
        return tuple(getattr(self, f.name) for f in fields(self) if f.name not in told)

    def judged(self, verdict: str, detail: str = "") -> Self:
        return replace(self, verdict=verdict, detail=detail)

    def killed(self, detail: str) -> Self:
        """Give this outcome as that of a run that ended or stalled its process."""
        return self.judged("kills", detail)
