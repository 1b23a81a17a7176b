"""What `onnxgrad run` writes: any name and any type."""

from pathlib import Path

import numpy as np
from command_line import refusal, run

import onnxgrad as og


def test_results_of_any_name_and_type_are_written(tmp_path: Path) -> None:
    """Names that functions of NumPy take as arguments, and types that only other packages have."""
    b = og.Builder()
    x = b.input("x", "float32", (2,))
    for name, to in {
        "file": 1,
        "text": 8,
        "brain": 16,
        "small": 17,
        "four": 22,
        "half": 10,
    }.items():
        b.output(b.op.Cast(x, to=to), name)
    b.output(b.op.SequenceConstruct(x, x * 2), "parts")
    og.save(b.build(), tmp_path / "model.onnx")
    np.save(tmp_path / "x.npy", np.array([1.5, 2], np.float32))
    given = ["run", tmp_path / "model.onnx", "-i", f"x={tmp_path / 'x.npy'}", "-o"]
    run(*given, tmp_path / "results.npz")
    with np.load(tmp_path / "results.npz", allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive}
    texts, four = found.pop("text"), found.pop("four")
    assert texts.tolist() == ["1.5", "2.0"] and four.tolist() == [1, 2]
    np.testing.assert_array_equal(found.pop("parts.1"), [3, 4])
    assert sorted(found) == ["brain", "file", "half", "parts.0", "small"]
    assert all(np.array_equal(array, [1.5, 2]) for array in found.values())
    run(*given, "/dev/null")


def test_two_results_of_one_name_are_refused(tmp_path: Path) -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2,))
    b.output(b.op.SequenceConstruct(x, x), "y")
    b.output(x + 1, "y.0")
    og.save(b.build(), tmp_path / "model.onnx")
    np.save(tmp_path / "x.npy", np.ones(2, np.float32))
    given = ["run", tmp_path / "model.onnx", "-i", f"x={tmp_path / 'x.npy'}", "-o"]
    assert "two arrays would be 'y.0'" in refusal(*given, tmp_path / "results.npz")
