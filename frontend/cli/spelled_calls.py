"""Read what an option names, perhaps with settings: adamw, or "adamw(weight_decay=0.1)"."""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

from onnxgrad.compiler.errors import GraphError, OnnxgradError
from onnxgrad.compiler.graph.names import suggestion

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Spelling:
    """What an option may name.

    Args:
        option: the option, for errors.
        known: functions by name; case does not count.
        skipped: how many parameters of a function come from elsewhere, the first ones.
        defaults: settings of functions that have them, where the text does not give them.
    """

    option: str
    known: Mapping[str, Function]
    skipped: int = 0
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def read(self, text: str) -> tuple[Function, dict[str, Any]]:
        """Give the function that a text names and its settings.

        Settings are numbers, texts, True, False, None, lists of them, or calls again.

        Raises:
            GraphError: the text is not such a call, or names what is not known.
        """
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            raise self._refusal(text) from None
        return self._call(tree, self.skipped)

    def make(self, text: str) -> Any:
        """Give what the function gives that a text names.

        Raises:
            GraphError: as `read`, or the function refuses its settings.
        """
        return self._made(*self.read(text))

    def _made(self, function: Function, settings: Mapping[str, Any]) -> Any:
        try:
            return function(**settings)
        except OnnxgradError as error:
            if str(error).startswith(f"{self.option}: "):
                raise  # of a call inside
            said = f"{self.option}: {function.__name__}: {error}"
            words = re.findall(r"\w+", str(error))
            for name, value in settings.items():
                if name in words and self.defaults.get(name) is value:
                    said += f"; this run has {name}={value}"
            raise GraphError(said) from error

    def _call(self, tree: ast.AST, skipped: int) -> tuple[Function, dict[str, Any]]:
        called = tree.func if isinstance(tree, ast.Call) else tree
        if not isinstance(called, ast.Name):
            raise self._refusal(ast.unparse(tree))
        names = {name.lower(): name for name in self.known}
        if called.id.lower() not in names:
            raise GraphError(f"{self.option} has no '{called.id}'{suggestion(called.id, names)}")
        function = self.known[names[called.id.lower()]]
        parameters = list(signature(function).parameters.values())[skipped:]
        settings = {p.name: self.defaults[p.name] for p in parameters if p.name in self.defaults}
        if isinstance(tree, ast.Call):
            settings |= self._settings(tree, called.id, [p.name for p in parameters])
        needed = [p.name for p in parameters if p.default is Parameter.empty]
        if missing := [name for name in needed if name not in settings]:
            raise GraphError(
                f"{self.option}: {called.id} needs {', '.join(missing)}, as in "
                f"'{called.id}({', '.join(f'{name}=…' for name in needed)})'"
            )
        return function, settings

    def _settings(self, tree: ast.Call, name: str, known: list[str]) -> dict[str, Any]:
        given = list(zip(known, tree.args, strict=False))
        given += [(str(k.arg), k.value) for k in tree.keywords]
        for setting, _ in given:
            if setting not in known:
                close = suggestion(setting, known)
                raise GraphError(f"{self.option}: {name} has no setting '{setting}'{close}")
        if len(tree.args) > len(known) or len({n for n, _ in given}) < len(given):
            raise GraphError(f"{self.option}: {name} has too many settings in {ast.unparse(tree)}")
        return {setting: self._value(setting, value) for setting, value in given}

    def _value(self, name: str, tree: ast.AST) -> Any:
        if isinstance(tree, ast.Name | ast.Call):
            return self._made(*self._call(tree, 0))
        try:
            return ast.literal_eval(tree)
        except ValueError:
            raise GraphError(
                f"{self.option}: {name} must be a number, a text in quotes, True, False, None or a "
                f"list, not {ast.unparse(tree)}"
            ) from None

    def _refusal(self, text: str) -> GraphError:
        return GraphError(
            f"{self.option} wants a name, perhaps with settings, such as "
            f"'{next(iter(self.known))}(name=value)', not '{text}'"
        )
