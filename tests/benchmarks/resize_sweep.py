"""Compare gradients of random calls of Resize with what their forward pass is; `--help` says how.

Resize is linear, so resizing the elements of x one by one gives its matrix without any rule.
Fails where a gradient is not the product with its transpose.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from resize_calls import disagreement, draw  # noqa: E402  # tests/ is no package

import onnxgrad as og  # noqa: E402


def main() -> None:
    """Draw calls and print those whose gradients are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    start, wrong, refused = time.perf_counter(), 0, 0
    random = np.random.default_rng(arguments.seed)
    for _ in range(arguments.calls):
        call = draw(random)
        for backend in ("numpy", "onnxruntime"):
            try:
                what = disagreement(call, backend)
            except og.UnsupportedOpError:
                if backend == "numpy":
                    raise
                refused += 1  # onnxruntime leaves out what is outside for cubic Resize alone
                continue
            if what:
                wrong += 1
                print(f"{backend}: {what}", flush=True)
    seconds = time.perf_counter() - start
    print(
        f"{arguments.calls:,} calls of Resize, {wrong} gradients wrong, {refused} refused by "
        f"onnxruntime, in {seconds:.0f} s"
    )
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
