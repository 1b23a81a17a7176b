"""Guide a diffusion model by a classifier: both are graphs, and so is the gradient between them.

A small network learns to remove noise from points on three blobs; a classifier knows the blobs. The
classifier's gradient pulls samples to the blob that is asked for (Dhariwal and Nichol, 2021).
Run: python examples/guidance.py [PICTURE]
"""

import sys

import numpy as np

import onnxgrad as og

LEVELS = 40
NOISE = np.linspace(1e-3, 0.2, LEVELS)
KEPT = np.cumprod(1 - NOISE)
CENTERS = np.array([[0, 2], [-1.8, -1], [1.8, -1]], np.float32)


def perceptron(b: og.Builder, x: og.Tensor, inside: int, outside: int) -> og.Tensor:
    """Two hidden layers of 64."""
    rng = np.random.default_rng(inside)
    for k, (n, m) in enumerate(((inside, 64), (64, 64), (64, outside))):
        w = b.parameter(f"w{k}", (rng.normal(size=(n, m)) / np.sqrt(n)).astype("f4"))
        x = x @ w + b.parameter(f"b{k}", np.zeros(m, "f4"))
        x = b.op.Gelu(x) if k < 2 else x
    return x


def build_denoiser() -> og.Graph:
    """x: (N, 2), level: (N, 1) in [0, 1] → the noise that is in x"""
    b = og.Builder("denoiser")
    x, level = b.input("x", "float32", ("N", 2)), b.input("level", "float32", ("N", 1))
    waves = [b.op.Cos(level * float(np.pi * k)) for k in range(1, 5)]
    b.output(perceptron(b, b.op.Concat(x, *waves, axis=1), 6, 2), "noise")
    return b.build()


def build_classifier() -> og.Graph:
    """x: (N, 2), level: (N, 1) → scores of the three blobs"""
    b = og.Builder("classifier")
    x, level = b.input("x", "float32", ("N", 2)), b.input("level", "float32", ("N", 1))
    b.output(perceptron(b, b.op.Concat(x, level, axis=1), 3, 3), "scores")
    return b.build()


def noisy(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Give points with noise of all levels, the noise, and the blob."""
    label = rng.integers(0, 3, count)
    level = rng.integers(0, LEVELS, count)
    noise = rng.normal(size=(count, 2))
    clean = CENTERS[label] + 0.2 * rng.normal(size=(count, 2))
    kept = KEPT[level, None]
    x = np.sqrt(kept) * clean + np.sqrt(1 - kept) * noise
    found = {"x": x, "level": level[:, None] / LEVELS, "target": noise}
    return {n: a.astype("f4") for n, a in found.items()} | {"label": label}


def main() -> None:
    """Train both, sample with and without guidance."""
    rng = np.random.default_rng(0)
    data, adam = noisy(20_000, rng), og.optim.Adam(3e-3)
    run = {"optimizer": adam, "epochs": 4, "batch_size": 250, "backend": "onnxruntime"}
    inputs = {n: data[n] for n in ("x", "level")}
    denoiser = og.losses.mse(build_denoiser())
    denoiser = og.fit(denoiser, inputs | {"target": data["target"]}, **run).graph  # type: ignore[arg-type]
    classifier = og.losses.cross_entropy(build_classifier())
    classifier = og.fit(classifier, inputs | {"label": data["label"]}, **run).graph  # type: ignore[arg-type]
    clean = og.compile(og.keep(denoiser, "noise"), "onnxruntime")
    # log p(blob | x) and its gradient by x, as one graph
    b = og.Builder.extend(og.keep(classifier, "scores"))
    wanted = b.input("wanted", "float32", (3,))
    sure = b.op.ReduceSum(b.op.LogSoftmax(b.value("scores")) * wanted, keepdims=0)
    b.output(sure, "sure")
    guide = og.compile(og.grad(b.build(), of="sure", wrt="x"), "onnxruntime")
    samples = {}
    for scale in (0.0, 2.0):
        x = rng.normal(size=(600, 2)).astype("f4")
        for t in reversed(range(LEVELS)):
            at = {"x": x, "level": np.full((600, 1), t / LEVELS, "f4")}
            pull = guide.run({**at, "wanted": np.array([1, 0, 0], "f4")})["x.grad"]
            noise = clean.run(at)["noise"] - scale * np.sqrt(1 - KEPT[t]) * pull
            x = (x - NOISE[t] / np.sqrt(1 - KEPT[t]) * noise) / np.sqrt(1 - NOISE[t])
            if t:
                x = x + np.sqrt(NOISE[t]) * rng.normal(size=x.shape)
            x = x.astype("f4")
        nearest = np.linalg.norm(x[:, None] - CENTERS, axis=-1).argmin(1)
        samples[scale] = x
        shares = [f"{(nearest == k).mean():.0%}" for k in range(3)]
        print(f"guided by {scale}: {', '.join(shares)} at the three blobs")
        assert ((nearest == 0).mean() > 0.9) == (scale > 0)
    if len(sys.argv) > 1:
        draw(samples)


def draw(samples: dict[float, np.ndarray]) -> None:
    """Draw both sets of samples beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    for axes, (scale, x) in zip(figure.subplots(1, 2), samples.items(), strict=True):
        axes.scatter(x[:, 0], x[:, 1], s=4)
        axes.set(title=f"guided by {scale}", xlim=(-3.5, 3.5), ylim=(-3, 3.5), aspect="equal")
    figure.savefig(sys.argv[1], dpi=120)


if __name__ == "__main__":
    main()
