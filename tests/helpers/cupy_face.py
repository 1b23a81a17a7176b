"""What CuPy has, as fixtures/cupy_face/make.py wrote it down, and what kernels touch of it.

A kernel reaches CuPy by `xp.name(…)`, by `getattr(xp, name)` with a name from a table of its file,
and by methods of arrays. All three are read from the source.
"""

import ast
import json
from collections.abc import Iterator, Sequence
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FACE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "fixtures/cupy_face/face.json").read_text()
)
FUNCTIONS: dict[str, list[str] | None] = FACE["functions"]
UFUNCS = frozenset(FACE["ufuncs"])
CLASSES: dict[str, dict[str, list[str] | None]] = FACE["classes"]

CALLING_UFUNC = ["*args", "out=", "dtype=", "casting="]
"""What a ufunc takes: CuPy refuses any other keyword when it is called."""

GENERATORS = {"random.default_rng": "random.Generator", "random.RandomState": "random.RandomState"}
"""What gives a generator, and its class."""


class Touch(NamedTuple):
    """One use of something of CuPy's; `keywords` is None where it is not called."""

    name: str
    positional: int
    keywords: tuple[str, ...] | None
    line: int


@cache
def signature(parameters: tuple[str, ...]) -> Signature:
    """Make a signature of parameters as the table writes them."""
    made: list[Parameter] = []
    kind: Any = Parameter.POSITIONAL_OR_KEYWORD
    for text in parameters:
        name = text.strip("*=")
        if text.startswith("**"):
            made.append(Parameter(name, Parameter.VAR_KEYWORD))
        elif text.startswith("*"):
            kind = Parameter.KEYWORD_ONLY
            made += [Parameter(name, Parameter.VAR_POSITIONAL)] if name else []
        else:
            default = None if text.endswith("=") else Parameter.empty
            made.append(Parameter(name, kind, default=default))
    return Signature(made)


def parameters_of(name: str) -> Sequence[str] | None:
    """Give the parameters of a dotted name of CuPy, or of `ndarray.name`; None for a mere value.

    Raises:
        LookupError: CuPy has no such thing.
    """
    if name in UFUNCS:
        return CALLING_UFUNC
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    owner, _, last = name.rpartition(".")
    owner = "ufunc" if owner in UFUNCS else owner
    if last not in CLASSES.get(owner, {}):
        raise LookupError(f"CuPy has no {name}")
    return CLASSES[owner][last]


def why_not(touch: Touch) -> str | None:
    """Say why CuPy would refuse a use; None where it takes it."""
    try:
        parameters = parameters_of(touch.name)
        if touch.keywords is not None and parameters is not None:
            keywords = dict.fromkeys(touch.keywords)
            signature(tuple(parameters)).bind_partial(*[None] * touch.positional, **keywords)
    except (LookupError, TypeError) as error:
        return f"line {touch.line}: {touch.name}: {error}"
    return None


def touches(source: str) -> Iterator[Touch]:
    """List what a kernel's source touches of CuPy."""
    tree = ast.parse(source)
    called = {id(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
    longer = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if _is_dynamic(node):
            yield from _named(tree)
        if not isinstance(node, ast.Attribute) or (id(node) in longer and _path(node)):
            continue
        name = _path(node) or _of_result(node) or _of_array(node)
        if name and name != "__name__":
            call = called.get(id(node))
            arguments = [] if call is None else call.args
            starred = any(isinstance(a, ast.Starred) for a in arguments)
            yield Touch(
                name,
                0 if starred else len(arguments),
                None if call is None else tuple(k.arg for k in call.keywords if k.arg),
                node.lineno,
            )


def _path(node: ast.AST) -> str | None:
    """Give the dotted name after `xp.`."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return ".".join(names) if names and isinstance(node, ast.Name) and node.id == "xp" else None


def _of_result(node: ast.Attribute) -> str | None:
    """Give the method of a generator made in the same expression, or held in `generator`."""
    if isinstance(node.value, ast.Call):
        maker = _path(node.value.func)
        if maker in GENERATORS:
            return f"{GENERATORS[maker]}.{node.attr}"
    if isinstance(node.value, ast.Name) and node.value.id == "generator":
        return f"random.Generator.{node.attr}"
    return None


def _of_array(node: ast.Attribute) -> str | None:
    """Give what NumPy's arrays have: which objects are arrays no source tells."""
    known = hasattr(np.ndarray, node.attr) and not node.attr.startswith("_")
    return f"ndarray.{node.attr}" if known else None


def _is_dynamic(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id == "xp"
    )


def _named(tree: ast.AST) -> Iterator[Touch]:
    """Give every text of a file that names a function of NumPy's: `getattr` may look for it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if callable(getattr(np, node.value, None)):
                yield Touch(node.value, 0, None, node.lineno)
