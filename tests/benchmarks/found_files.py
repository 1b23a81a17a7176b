"""Models as onnxruntime's own tools write them: do they load, and give what onnxruntime gives?

The torch fixtures and the light models (with drawn weights, smooth) are saved by its optimizer at
the extended level, quantized (dynamic, static in two formats, 4 bits) and converted to float16, and
some of that is optimized again. Every file that stock onnxruntime runs must load. Outputs of the
float32 files on NumPy and on our onnxruntime backend are compared with stock onnxruntime's within
1e-4, and in every file what each operator gives for the numbers that stock onnxruntime had before
it: numbers of 8 bits may be a step off where float32 breaks a tie otherwise, and are counted.
Gradients of the float32 files are compared with those of the original within 1e-4, those of the
float16 files in float64 with those of the original with the file's weights, and in float16 with
these; through the quantized ones gradients pass straight through.
Each model runs in a process of its own: some tools end theirs.

Run: python tests/benchmarks/found_files.py [--only bert,light_resnet50] [--tools "optimized;QDQ"]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx

sys.path[:0] = [str(Path(__file__).parents[1] / "helpers"), str(Path(__file__).parent)]

from converted_files import WRITERS  # noqa: E402  # python -P leaves these folders out
from judged_files import judge  # noqa: E402
from light_models import FOLDER as LIGHT  # noqa: E402
from light_models import feeds_for, smooth_with_drawn_weights  # noqa: E402

import onnxgrad as og  # noqa: E402

TORCH = Path(__file__).parents[1] / "fixtures" / "torch_models"

LARGE = 60_000_000
"""Bytes of weights above which a model is optimized and converted to float16 only."""


def names() -> list[str]:
    return [p.stem for folder in (TORCH, LIGHT) for p in sorted(folder.glob("*.onnx"))]


def prepare(name: str, folder: Path) -> tuple[Path, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Give a model's file, an example of its inputs, cotangents, and gradients of the original."""
    if not name.startswith("light_"):
        arrays: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, array in np.load(TORCH / f"{name}.npz").items():
            kind, _, value = key.partition("/")
            arrays[kind][value] = array
        return TORCH / f"{name}.onnx", arrays["input"], arrays["cotangent"], arrays["grad"]
    path = folder / f"{name}.onnx"
    model = smooth_with_drawn_weights(LIGHT / f"{name}.onnx")
    held = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in held]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = 8  # since 4 weights are no inputs; the tools count on it
    onnx.save(model, path)
    graph = og.load(path)
    feeds, (y,) = feeds_for(graph), graph.outputs
    shape = og.compile(graph, "onnxruntime").run(feeds)[y.name].shape
    cotangents = {y.name: np.random.default_rng(1).normal(size=shape).astype(np.float32)}
    image = graph.inputs[0].name
    gradient = og.compile(og.vjp(graph, y.name, image), "onnxruntime")
    found = gradient.run({**feeds, f"{y.name}.grad": cotangents[y.name]})
    return path, feeds, cotangents, {image: found[f"{image}.grad"]}


def judge_model(name: str, tools: list[str]) -> None:
    """Print the verdict on each file that the tools make of a model, a line of JSON each."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        source, *arrays = prepare(name, Path(folder))
        if source.stat().st_size > LARGE:
            tools = [t for t in tools if t in ("optimized", "float16")]
        for tool in tools:
            print(json.dumps({"tool": tool}), flush=True)
            verdict = judge(source, Path(folder) / "made.onnx", tool, *arrays)
            print(json.dumps({"tool": tool, **asdict(verdict)}), flush=True)


def in_a_process(name: str, tools: list[str]) -> list[dict[str, Any]]:
    """Judge a model in a process of its own; what ends it is the last tool's fault."""
    command = [sys.executable, "-P", __file__, "--only", name, "--tools", ";".join(tools)]
    ended = subprocess.run([*command, "--here"], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    verdicts = [line for line in lines if "made" in line]
    if ended.returncode and lines:
        tool = lines[-1]["tool"]
        last = (ended.stderr.splitlines() or ["it ended without a word"])[-1]
        error = {"tool": tool, "ended": last if ended.returncode > 0 else "the process was ended"}
        verdicts.append(error)
        left = tools[tools.index(tool) + 1 :]
        return verdicts + (in_a_process(name, left) if left else [])
    return verdicts


def report(results: dict[str, list[dict[str, Any]]]) -> int:
    """Print a row for each tool, what is wrong, and what else did not go; count what is wrong."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    calls: Counter[str] = Counter()
    wrong, aside = [], []
    for name, verdicts in results.items():
        for v in verdicts:
            row = rows[v["tool"]]
            if "ended" in v or v["made"] or v["runs"]:
                row["not judged"] += 1
                reason = v.get("ended") or v["made"] or v["runs"]
                aside.append(f"{name}, {v['tool']}: {reason}")
                continue
            calls.update(v["calls"])
            row["files"] += 1
            row["load"] += not v["refused"]
            row["right"] += not v["wrong"]
            row["gradients"] += v["compared"]
            row["a step off"] += v["flipped"]
            row["of"] += v["elements"]
            wrong += [f"{name}, {v['tool']}: {w} {v['refused']}" for w in v["wrong"]]
    columns = ("files", "load", "right", "gradients", "a step off", "of", "not judged")
    print("| tool | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for tool, row in rows.items():
        print(f"| {tool} | " + " | ".join(str(row[c]) for c in columns) + " |")
    print("\noperators:", ", ".join(f"{op} {n}" for op, n in calls.most_common()))
    for title, lines in (("not judged", aside), ("wrong", wrong)):
        print(f"\n{title}:", *(lines or ["nothing"]), sep="\n  ")
    return len(wrong)


def main() -> int:
    """Judge the models; the exit status is 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="models, separated by commas")
    parser.add_argument("--tools", default=";".join(WRITERS), help="separated by semicolons")
    parser.add_argument("--here", action="store_true", help="one model, in this process")
    given = parser.parse_args()
    chosen, tools = given.only.split(",") if given.only else names(), given.tools.split(";")
    if given.here:
        judge_model(chosen[0], tools)
        return 0
    return 1 if report({name: in_a_process(name, tools) for name in chosen}) else 0


if __name__ == "__main__":
    sys.exit(main())
