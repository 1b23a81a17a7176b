"""Changes of element type."""

import numpy as np

from ..operator import Operator, Unsuitable, draw_also, register
from ..program import Array
from ..scope import Scope


def _draw_cast(s: Scope) -> None:
    """Change the precision of floats."""
    x = s.pick()
    others = [name for name in s.drawn.profile.dtypes if name != s.dtype(x)]
    to = s.choice(others)
    s.call("Cast", [x], dtype=to, to=to)


def _draw_cast_like(s: Scope) -> None:
    x, like = s.pick(), s.pick()
    if s.dtype(x) == s.dtype(like) and s.chance(0.8):
        raise Unsuitable("the same element type")
    s.call("CastLike", [x, like], dtype=s.dtype(like))


def _draw_float_of_whole(s: Scope) -> None:
    """Make floats of whole numbers and truths."""
    x = s.pick(s.choice(["i", "b"]), where=lambda a: np.abs(a.astype("f8")).max(initial=0) < 9)
    to = s.drawn.profile.dtypes[0]
    s.call("Cast", [x], dtype=to, to=to)


def _draw_whole_of_float(s: Scope) -> None:
    """Make truths of floats; whole numbers by way of Floor."""
    x = s.pick()
    if s.chance(0.5):
        s.call("Cast", [x], dtype="bool", to="bool")
    else:
        (whole,) = s.call("Floor", [x])
        s.call("Cast", [whole], dtype="int64", to="int64")


def _cast(x: Array, to: str) -> Array:
    if to == "bool":
        return x != 0
    return x.astype(to if to == "int64" else np.float64)


def _distance(x: Array, to: str) -> Array:
    return np.abs(x) if to == "bool" and x.dtype.kind == "f" else np.ones(())


register(
    Operator("Cast", _draw_cast, _cast, _distance, weight=2.0),
    Operator("CastLike", _draw_cast_like, lambda x, like: x, weight=0.5),
)
draw_also("Cast", _draw_float_of_whole, 0.6)
draw_also("Cast", _draw_whole_of_float, 0.2)
