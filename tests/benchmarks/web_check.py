"""The page of examples/browser in a real Chromium and its stepper in node, against Python.

The same training steps are run on NumPy, on onnxruntime, by the exported files in onnxruntime, in
node and in the page: all losses must agree within 1e-5. In the page a visitor's whole way is gone:
train, draw, teach, save, restore, download; the file that comes out is run in onnxruntime.

Run: make webcheck, or .venv/bin/python tests/benchmarks/web_check.py [--pictures DIR]
(needs node, npm, the network, and Debian's chromium)
"""

import argparse
import base64
import functools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import onnxgrad as og

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "examples")]

from browser.__main__ import BATCH, CLASSES, OPTIMIZER, STEPS, build, copy_page, order  # noqa: E402
from demo.network import Digits, build_network, load_digits  # noqa: E402  # see below

PACKAGES = ["onnxruntime-web@1.30.0", "playwright-core@1.65.1"]
COMPARED, TOLERANCE = 200, 1e-5


class Quiet(SimpleHTTPRequestHandler):
    """A server that does not log each request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@functools.cache
def digits_and_order() -> tuple[Digits, np.ndarray]:
    """Give the digits, and which of them make up each step."""
    digits = load_digits()
    return digits, order(len(digits.labels))


def feeds(step: int) -> dict[str, np.ndarray]:
    """Give the batch of a step."""
    digits, batches = digits_and_order()
    chosen = batches[step]
    return {"image": digits.images[chosen], "label": digits.labels[chosen]}


def losses_of_files(page: Path) -> list[float]:
    """Train with the exported files, by nothing but onnxruntime."""
    start = onnxruntime.InferenceSession(page / "start.onnx")
    session = onnxruntime.InferenceSession(page / "step.onnx")
    names = [v.name for v in start.get_outputs()]
    state, losses = dict(zip(names, start.run(None, {}), strict=True)), []
    outputs = ["loss", *(f"{name}.new" for name in names)]
    for k in range(COMPARED):
        loss, *changed = session.run(outputs, {**feeds(k), **state})
        state = dict(zip(names, changed, strict=True))
        losses.append(float(np.asarray(loss)))
    return losses


def main() -> int:
    """Run everything; print a table and give 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, default=Path("out/web-check"))
    pictures = parser.parse_args().pictures
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        return check(Path(folder), pictures)


def check(folder: Path, pictures: Path) -> int:
    """Build, run and compare in a folder."""
    subprocess.run(["npm", "install", "--silent", *PACKAGES], cwd=folder, check=True)
    page = folder / "page"
    build(page)
    copy_page(folder / "node_modules" / "onnxruntime-web", page)
    for script in ("web_node.mjs", "web_page.mjs"):
        shutil.copy(HERE / script, folder)
    found = {"exported files": losses_of_files(page)}
    for backend in ("numpy", "onnxruntime"):
        step = og.train_step(build_network(CLASSES), "loss", OPTIMIZER)
        stepper = og.compile(step, backend).stepper()
        found[backend] = [float(stepper.run(feeds(k))["loss"]) for k in range(COMPARED)]
    found["node"] = node(folder, "web_node.mjs", str(page), str(COMPARED))["losses"]
    with serving(page) as url:
        chromium = shutil.which("chromium") or "chromium"
        seen = node(folder, "web_page.mjs", url, chromium, str(pictures.resolve()))
    found["Chromium"] = seen["losses"][:COMPARED]
    reference = np.array(found["numpy"])
    failures = []
    for name, losses in found.items():
        difference = np.abs(np.array(losses) - reference).max()
        print(f"{name}: {len(losses)} losses, at most {difference:.1e} from NumPy's")
        if not difference < TOLERANCE:
            failures.append(f"the losses of {name} differ")
    print(
        f"Chromium: {STEPS} steps of {BATCH} digits in {seen['seconds']:.1f} s, "
        f"{seen['accuracy']:.1%} of the held-out digits right; a stroke is read as "
        f"{seen['guess'][:1]}; taught {seen['taught']}: {seen['forgotten']}; "
        f"{seen['after']:.1%} right then, {seen['restored']:.1%} after it was restored"
    )
    print(f"without WebAssembly: {seen['error']}")
    wrong = accuracy_of_file(base64.b64decode(seen["model"])) - seen["after"]
    checks = {
        "over 95 % held out": seen["accuracy"] > 0.95,
        "a new symbol is read": seen["taught"] == "★",
        "restored is saved": seen["restored"] == seen["after"],
        "the downloaded file is as good": abs(wrong) < 1e-9,
        "a missing WebAssembly is told": "no WebAssembly" in seen["error"],
        "the page fits a phone": not seen["wider"],
        "nothing in the console": not seen["said"],
    }
    failures += [f"not so: {what}" for what, holds in checks.items() if not holds]
    print("\n".join(failures) or f"all as it should be; pictures in {pictures}/")
    if seen["said"]:
        print("\n".join(seen["said"]))
    return 1 if failures else 0


def accuracy_of_file(content: bytes) -> float:
    """Run a downloaded model on the held-out digits."""
    digits = load_digits()
    session = onnxruntime.InferenceSession(content)
    (logits,) = session.run(["logits"], {"image": digits.test_images})
    return float((np.asarray(logits).argmax(-1) == digits.test_labels).mean())


def node(folder: Path, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script and read what it prints."""
    command = ["node", script, *arguments]
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(printed.stdout)
    return result


class serving:
    """Serve a folder while the block runs."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(Quiet, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/index.html"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    sys.exit(main())
