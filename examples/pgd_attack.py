"""How robust is a classifier?  Projected gradient descent against a whole batch at once.

Each example moves up its own loss, by the sign of the gradient, and stays within ε of where it was
(Madry et al., 2018).  Run: python examples/pgd_attack.py
"""

import numpy as np

import onnxgrad as og

EPSILON, STEPS = 0.3, 10


def build_classifier() -> og.Graph:
    """x: (N, 2) → logits: (N, 2), with the sum of the losses: its gradient is each one's own"""
    rng = np.random.default_rng(0)
    b = og.Builder("classifier")
    hidden = b.op.Tanh(
        b.input("x", "float32", ("N", 2)) @ b.parameter("w1", rng.normal(size=(2, 32)).astype("f4"))
        + b.parameter("b1", rng.normal(size=32).astype("f4"))
    )
    logits = hidden @ b.parameter("w2", (rng.normal(size=(32, 2)) / 6).astype("f4"))
    label = b.input("label", "int64", ("N",))
    b.output(logits, "logits")
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, label, reduction="sum"), "loss")
    return b.build()


def draw(count: int, seed: int) -> dict[str, np.ndarray]:
    """Two classes of points, on two sides of a wave."""
    x = np.random.default_rng(seed).uniform(-2, 2, size=(count, 2)).astype(np.float32)
    return {"x": x, "label": (x[:, 1] > np.sin(2 * x[:, 0])).astype(np.int64)}


def main() -> None:
    """Train, then attack: within ε far more is wrong, and no example leaves its box."""
    fitted = og.fit(build_classifier(), draw(2000, 0), optimizer=og.optim.Adam(0.01), epochs=20)
    attack = og.compile(og.grad(fitted.graph, of="loss", wrt="x"), "onnxruntime")
    test = draw(500, 1)
    x = test["x"]
    for _ in range(STEPS):
        slope = attack.run({"x": x, "label": test["label"]})["x.grad"]
        x = np.clip(x + EPSILON / 4 * np.sign(slope), test["x"] - EPSILON, test["x"] + EPSILON)
        x = x.astype(np.float32)
    right = [
        float((attack.run({**test, "x": at})["logits"].argmax(1) == test["label"]).mean())
        for at in (test["x"], x)
    ]
    print(f"right: {right[0]:.1%}, under attack {right[1]:.1%}")
    assert right[0] > 0.95 and right[1] < right[0] - 0.1
    assert np.abs(x - test["x"]).max() <= EPSILON + 1e-6


if __name__ == "__main__":
    main()
