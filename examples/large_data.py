"""The gradient of a file over a data set too large for one run: Dask adds up that of its parts.

The data lie in a folder of .npy files, from which each task maps its own rows into memory; the loss
is a sum, so the gradients of the parts add up to that of the whole. The same program runs on a
cluster: give Dask's client the address of its scheduler.  Run: python examples/large_data.py
"""

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from dask.delayed import delayed

import onnxgrad as og

ROWS, PART = 20_000, 2_500


def write_model(path: Path) -> None:
    """x: (N, 8), label: (N,) → the sum of the losses, with its gradient by both weights"""
    rng = np.random.default_rng(0)
    b = og.Builder("classifier")
    hidden = b.op.Tanh(
        b.input("x", "float64", ("N", 8)) @ b.parameter("w1", rng.normal(size=(8, 16)))
    )
    logits = hidden @ b.parameter("w2", rng.normal(size=(16, 3)))
    label = b.input("label", "int64", ("N",))
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, label, reduction="sum"), "loss")
    og.save(og.grad(b.build(), of="loss", wrt=["w1", "w2"]), path)


@lru_cache
def opened(path: Path) -> og.Compiled:
    """Load the file once in each process that works."""
    return og.compile(og.load(path))


def part(path: Path, folder: Path, start: int) -> dict[str, np.ndarray]:
    """Give loss and gradients of some rows."""
    rows = {
        n: np.load(folder / f"{n}.npy", mmap_mode="r")[start : start + PART] for n in ("x", "label")
    }
    return opened(path).run({n: np.array(a) for n, a in rows.items()})


def summed(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Add up what the parts gave."""
    return {name: np.sum([p[name] for p in parts], axis=0) for name in parts[0]}


def main() -> None:
    """Compare the sum of the parts with one run over everything."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name) / "gradient.onnx"
        write_model(path)
        data = {"x": rng.normal(size=(ROWS, 8)), "label": rng.integers(0, 3, ROWS)}
        for key, array in data.items():
            np.save(folder / f"{key}.npy", array)
        parts = [delayed(part)(path, folder, start) for start in range(0, ROWS, PART)]
        found = delayed(summed)(parts).compute(scheduler="threads", num_workers=2)
        whole = og.compile(og.load(path)).run(data)
    for key, array in whole.items():
        print(f"{key}: {np.shape(array)}, relative difference", end=" ")
        print(f"{np.abs(found[key] - array).max() / np.abs(array).max():.1e}")
        np.testing.assert_allclose(found[key], array, rtol=1e-10, atol=1e-9)


if __name__ == "__main__":
    main()
