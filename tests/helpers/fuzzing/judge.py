"""Try one law on one program, in this process."""

import traceback
import warnings
from collections.abc import Callable

import onnxgrad as og

from .case import Case
from .generator import draw_program
from .laws import LAWS
from .laws.backends import LACKS
from .program import Program
from .verdict import FAILED, REFUSED, RIGHT, UNDECIDED, WRONG, Undecided, Verdict, Wrong

NOT_RUN = "the graph does not run on these arrays"
"""How a backend refuses what it is fed: programs are fed what they take."""


def draw(letter: str, seed: int) -> Program:
    """Give the program that a law is tried on at a seed."""
    law = LAWS[letter]
    return law.prepare(draw_program(seed, law.profile(seed)))


def judge(
    letter: str,
    program: Program,
    stage: Callable[[str], None] = lambda text: None,
    stock: bool = True,
) -> Verdict:
    """Try a law on a program; see `Case` for the arguments."""
    kind, detail = RIGHT, ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            LAWS[letter].check(Case(program, stage, stock))
        except Wrong as found:
            kind, detail = WRONG, str(found)
        except Undecided as found:
            kind, detail = UNDECIDED, str(found)
        except og.OnnxgradError as error:
            is_refusal = NOT_RUN not in str(error) or any(t in str(error) for t in LACKS)
            kind = REFUSED if is_refusal else FAILED
            detail = f"{type(error).__name__}: {error}"
        except Exception as error:
            kind, detail = FAILED, f"{type(error).__name__}: {error} ({_place(error)})"
    return Verdict(letter, program.seed, kind, detail)


def _place(error: BaseException) -> str:
    """Say where an exception arose."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "site-packages" not in f.filename] or list(frames)
    last = ours[-1]
    return f"{'/'.join(last.filename.split('/')[-2:])}:{last.lineno} {last.name}"
