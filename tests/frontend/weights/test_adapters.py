"""Adapters alone in files: safetensors and onnxruntime's own format."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file, save_file

import onnxgrad as og

RNG = np.random.default_rng(0)
FEEDS = {"x": RNG.normal(size=(5, 6)).astype(np.float32)}


def base() -> og.Graph:
    b = og.Builder()
    x = b.input("x", "float32", ("N", 6))
    for k in range(2):
        w = b.parameter(f"w{k}", np.random.default_rng(k).normal(size=(6, 6)).astype(np.float32))
        x = b.op.Tanh(x @ w)
    b.output(x, "y")
    return b.build()


def learned(rank: int = 2, alpha: float = 3) -> og.Graph:
    g = og.lora(base(), "w*", rank, alpha)
    held = {v.name: np.asarray(v.constant) for v in g.parameters if ".lora_" in v.name}
    arrays = {n: RNG.normal(size=a.shape).astype(np.float32) for n, a in held.items()}
    return og.with_parameters(g, arrays)


def result(g: og.Graph) -> Any:
    return og.compile(g).run(FEEDS)["y"]


def test_a_file_goes_back_onto_the_model(tmp_path: Path) -> None:
    """Onto one without adapters, and onto one that has others."""
    g = learned()
    og.save_adapter(g, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_size < 1000
    for target in (base(), learned()):
        found = og.load_adapter(target, tmp_path / "a.safetensors")
        np.testing.assert_array_equal(result(found), result(g))
    assert result(og.merge_lora(og.load_adapter(base(), tmp_path / "a.safetensors"))).shape == (
        5,
        6,
    )


def test_onnxruntime_exchanges_adapters(tmp_path: Path) -> None:
    """One model in stock onnxruntime, by turns with the adapters of two files and its own."""
    first, second = learned(), learned()
    og.save_adapter(first, tmp_path / "a.onnx_adapter", model=tmp_path / "model.onnx")
    og.save_adapter(second, tmp_path / "b.onnx_adapter")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it tells that these initializers are no constants
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", options)
    assert [v.name for v in session.get_inputs()] == ["x"]
    for name, graph in (("b", second), ("a", first)):
        adapter = onnxruntime.LoraAdapter()
        adapter.Load(str(tmp_path / f"{name}.onnx_adapter"))
        run = onnxruntime.RunOptions()
        run.add_active_adapter(adapter)
        found: Any = session.run(None, FEEDS, run)[0]
        np.testing.assert_allclose(found, result(graph), rtol=1e-4, atol=1e-5)
    found = session.run(None, FEEDS)[0]
    np.testing.assert_allclose(found, result(first), rtol=1e-4, atol=1e-5)
    again = og.load_adapter(second, tmp_path / "a.onnx_adapter")
    np.testing.assert_array_equal(result(again), result(first))
    reloaded = og.load(tmp_path / "model.onnx")
    assert [v.name for v in reloaded.inputs] == ["x"]
    np.testing.assert_array_equal(result(reloaded), result(first))


def test_refusals(tmp_path: Path) -> None:
    g, path = learned(), tmp_path / "a.safetensors"
    og.save_adapter(g, path)
    og.save_adapter(g, tmp_path / "a.onnx_adapter")
    with pytest.raises(og.GraphError, match="has no adapters; og.lora"):
        og.save_adapter(base(), path)
    with pytest.raises(og.ModelFileError, match="are in a .safetensors or .onnx_adapter file"):
        og.save_adapter(g, tmp_path / "a.npz")
    with pytest.raises(og.GraphError, match="does not say by which factor"):
        og.load_adapter(base(), tmp_path / "a.onnx_adapter")
    with pytest.raises(og.GraphError, match=r"alpha/rank = 1.5, here by 2;"):
        og.load_adapter(learned(alpha=4), path)
    with pytest.raises(og.GraphError, match=r"'w0.lora_A' is float32\[6, 3\], got"):
        og.load_adapter(learned(rank=3, alpha=4.5), path)
    with pytest.raises(og.GraphError, match="only there: w1.lora_A, w1.lora_B; only here: none"):
        og.load_adapter(og.lora(base(), "w0", 2, 3), path)
    with pytest.raises(og.GraphError, match="no layer has the weight 'w0'"):
        og.load_adapter(og.rename(base(), {"w0": "other"}), path)
    with pytest.raises(og.ModelFileError, match="No such file"):
        og.load_adapter(g, tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    (tmp_path / "bad.onnx_adapter").write_bytes(b"nonsense")
    for name in ("bad.safetensors", "bad.onnx_adapter"):
        with pytest.raises(og.ModelFileError, match=name):
            og.load_adapter(g, tmp_path / name)
    with pytest.raises(og.ModelFileError, match="cannot write"):
        og.save_adapter(g, tmp_path / "none" / "a.safetensors")


@pytest.mark.parametrize(
    "factors",
    ["", "[]", "5", '{"w0": null}', '{"w0": NaN, "w1": 1}', "{}", '{"w0": 1}', '{"w2": 1}'],
)
def test_a_damaged_file_is_refused(tmp_path: Path, factors: str) -> None:
    """Onto a graph without adapters it would load nothing, or NaN, and nobody would notice."""
    path = tmp_path / "a.safetensors"
    og.save_adapter(learned(), path)
    save_file(load_file(path), path, {"onnxgrad.lora": factors})
    for target in (base(), learned()):
        with pytest.raises(og.ModelFileError, match=r"a\.safetensors"):
            og.load_adapter(target, path)


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx_adapter"])
def test_what_cannot_be_a_file_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"folder{suffix}").mkdir()
    for name in ("a" * 300, "folder", "missing"):
        with pytest.raises(og.ModelFileError, match=f"cannot read .*{name[:9]}"):
            og.load_adapter(learned(), tmp_path / f"{name}{suffix}")


def test_numbers_where_matrices_are_wanted_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    og.save_adapter(og.lora(base(), "w0", 1), path)
    arrays = {name: np.ones((), np.float32) for name in load_file(path)}
    save_file(arrays, path, {"onnxgrad.lora": '{"w0": 1}'})
    with pytest.raises(og.GraphError, match="the adapter of 'w0' has the sizes"):
        og.load_adapter(base(), path)
