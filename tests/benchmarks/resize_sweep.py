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


def main() -> None:
    """Draw calls and print those whose gradients are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    start, wrong = time.perf_counter(), 0
    random = np.random.default_rng(arguments.seed)
    for _ in range(arguments.calls):
        call = draw(random)
        for backend in ("numpy", "onnxruntime"):
            if what := disagreement(call, backend):
                wrong += 1
                print(f"{backend}: {what}", flush=True)
    seconds = time.perf_counter() - start
    print(f"{arguments.calls:,} calls of Resize, {wrong} gradients wrong, in {seconds:.0f} s")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
