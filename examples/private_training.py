"""DP-SGD: each example's own gradient is clipped before they are summed and noise is added.

`vmap` of the gradient gives the gradients of all examples in one run (Abadi et al., 2016).
Run: python examples/private_training.py
"""

import numpy as np

import onnxgrad as og

CLIP, NOISE, RATE, BATCH, STEPS = 1.0, 0.6, 1.0, 100, 120


def build_loss() -> og.Graph:
    """One example x: (2,), its label: () and the weights → loss: ()"""
    b = og.Builder("one_example")
    x, label = b.input("x", "float32", (2,)), b.input("label", "int64", ())
    first, second = b.input("first", "float32", (2, 16)), b.input("second", "float32", (16, 2))
    logits = b.op.Tanh(b.op.Unsqueeze(x, [0]) @ first) @ second
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, b.op.Unsqueeze(label, [0])), "loss")
    return b.build()


def main() -> None:
    """Learn which points lie above a line, no example counting for more than its share."""
    gradient = og.grad(build_loss(), of="loss", wrt=["first", "second"])
    each = og.compile(og.vmap(gradient, ["x", "label"]), "onnxruntime")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 2)).astype("f4")
    label = (x @ np.array([1.0, -0.5]) > 0).astype(np.int64)
    shapes = {"first": (2, 16), "second": (16, 2)}
    weights = {n: (rng.normal(size=s) / 2).astype("f4") for n, s in shapes.items()}
    losses = []
    for step in range(STEPS):
        rows = rng.integers(0, len(x), BATCH)
        found = each.run({"x": x[rows], "label": label[rows], **weights})
        own = {n: found[f"{n}.grad"] for n in weights}
        norms = np.sqrt(sum((dw.reshape(BATCH, -1) ** 2).sum(1) for dw in own.values()))
        factors = np.minimum(1, CLIP / norms)
        for n, dw in own.items():
            assert dw.shape == (BATCH, *shapes[n])
            total = np.einsum("n,nij->ij", factors, dw)
            total += NOISE * CLIP * rng.normal(size=shapes[n])
            weights[n] = (weights[n] - RATE * total / BATCH).astype("f4")
        losses.append(float(found["loss"].mean()))
        if step % 30 == 0:
            print(f"step {step}: loss {losses[-1]:.3f}, largest norm {norms.max():.2f}")
    assert np.mean(losses[-10:]) < 0.3


if __name__ == "__main__":
    main()
