"""Kill a training run at random moments, again and again: does it still end with the same bits?

Run: make kills, or .venv/bin/python tests/benchmarks/kill_check.py [--kills 50] [--seed 0]
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

import onnxgrad as og
from onnxgrad.compiler.errors import ModelFileError
from onnxgrad.fitting.checkpoint import read_checkpoint

EXAMPLES, EPOCHS, BATCH = 400, 300, 4

PROGRAM = f"""
import sys
import onnxgrad as og
import onnxgrad.fitting.run as run
from small_models import examples, regression

run.SECONDS_BETWEEN_CHECKPOINTS = 0.0  # a checkpoint after every step: the most moments to hit
og.fit(regression(), examples({EXAMPLES}), optimizer=og.optim.Adam(0.02), epochs={EPOCHS},
       batch_size={BATCH}, checkpoints=sys.argv[1], resume=True)
"""


def main() -> int:
    """Kill, look at the checkpoint, go on; give 1 if one was broken or the end differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.path.append(str(Path(__file__).parents[1] / "helpers"))
    from small_models import examples, regression

    moments, broken, kills = random.Random(options.seed), 0, 0
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with tempfile.TemporaryDirectory() as folder:
        last = Path(folder, "last.safetensors")
        command = [sys.executable, "-c", PROGRAM, folder]
        while True:
            process = subprocess.Popen(command, env=env)
            before = last.stat().st_mtime_ns if last.exists() else 0
            if kills < options.kills:
                while process.poll() is None and not (
                    last.exists() and last.stat().st_mtime_ns > before
                ):
                    time.sleep(0.001)
                time.sleep(moments.uniform(0, 0.3))
                process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            kills += 1
            try:
                step = read_checkpoint(last).progress.step
            except (ModelFileError, SafetensorError) as error:
                broken, step = broken + 1, -1
                print(error)
            print(f"kill {kills}: the checkpoint is after step {step}", flush=True)
        found = read_checkpoint(last).state
    whole = og.fit(
        regression(),
        examples(EXAMPLES),
        optimizer=og.optim.Adam(0.02),
        epochs=EPOCHS,
        batch_size=BATCH,
    )
    same = all(np.array_equal(found[name], array) for name, array in whole.state.items())
    print(f"{kills} kills, {broken} broken checkpoints; the end is {'the same' if same else 'NOT'}")
    return 0 if same and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
