"""Fit a curve by Gauss-Newton: the matrix Jᵀ·J is never formed, only its products with vectors.

J·v is forward mode and Jᵀ·u reverse mode of the same file; conjugate gradients need no more.
Run: python examples/gauss_newton.py
"""

import numpy as np

import onnxgrad as og

TRUE = np.array([2.0, 1.3, 0.5, 0.4])


def build_model() -> og.Graph:
    """w: (4,), t: (N,) → residual: (N,) of w₀·exp(−w₁·t)·cos(w₂ + t/w₃) against y"""
    b = og.Builder("oscillation")
    w, t, y = b.input("w", "float64", (4,)), b.input("t", "float64", ("N",)), None
    y = b.input("y", "float64", ("N",))
    curve = w[0] * b.op.Exp(-w[1] * t) * b.op.Cos(w[2] + t / w[3])
    b.output(curve - y, "residual")
    return b.build()


def main() -> None:
    """From a guess to the truth, quadratically: the data are exact."""
    model = build_model()
    forward = og.compile(og.jvp(model, wrt="w", of="residual"))
    backward = og.compile(og.vjp(model, of="residual", wrt="w"))
    t = np.linspace(0, 3, 60)
    y = TRUE[0] * np.exp(-TRUE[1] * t) * np.cos(TRUE[2] + t / TRUE[3])
    feeds = {"t": t, "y": y, "w": np.array([1.5, 1.0, 0.8, 0.42])}

    def transposed(u: np.ndarray) -> np.ndarray:
        return backward.run({**feeds, "residual.grad": u})["w.grad"]

    def product(v: np.ndarray) -> np.ndarray:
        """Jᵀ·J·v"""
        return transposed(forward.run({**feeds, "w.tangent": v})["residual.tangent"])

    for k in range(12):
        residual = backward.run({**feeds, "residual.grad": np.zeros(60)})["residual"]
        print(f"step {k}: |residual| {np.linalg.norm(residual):.2e}")
        feeds["w"] = feeds["w"] - solve(product, transposed(residual))
    assert np.allclose(feeds["w"], TRUE, rtol=1e-9)


def solve(product, right: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Conjugate gradients for product(x) = right."""
    x, rest = np.zeros_like(right), right.copy()
    direction = rest.copy()
    for _ in range(2 * len(right)):
        if np.linalg.norm(rest) <= 1e-14 * np.linalg.norm(right):
            break
        image = product(direction)
        step = rest @ rest / (direction @ image)
        x, left = x + step * direction, rest - step * image
        direction, rest = left + (left @ left) / (rest @ rest) * direction, left
    return x


if __name__ == "__main__":
    main()
