"""Fine-tune a ResNet that torch exported, by the command line alone, beside torch's own way.

A small ResNet learns the ten digits in torch and is exported by both of torch's exporters, with its
BatchNormalization in inference mode. Then it gets three other classes (the digit modulo 3): by
`onnxgrad train --new-head`, and in torch with a new last layer. Both see the same examples as
often, with the same optimizer. Without a new head the tuned file must be the original but for its
weights.

Run: make finetune, or .venv/bin/python tests/benchmarks/finetune_check.py (needs torch, onnxscript)
"""

import copy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch  # pyright: ignore[reportMissingImports]  # of the extra bench
from sklearn.datasets import load_digits
from torch import nn  # pyright: ignore[reportMissingImports]

EPOCHS, RATE, BATCH = 4, 1e-3, 32


class Block(nn.Module):
    """Two convolutions with BatchNormalization around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.two = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm_one, self.norm_two = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm_one(self.one(x)))
        return torch.relu(x + self.norm_two(self.two(y)))


class ResNet(nn.Module):
    """Two blocks, a mean over the image, and a last layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.blocks = nn.Sequential(Block(16), Block(16))
        self.fc = nn.Linear(16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.blocks(torch.relu(self.stem(x))).mean((2, 3)))


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    """Train in torch, in the mode the model is in."""
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Give the share of labels that are right."""
    return float((logits.argmax(-1) == labels).mean())


def export(model: nn.Module, path: Path, dynamo: bool) -> None:
    """Export in inference mode, the batch open."""
    example = torch.zeros(2, 1, 8, 8)
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["logits"]}
    if dynamo:
        shapes = ({0: torch.export.Dim("N")},)
        torch.onnx.export(model, (example,), path, dynamo=True, dynamic_shapes=shapes, **names)
    else:
        axes = {"image": {0: "N"}, "logits": {0: "N"}}
        torch.onnx.export(model, (example,), path, dynamo=False, dynamic_axes=axes, **names)


def tune(folder: Path, model: Path, *arguments: str) -> Path:
    """Run the command."""
    tuned = folder / f"tuned_{model.name}"
    command = [sys.executable, "-m", "onnxgrad", "train", str(model), "-o", str(tuned)]
    command += ["--epochs", str(EPOCHS), "--learning-rate", str(RATE), *arguments]
    subprocess.run(command, check=True, cwd=folder)
    return tuned


def only_weights_differ(one: Path, two: Path) -> bool:
    """Tell whether files differ in nothing but the numbers of weights and where these lie."""
    models = [onnx.load(path, load_external_data=False) for path in (one, two)]
    for model in models:
        for tensor in model.graph.initializer:
            for field in ("raw_data", "float_data", "external_data", "data_location"):
                tensor.ClearField(field)
    first, second = (m.SerializeToString(deterministic=True) for m in models)
    return first == second


def main() -> int:
    """Compare; give 1 if the command is over a point behind torch or changes more than weights."""
    torch.manual_seed(0)
    digits: Any = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], digits.target[order].astype(np.int64)
    held, failed = 400, False
    x, y = torch.from_numpy(images[held:]), torch.from_numpy(labels[held:])
    base = ResNet(10)
    train(base, x, y, 8)
    base.eval()
    with torch.no_grad():
        found = accuracy(base(torch.from_numpy(images[:held])).numpy(), labels[:held])
    print(f"ten digits in torch: {found:.1%} of {held} held out")
    by_torch = []
    for seed in range(3):
        torch.manual_seed(seed)
        model = copy.deepcopy(base)
        model.fc = nn.Linear(16, 3)
        train(model.eval(), x, y % 3, EPOCHS)
        with torch.no_grad():
            logits = model(torch.from_numpy(images[:held])).numpy()
        by_torch.append(accuracy(logits, labels[:held] % 3))
    torchs = float(np.median(by_torch))
    print(f"three classes in torch: {torchs:.1%} (three seeds: {np.round(by_torch, 4).tolist()})")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "three.npz", image=images[held:], label=labels[held:] % 3)
        np.savez(folder / "ten.npz", image=images[held:], label=labels[held:])
        for exporter in ("dynamo", "torchscript"):
            path = folder / f"{exporter}.onnx"
            export(base, path, exporter == "dynamo")
            scores = []
            for seed in range(3):
                tuned = tune(
                    folder,
                    path,
                    "--data",
                    "three.npz",
                    "--new-head",
                    "logits=3",
                    "--seed",
                    str(seed),
                )
                scores.append(accuracy(run(tuned, images[:held]), labels[:held] % 3))
            ours = float(np.median(scores))
            operators = {n.op_type for n in onnx.load(path).graph.node}
            folded = "folded" if "BatchNormalization" not in operators else "not folded"
            print(
                f"{exporter} (BatchNormalization {folded}), by the command: {ours:.1%} "
                f"(three seeds: {np.round(scores, 4).tolist()})"
            )
            failed |= ours < torchs - 0.01
            same = only_weights_differ(path, tune(folder, path, "--data", "ten.npz"))
            print(f"{exporter}, no new head: it differs in {'weights only' if same else 'MORE'}")
            failed |= not same
    return int(failed)


def run(path: Path, images: np.ndarray) -> np.ndarray:
    """Run a file in stock onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    (logits,) = session.run(["logits"], {"image": images})
    return np.asarray(logits)


if __name__ == "__main__":
    sys.exit(main())
