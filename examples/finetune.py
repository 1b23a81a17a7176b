"""Train only the last layer of a model file, with a learning rate that is fed.

Run: python examples/finetune.py
"""

import tempfile
from pathlib import Path

import numpy as np

import onnxgrad as og


def write_model(path: Path) -> None:
    """Write a classifier whose body stands for a pretrained one; its head knows nothing."""
    rng = np.random.default_rng(0)
    b = og.Builder("classifier")
    body = b.parameter("body.weight", rng.normal(size=(2, 32)).astype(np.float32))
    shift = b.parameter("body.bias", rng.uniform(-2, 2, 32).astype(np.float32))
    head = b.parameter("head.weight", np.zeros((32, 2), np.float32))
    bias = b.parameter("head.bias", np.zeros(2, np.float32))
    features = b.op.Gelu(b.input("x", "float32", ("N", 2)) @ body + shift)
    b.output(features @ head + bias, "logits")
    og.save(b.build(), path)


def add_loss(model: og.Graph) -> og.Graph:
    """Build on: a loss after the logits of the model."""
    b = og.Builder.extend(model)
    label = b.input("label", "int64", ("N",))
    b.output(b.op.SoftmaxCrossEntropyLoss(b.value("logits"), label), "loss")
    return b.build()


def draw_points(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Give points and whether each lies inside the ring."""
    x = rng.uniform(-2, 2, size=(count, 2)).astype(np.float32)
    return {"x": x, "label": (np.linalg.norm(x, axis=1) < 1.2).astype(np.int64)}


def main() -> None:
    """Learn which points lie inside a ring; the body stays what it was."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.onnx"
        write_model(path)
        model = add_loss(og.load(path))
    step = og.train_step(
        model,
        optimizer=og.optim.AdamW("learning_rate", weight_decay=1e-3),
        parameters=["head.weight", "head.bias"],
    )
    stepper = og.compile(step, "onnxruntime").stepper()
    rng = np.random.default_rng(1)
    for k in range(300):
        rate = np.float32(0.05 * (1 - k / 300))
        loss = stepper(**draw_points(rng, 64), learning_rate=rate)["loss"]
        if k % 60 == 0:
            print(f"step {k}: loss {loss:.4f}")
    tuned = og.with_parameters(model, stepper.state())
    test = draw_points(rng, 500)
    logits = og.compile(tuned).run(test)["logits"]
    accuracy = float(np.mean(logits.argmax(axis=1) == test["label"]))
    print(f"accuracy {accuracy:.1%}")
    assert accuracy > 0.9


if __name__ == "__main__":
    main()
