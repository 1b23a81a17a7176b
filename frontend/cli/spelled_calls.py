"""Read what an option names, perhaps with settings: adamw, or "adamw(weight_decay=0.1)"."""

import ast
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.names import suggestion

Settings = dict[str, Any]


def read_call(
    text: str, option: str, known: Mapping[str, Callable[..., Any]]
) -> tuple[Callable[..., Any], Settings]:
    """Find what a text names; its settings are numbers, texts, True, False, None or lists of them.

    Args:
        text: a name, or a call with keywords only.
        option: the option it stands behind, for errors.
        known: what may be named; case does not count.

    Raises:
        GraphError: the text is no such call, or names something else.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise _refusal(text, option, known) from None
    called = tree.func if isinstance(tree, ast.Call) else tree
    if not isinstance(called, ast.Name):
        raise _refusal(text, option, known)
    names = {name.lower(): name for name in known}
    if called.id.lower() not in names:
        raise GraphError(f"{option} has no '{called.id}'{suggestion(called.id, known)}")
    settings: Settings = {}
    if isinstance(tree, ast.Call):
        if tree.args or any(k.arg is None for k in tree.keywords):
            raise GraphError(f"{option}: settings go by name, as in {called.id}(name=value)")
        for keyword in tree.keywords:
            try:
                settings[str(keyword.arg)] = ast.literal_eval(keyword.value)
            except ValueError:
                raise GraphError(
                    f"{option}: {keyword.arg} must be a number, a text in quotes, True, False or "
                    f"a list, not {ast.unparse(keyword.value)}"
                ) from None
    return known[names[called.id.lower()]], settings


def call(function: Callable[..., Any], option: str, settings: Settings, *args: Any) -> Any:
    """Call what an option names.

    Raises:
        GraphError: it has no such setting, or one that it needs is not given.
    """
    known = list(signature(function).parameters.values())[len(args) :]
    names = [p.name for p in known]
    for name in settings:
        if name not in names:
            raise GraphError(f"{option} has no setting '{name}'{suggestion(name, names)}")
    needed = [p.name for p in known if p.default is Parameter.empty]
    if missing := [name for name in needed if name not in settings]:
        raise GraphError(f"{option} needs {', '.join(missing)}, as in name({missing[0]}=value)")
    return function(*args, **settings)


def _refusal(text: str, option: str, known: Mapping[str, Any]) -> GraphError:
    return GraphError(
        f"{option} wants a name, perhaps with settings, such as {next(iter(known))}(name=value), "
        f"not '{text}'"
    )
