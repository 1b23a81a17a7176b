"""Training steps of low-rank adapters against those of all weights, on a transformer of 11 M.

GPT blocks of width 384 on 128 tokens, batch 8; AdamW; adapters of rank 8 beside the attention's
weights, as Hu et al. (2021) have it. Each contender runs in a process of its own; they take turns.

Run: python tests/benchmarks/training/low_rank.py [--rounds 7] [--backend onnxruntime]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from contenders.ours import model  # noqa: E402  # its folder is no package
from workload import job  # noqa: E402
from workloads import gpt  # noqa: E402

import onnxgrad as og  # noqa: E402

WORKLOAD = gpt.workload("", gpt.Shape(6, 384, 12, 1000, 8))


def adapted(graph: og.Graph) -> og.Graph:
    """Give the model with adapters beside the attention's weights."""
    return og.lora(graph, ["*.qkv.weight", "*.out.weight"], rank=8, alpha=16)


def contend(adapters: bool, backend: str) -> None:
    """Tell what training holds, then answer each line of input by the seconds of a step."""
    given = job(WORKLOAD, WORKLOAD.size)
    graph, feeds = model(given), given.data
    step = og.train_step(adapted(graph) if adapters else graph, "loss", og.optim.AdamW(1e-3))
    state = og.initial_state(step)
    trained = [name for name in state if f"{name}.mean" in state]
    stepper = og.compile(step, backend).stepper()
    losses = [float(stepper.run(feeds)["loss"]) for _ in range(4)]
    facts = {
        "held": sum(v.constant.size for v in graph.parameters if v.constant is not None),
        "trained": sum(state[name].size for name in trained),
        "bytes": sum(array.nbytes for array in state.values()),
        "losses": losses,
    }
    print(json.dumps(facts), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        stepper.run(feeds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([time.perf_counter() - start, peak]), flush=True)


def measure(rounds: int, backend: str) -> None:
    """Let both take turns and print what adapters save."""
    processes = {}
    for name in ("all", "adapters"):
        command = [sys.executable, __file__, "--contender", name, "--backend", backend]
        processes[name] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    facts = {name: _answer(process) for name, process in processes.items()}
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    peaks = {}
    for _ in range(rounds):
        for name, process in processes.items():
            assert process.stdin is not None
            print("go", file=process.stdin, flush=True)
            taken, peaks[name] = _answer(process)
            seconds[name].append(taken)
    for process in processes.values():
        process.communicate()
    whole, few = facts["all"], facts["adapters"]
    times = {name: median(found) for name, found in seconds.items()}
    print(f"{backend}, {whole['held'] / 1e6:.1f} M parameters, medians of {rounds} steps")
    print(f"trained: {few['trained']:,}, {few['trained'] / whole['held']:.2%} of all")
    print(f"state: {few['bytes'] / whole['bytes']:.4f} of {whole['bytes'] / 1e6:.0f} MB")
    print(f"step: {times['adapters'] / times['all']:.2f} of {times['all'] * 1e3:.0f} ms")
    print(f"peak memory: {peaks['adapters']:.0f} MB of {peaks['all']:.0f} MB")
    assert whole["losses"][0] == few["losses"][0] and few["losses"][-1] < few["losses"][0]


def _answer(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args!r} ended")
    return json.loads(line)


def main() -> None:
    """Measure, or be one of the contenders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--contender", choices=["all", "adapters"])
    given = parser.parse_args()
    if given.contender is None:
        measure(given.rounds, given.backend)
    else:
        contend(given.contender == "adapters", given.backend)


if __name__ == "__main__":
    main()
