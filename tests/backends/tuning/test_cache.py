"""Winners on disk: kept whole, read by many, never a reason to fail."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from onnxgrad.backends.tuning import Cache, default_folder

KEY = {"operator": "ConvWeightGrad", "inputs": ["float32[2, 3]"]}
ENTRY: dict[str, Any] = {
    "form": "taps",
    "seconds": {"taps": 0.5, "rows": 0.75},
    "held": {"taps": 0, "rows": 8},
    "refused": {},
}


def make(folder: Path | None) -> tuple[Cache, list[str]]:
    told: list[str] = []
    return Cache(folder, told.append), told


def test_what_is_kept_is_found_by_its_key_alone(tmp_path: Path) -> None:
    cache, told = make(tmp_path / "a" / "b")
    assert cache.find(KEY) is None
    cache.keep(KEY, ENTRY)
    again, _ = make(tmp_path / "a" / "b")
    found = again.find(KEY)
    assert found is not None and {k: found[k] for k in ENTRY} == ENTRY
    assert again.find({**KEY, "version": "2"}) is None
    assert told == []


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"format": 1', '"format": 0'),
        lambda text: text.replace('"form": "taps"', '"form": "gone"'),
        lambda text: text.replace("0.5", '"soon"'),
        lambda text: text.replace("ConvWeightGrad", "ConvInputGrad"),
    ],
)
def test_a_damaged_or_old_entry_is_told_once_and_made_anew(tmp_path: Path, change: Any) -> None:
    make(tmp_path)[0].keep(KEY, ENTRY)
    (path,) = tmp_path.iterdir()
    path.write_text(change(path.read_text()))
    cache, told = make(tmp_path)
    assert cache.find(KEY) is None and cache.find(KEY) is None
    assert len(told) == 1 and "damaged or of another version: it is made anew" in told[0]
    cache.keep(KEY, ENTRY)
    assert cache.find(KEY) is not None


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    make(tmp_path)[0].keep(KEY, ENTRY)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"\xff\xfe\x00")
    cache, told = make(tmp_path)
    assert cache.find(KEY) is None and "damaged" in told[0]


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache, told = make(tmp_path / "file" / "forms")
    for _ in range(2):
        cache.keep(KEY, ENTRY)
    written = [text for text in told if "cannot be written" in text]
    assert len(written) == 1 and "set XDG_CACHE_HOME" in written[0]
    cache, told = make(None)
    for _ in range(2):
        cache.keep(KEY, ENTRY)
        assert cache.find(KEY) is None
    assert len(told) == 1


def test_who_comes_second_takes_what_stands(tmp_path: Path) -> None:
    first, second = make(tmp_path)[0], make(tmp_path)[0]
    assert first.keep(KEY, ENTRY) == ENTRY
    assert second.keep(KEY, {**ENTRY, "form": "rows"})["form"] == "taps"
    found = second.find(KEY)
    assert found is not None and found["form"] == "taps"


def test_many_write_and_read_at_once(tmp_path: Path) -> None:
    def work(k: int) -> list[str]:
        cache, told = make(tmp_path)
        for _ in range(20):
            cache.keep(KEY, {**ENTRY, "seconds": {"taps": float(k), "rows": 9.0}})
            found = cache.find(KEY)
            assert found is not None and found["seconds"]["taps"] in range(4)
        return told

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[]] * 4
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())["form"] == "taps"


def test_the_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "onnxgrad" / "forms"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the standard says to ignore
    assert default_folder() == Path.home() / ".cache" / "onnxgrad" / "forms"
