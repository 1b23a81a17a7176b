"""Vibrations of a molecule: its modes are eigenvectors of the Hessian of an energy file.

Six atoms with Lennard-Jones forces relax into an octahedron; then the Hessian of the energy, taken
from the file, gives the frequencies. Six modes have none: three shifts and three rotations.
Run: python examples/vibrations.py
"""

import tempfile
from pathlib import Path

import numpy as np

import onnxgrad as og

ATOMS = 6


def write_energy(path: Path) -> None:
    """positions: (atoms · 3,) → energy: (), the sum over pairs of 4·(r⁻¹² − r⁻⁶)"""
    first, second = np.triu_indices(ATOMS, k=1)
    b = og.Builder("lennard_jones")
    atoms = b.op.Reshape(b.input("positions", "float64", (3 * ATOMS,)), [ATOMS, 3])
    apart = b.op.Gather(atoms, first) - b.op.Gather(atoms, second)
    attraction = (1.0 / b.op.ReduceSum(apart * apart, [1], keepdims=0)) ** 3
    b.output(b.op.ReduceSum(4.0 * (attraction * attraction - attraction), keepdims=0), "energy")
    og.save(b.build(), path)


def main() -> None:
    """Relax, then diagonalize; the frequencies come in the groups that symmetry asks for."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "energy.onnx"
        write_energy(path)
        energy = og.load(path)
    gradient = og.compile(og.grad(energy, of="energy", wrt="positions"))
    curvature = og.compile(og.hessian(energy, of="energy", wrt="positions"))
    corners = np.concatenate([np.eye(3), -np.eye(3)]) * 0.8
    positions = (corners + 0.02 * np.random.default_rng(0).normal(size=corners.shape)).ravel()
    slope = hessian = np.empty(0)
    for _ in range(20):  # Newton; the pseudo-inverse leaves shifts and rotations alone
        slope = gradient(positions=positions)["positions.grad"]
        (hessian,) = (a for n, a in curvature(positions=positions).items() if n != "energy")
        positions = positions - np.linalg.pinv(hessian, rcond=1e-6) @ slope
    squares, modes = np.linalg.eigh(hessian)
    frequencies = np.sqrt(np.maximum(squares, 0))
    print("energy", round(float(gradient(positions=positions)["energy"]), 4))
    print("frequencies", frequencies.round(3))
    assert np.abs(slope).max() < 1e-8
    assert (np.abs(squares[:6]) < 1e-6).all() and squares[6] > 1
    # an octahedron's vibrations: E, T, T, T and A, so 2 + 3 + 3 + 3 + 1 of them are equal
    groups = np.split(frequencies[6:], np.flatnonzero(np.diff(frequencies[6:]) > 1e-4) + 1)
    assert sorted(len(g) for g in groups) == [1, 2, 3, 3, 3]
    # along a mode the energy is a parabola with that curvature
    step = 1e-3 * modes[:, -1]
    ends = [float(gradient(positions=positions + s * step)["energy"]) for s in (-1, 0, 1)]
    assert abs((ends[0] - 2 * ends[1] + ends[2]) / 1e-6 / squares[-1] - 1) < 1e-3


if __name__ == "__main__":
    main()
