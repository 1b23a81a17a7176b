"""Which inputs does a classifier file go by?  Integrated gradients, all steps in one batch.

The gradient of a score is averaged along the way from a baseline to the input (Sundararajan et al.,
2017); what all inputs get sums to the difference of the scores.  Run:
python examples/integrated_gradients.py
"""

import tempfile
from pathlib import Path

import numpy as np

import onnxgrad as og

STEPS = 200


def write_classifier(path: Path) -> None:
    """x: (N, 6) → scores: (N, 2); the last two inputs do not count."""
    rng = np.random.default_rng(0)
    b = og.Builder("classifier")
    x = b.input("x", "float64", ("N", 6))
    first = rng.normal(size=(6, 16))
    first[4:] = 0
    hidden = b.op.Tanh(x @ b.parameter("first", first))
    b.output(hidden @ b.parameter("second", rng.normal(size=(16, 2))), "scores")
    og.save(b.build(), path)


def main() -> None:
    """Explain one decision, and check what the method promises."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.onnx"
        write_classifier(path)
        explain = og.compile(og.vjp(og.load(path), of="scores", wrt="x"))
    x, baseline = np.random.default_rng(1).normal(size=6), np.zeros(6)
    along = (np.arange(STEPS) + 0.5) / STEPS
    way = baseline + along[:, None] * (x - baseline)
    seed = np.tile(np.eye(2)[1], (STEPS, 1))
    slopes = explain.run({"x": way, "scores.grad": seed})["x.grad"]
    share = (x - baseline) * slopes.mean(0)
    for name, part in zip("abcdef", share, strict=True):
        print(f"{name} {part:+.4f}")
    ends = explain.run({"x": np.stack([baseline, x]), "scores.grad": seed[:2]})["scores"][:, 1]
    print(f"together {share.sum():+.4f}, the score rose by {ends[1] - ends[0]:+.4f}")
    assert abs(share.sum() - (ends[1] - ends[0])) < 1e-4
    assert not share[4:].any()


if __name__ == "__main__":
    main()
