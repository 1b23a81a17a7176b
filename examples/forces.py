"""Forces on atoms as the gradient of an energy, in one graph that any runtime can call.

The energy is Lennard-Jones: the sum over pairs of 4·(r⁻¹² − r⁻⁶).  Run: python examples/forces.py
"""

import numpy as np

import onnxgrad as og


def build_energy(atoms: int) -> og.Graph:
    """positions: (atoms, 3) → energy: ()"""
    first, second = np.triu_indices(atoms, k=1)
    b = og.Builder("lennard_jones")
    positions = b.input("positions", "float64", (atoms, 3))
    apart = b.op.Gather(positions, first) - b.op.Gather(positions, second)
    squared = b.op.ReduceSum(apart * apart, [1], keepdims=0)
    attraction = (1.0 / squared) ** 3
    b.output(b.op.ReduceSum(4.0 * (attraction * attraction - attraction), keepdims=0), "energy")
    return b.build()


def main() -> None:
    """Move eight atoms by velocity Verlet; energy and momentum stay what they were."""
    model = og.compile(og.grad(build_energy(8), of="energy", wrt="positions"))
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    positions, step = 1.12 * corners, 0.002
    velocities = np.random.default_rng(0).normal(size=(8, 3), scale=0.3)
    velocities -= velocities.mean(axis=0)
    result = model(positions=positions)
    totals = []
    for k in range(2001):
        totals.append(float(result["energy"]) + 0.5 * float((velocities**2).sum()))
        if k % 500 == 0:
            print(f"step {k}: potential {result['energy']:.4f}, total {totals[-1]:.6f}")
        halfway = velocities - 0.5 * step * result["positions.grad"]
        positions = positions + step * halfway
        result = model(positions=positions)
        velocities = halfway - 0.5 * step * result["positions.grad"]
    assert max(totals) - min(totals) < 1e-3
    assert np.abs(velocities.sum(axis=0)).max() < 1e-10


if __name__ == "__main__":
    main()
