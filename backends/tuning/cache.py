"""Winners kept on disk, a small file for each: many processes may read and write at once."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from typing import Any

_FORMAT = 1
"""Of an entry; another one is ignored and written anew."""


def default_folder() -> Path | None:
    """Give where users keep what can be made again; None where there is no home."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        root = given if given.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return root / "onnxgrad" / "forms"


class Cache:
    """Entries by key, in one folder; what cannot be read or written is told once, and left."""

    def __init__(self, folder: Path | None, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._warn = warn
        self._told: set[str] = set()

    def find(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the entry of a key; None where there is none that holds."""
        path = self._path(key)
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            return None  # it is not there, or cannot be written either, which is told then
        except ValueError:
            text = ""
        entry = _entry_in(text, key)
        if entry is None:
            self._tell("old", f"{path} is damaged or of another version: it is made anew")
        return entry

    def keep(self, key: Mapping[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
        """Write the entry of a key, whole or not at all; give the one that holds from now on.

        That is the one of another process that was faster, so that both make the same choice.
        """
        if (found := self.find(key)) is not None:
            return found
        self._write(self._path(key), key, entry)
        return entry

    def _write(self, path: Path | None, key: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        if path is None:
            self._tell("write", "there is no home to keep tuned forms in: they are timed each time")
            return
        content = json.dumps({"format": _FORMAT, "key": key, **entry}, indent=1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, part = mkstemp(dir=path.parent, prefix=f".{path.stem[:16]}.")
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    file.write(content)
                os.replace(part, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(part)
        except OSError as error:
            self._tell(
                "write",
                f"the cache {self._folder} cannot be written ({error.strerror}): forms are timed "
                "each time; set XDG_CACHE_HOME to a folder of yours",
            )

    def _path(self, key: Mapping[str, Any]) -> Path | None:
        name = sha256(_as_text(key).encode()).hexdigest()
        return None if self._folder is None else self._folder / f"{name}.json"

    def _tell(self, kind: str, message: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._warn(message)


def _as_text(key: Any) -> str:
    """Write a key so that what is read back, with lists for tuples, is written alike."""
    return json.dumps(key, sort_keys=True)


def _entry_in(text: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read an entry; None if it is not one of this key and format."""
    try:
        entry = json.loads(text)
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("format") != _FORMAT:
        return None
    if _as_text(entry.get("key")) != _as_text(key):
        return None
    seconds, held = entry.get("seconds"), entry.get("held")
    if not isinstance(seconds, dict) or not isinstance(held, dict):
        return None
    numbers = [*seconds.values(), *held.values()]
    if entry.get("form") not in seconds or seconds.keys() != held.keys():
        return None
    is_whole = isinstance(entry.get("refused"), dict)
    return entry if is_whole and all(isinstance(n, int | float) for n in numbers) else None
