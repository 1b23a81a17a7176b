"""Sample a posterior whose log density is an ONNX file, by Hamiltonian Monte Carlo.

A regression with known noise has a Gaussian posterior in closed form; the samples must have its
mean and covariance. All chains run as one batch, by vmap of the gradient.
Run: python examples/hamiltonian_monte_carlo.py
"""

import numpy as np

import onnxgrad as og

CHAINS, STEPS, LEAPS, STEP = 64, 400, 8, 0.12
NOISE = 0.5


def build_density(x: np.ndarray, y: np.ndarray) -> og.Graph:
    """w: (3,) → log p(w | x, y) up to a constant, prior N(0, 1)"""
    b = og.Builder("posterior")
    w = b.input("w", "float64", (3,))
    error = (b.op.MatMul(b.constant(x), w) - b.constant(y)) / NOISE
    likelihood = b.op.ReduceSum(error * error, keepdims=0)
    b.output(-0.5 * (likelihood + b.op.ReduceSum(w * w, keepdims=0)), "density")
    return b.build()


def main() -> None:
    """Draw, and compare with the closed form."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 3))
    y = x @ np.array([1.0, -2.0, 0.5]) + NOISE * rng.normal(size=12)
    one = og.grad(build_density(x, y), of="density", wrt="w")
    density = og.compile(og.vmap(one, inputs="w"), "onnxruntime")
    w, samples, taken = rng.normal(size=(CHAINS, 3)), [], 0.0
    here = density(w=w)
    for k in range(STEPS):
        momentum = rng.normal(size=w.shape)
        end, speed, there = w, momentum, here
        for _ in range(LEAPS):
            speed = speed + STEP / 2 * there["w.grad"]
            end = end + STEP * speed
            there = density(w=end)
            speed = speed + STEP / 2 * there["w.grad"]
        before = here["density"] - 0.5 * (momentum**2).sum(1)
        after = there["density"] - 0.5 * (speed**2).sum(1)
        accept = np.log(rng.uniform(size=CHAINS)) < after - before
        w = np.where(accept[:, None], end, w)
        here = density(w=w)
        taken += accept.mean() / STEPS
        if k >= 50:
            samples.append(w)
    drawn = np.concatenate(samples)
    covariance = np.linalg.inv(x.T @ x / NOISE**2 + np.eye(3))
    mean = covariance @ x.T @ y / NOISE**2
    print(f"accepted {taken:.0%}; mean {drawn.mean(0).round(3)}, exact {mean.round(3)}")
    assert np.abs(drawn.mean(0) - mean).max() < 0.02
    assert np.abs(np.cov(drawn.T) - covariance).max() < 0.1 * covariance.max()


if __name__ == "__main__":
    main()
