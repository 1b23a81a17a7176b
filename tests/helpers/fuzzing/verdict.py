"""What a law says of a program."""

from dataclasses import dataclass

RIGHT = "right"
REFUSED = "refused"
UNDECIDED = "undecided"
WRONG = "wrong"
FAILED = "failed"
KILLED = "killed"

KINDS = (RIGHT, REFUSED, UNDECIDED, WRONG, FAILED, KILLED)
FAULTS = (WRONG, FAILED, KILLED)
"""What must not happen; of the refused the reasons are to be read."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of one law on one program.

    Attributes:
        detail: what differs, the reason of a refusal, or the exception and where it arose.
    """

    law: str
    seed: int
    kind: str
    detail: str = ""


class Wrong(Exception):
    """Two results differ that must not."""


class Undecided(Exception):
    """The numbers tell nothing here: a kink, or a runtime that lacks something."""
