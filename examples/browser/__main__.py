"""Build the page: models, digits and the browser's runtime in one folder that any server can give.

Run: make web, or PYTHONPATH=examples python -m browser ONNXRUNTIME_WEB [FOLDER]
"""

import json
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
from demo.network import build_network, load_digits

import onnxgrad as og
from onnxgrad.fitting.batches import Batches

PAGE = Path(__file__).parent / "page"
RUNTIME = [
    "ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.bundle.min.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
]
"""The files of onnxruntime-web that the page loads: WebAssembly alone, and with WebGPU."""

CLASSES, BATCH, STEPS = 12, 32, 600
"""Ten digits and two symbols that visitors teach; how the page trains."""

OPTIMIZER = og.optim.Adam(2e-3)


def build(folder: Path) -> None:
    """Write the models and the data that the page reads."""
    folder.mkdir(parents=True, exist_ok=True)
    network = build_network(CLASSES)
    step = og.train_step(network, "loss", OPTIMIZER)
    changed = json.loads(step.metadata["onnxgrad.state"]).values()
    og.save(og.keep(step, ["loss", *changed]), folder / "step.onnx")
    og.save(og.start_graph(step), folder / "start.onnx")
    og.save(og.keep(step, "logits"), folder / "predict.onnx")
    og.save(og.keep(network, "logits"), folder / "model.onnx")
    digits = load_digits()
    images = np.concatenate([digits.images, digits.test_images])
    labels = np.concatenate([digits.labels, digits.test_labels])
    (folder / "images.bin").write_bytes((images * 16).astype(np.uint8).tobytes())
    (folder / "labels.bin").write_bytes(labels.astype(np.uint8).tobytes())
    (folder / "order.bin").write_bytes(order(len(digits.labels)).astype(np.int32).tobytes())
    about = {
        "classes": CLASSES,
        "batch": BATCH,
        "steps": STEPS,
        "training": len(digits.labels),
        "held_out": len(digits.test_labels),
        "weights": places_of_weights(folder / "model.onnx", og.initial_state(step)),
    }
    (folder / "page.json").write_text(json.dumps(about, indent=1))


def order(examples: int) -> np.ndarray:
    """Give the examples of every step, (steps, batch), the same for all who train."""
    batches = Batches(examples, BATCH, drop_last=True)
    steps = (divmod(k, batches.per_epoch) for k in range(STEPS))
    return np.stack([batches.of(epoch, batch) for epoch, batch in steps])


def places_of_weights(model: Path, names: Collection[str]) -> dict[str, dict[str, int]]:
    """Give where in a file the bytes of each weight lie, so that a page can write others there."""
    content, places = model.read_bytes(), {}
    for tensor in onnx.load(model).graph.initializer:
        if tensor.name in names:
            name = tensor.name.encode()
            # in a file the name of a tensor, field 8, comes before its bytes, field 9
            start = content.index(bytes([8 << 3 | 2, len(name)]) + name)
            offset = content.index(tensor.raw_data, start)
            places[tensor.name] = {"offset": offset, "bytes": len(tensor.raw_data)}
    return places


def copy_page(runtime: Path, folder: Path) -> None:
    """Copy the page itself and the browser's runtime."""
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    (folder / "ort").mkdir(exist_ok=True)
    for name in RUNTIME:
        shutil.copy(runtime / "dist" / name, folder / "ort" / name)


def main(runtime: Path, folder: Path = Path("out/web")) -> None:
    """Build it all and say how to look at it."""
    build(folder)
    copy_page(runtime, folder)
    print(f"python3 -m http.server -d {folder} 8000   # then open http://localhost:8000")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
