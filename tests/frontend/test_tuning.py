"""tune=True of compile and save: what it refuses, and that a choice can be made again."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "onnxgrad" / "forms"


def gradient(batch: int | str = 2) -> og.Graph:
    b = og.Builder("net")
    x, w = b.input("x", "float32", (batch, 3, 5, 5)), b.input("w", "float32", (4, 3, 3, 3))
    b.output(b.op.Relu(b.op.Conv(x, w)), "y")
    return og.vjp(b.build(), "y", "w")


def feeds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = {"x": (2, 3, 5, 5), "w": (4, 3, 3, 3), "y.grad": (2, 4, 3, 3)}
    return {name: rng.standard_normal(size, dtype=np.float32) for name, size in sizes.items()}


def test_a_tuned_graph_gives_the_same_and_tells_what_was_chosen(own_cache: Path) -> None:
    f = og.compile(gradient(), "onnxruntime", tune=True, threads=1)
    assert f.tuning is not None
    assert {row.operator for row in f.tuning.rows} == {"ConvWeightGrad", "ReluGrad"}
    assert "of net on onnxruntime" in str(f.tuning) and '"rows"' in f.tuning.to_json()
    assert len(list(own_cache.iterdir())) in (2, 3)  # the whole, too, where a form changes
    expected = og.compile(gradient()).run(feeds())
    for name, actual in f.run(feeds()).items():
        np.testing.assert_allclose(actual, expected[name], rtol=1e-4, atol=1e-5)
    again = og.compile(gradient(), "onnxruntime", tune=True, threads=1)
    assert again.tuning is not None and all(row.from_cache for row in again.tuning.rows)
    assert og.compile(gradient(), "onnxruntime").tuning is None


def test_a_tuned_file_is_written_again_from_the_cache(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.onnx" for k in range(2)]
    for path in paths:
        og.save(gradient(), path, tune=True, opset=13)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = onnxruntime.InferenceSession(paths[0]).run(["w.grad"], feeds())
    expected = og.compile(gradient()).run(feeds())["w.grad"]
    np.testing.assert_allclose(np.asarray(found[0]), expected, rtol=1e-4, atol=1e-5)


def test_open_sizes_are_told(tmp_path: Path) -> None:
    for call in (
        lambda: og.compile(gradient("N"), "onnxruntime", tune=True),
        lambda: og.save(gradient("N"), tmp_path / "a.onnx", tune=True),
    ):
        with pytest.warns(UserWarning, match=r"not timed.*N, .*give its sizes numbers"):
            call()


def test_a_cache_that_cannot_be_written_is_one_warning(tmp_path: Path, own_cache: Path) -> None:
    own_cache.parent.mkdir(parents=True)
    own_cache.write_text("no folder")
    with pytest.warns(UserWarning, match="cannot be") as told:
        f = og.compile(gradient(), "onnxruntime", tune=True)
    assert len(told) == 1
    assert f.run(feeds()).keys() == {"y", "w.grad"}


@pytest.mark.parametrize(
    ("backend", "options", "message"),
    [
        ("numpy", {"tune": 1}, "tune must be True or False"),
        ("numpy", {"tune": "yes"}, "tune must be True or False"),
        ("onnxruntime", {"tune": True, "providers": ["cuda"]}, "on the processor, not on"),
        ("onnxruntime", {"tune": True, "providers": [("cuda", {})]}, "on the processor, not on"),
        ("onnxruntime", {"tune": True, "providers": 5}, "providers is a list"),
        ("onnxruntime", {"tune": True, "providers": "cpu"}, "providers is a list"),
        ("onnxruntime", {"tune": True, "bogus": 1}, "takes no option bogus"),
    ],
)
def test_what_compile_refuses(backend: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.compile(gradient(), backend, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tune": 1}, "tune must be True or False"),
        ({"tune": True, "forms": {"ReluGrad": "default"}}, "forms or tune=True"),
        ({"tune": True, "runtime": "tract"}, "nothing here runs 'tract'"),
    ],
)
def test_what_save_refuses(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.save(gradient(), tmp_path / "a.onnx", **options)
    assert not (tmp_path / "a.onnx").exists()
