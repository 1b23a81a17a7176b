"""Where does a network look?  The gradient of a score by a value inside the graph (Grad-CAM).

A small network learns to tell horizontal bars from vertical ones; the map shows that it looks at
the bar.  Run: python examples/gradcam_like.py
"""

import numpy as np

import onnxgrad as og

SIZE = 12


def make_bars(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give noisy images with a bar of five pixels each, and which way it lies."""
    images = rng.normal(scale=0.1, size=(count, 1, SIZE, SIZE)).astype(np.float32)
    labels = rng.integers(0, 2, count)
    for image, vertical in zip(images[:, 0], labels, strict=True):
        i, j = rng.integers(0, SIZE - 5, 2)
        if vertical:
            image[i : i + 5, j] += 1
        else:
            image[i, j : j + 5] += 1
    return images, labels


def build_network() -> og.Graph:
    """Two convolutions, the mean of their features over the image, a score per class."""
    rng = np.random.default_rng(0)
    b = og.Builder("bars")
    op = b.op
    y = b.input("image", "float32", ("N", 1, SIZE, SIZE))
    label = b.input("label", "int64", ("N",))
    for k, channels in enumerate((1, 8)):
        w = rng.normal(size=(8, channels, 3, 3), scale=1 / np.sqrt(9 * channels))
        y = op.Conv(y, b.parameter(f"w{k}", w.astype(np.float32)), pads=[1] * 4)
        y = op.Relu(y, name=f"features{k}")
    pooled = op.ReduceMean(y, [2, 3], keepdims=0)
    head = b.parameter("head", rng.normal(size=(8, 2), scale=0.5).astype(np.float32))
    scores = pooled @ head
    b.output(op.SoftmaxCrossEntropyLoss(scores, label), "loss")
    b.output(scores, "scores")
    b.output(y, "features")
    return b.build()


def main() -> None:
    """Train, then print the map of one image."""
    rng = np.random.default_rng(1)
    network = build_network()
    stepper = og.compile(og.train_step(network, "loss", og.optim.Adam(0.02))).stepper()
    for _ in range(150):
        images, labels = make_bars(32, rng)
        stepper(image=images, label=labels)
    trained = og.with_parameters(network, stepper.state())
    images, labels = make_bars(1, rng)
    explain = og.compile(og.vjp(trained, of="scores", wrt="features"))
    chosen = np.eye(2, dtype=np.float32)[labels]
    result = explain.run({"image": images, "label": labels, "scores.grad": chosen})
    weights = result["features.grad"].mean(axis=(2, 3), keepdims=True)
    heat = np.maximum((weights * result["features"]).sum(axis=1)[0], 0)
    assert result["scores"].argmax() == labels[0]
    for image_row, heat_row in zip(images[0, 0] > 0.5, heat / heat.max(), strict=True):
        left = "".join("█" if bright else "·" for bright in image_row)
        print(left, " ", "".join(" ░▒▓█"[int(4.99 * h)] for h in heat_row))
    near = images[0, 0] > 0.5
    assert heat[near].mean() > 3 * heat.mean()


if __name__ == "__main__":
    main()
