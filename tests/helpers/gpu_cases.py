"""What the cupy backend must do as NumPy does: kernels, gradients of every operator, whole models.

The GPU tests run them on a GPU, the others on fake_cupy.py.
"""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from onnx_suite import Case, check_case, load_cases
from op_samples import SAMPLES
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og

TESTS = Path(__file__).parents[1]
MODELS = sorted((TESTS / "fixtures/torch_models").glob("*.onnx"))
ROUNDED = {"test_attention_4d_causal_fp16"}
"""Cases whose tolerance is below one unit of float16, which only the reference's order meets."""

LISTED = TESTS / "backends/expected_failures.toml"


@dataclass(frozen=True)
class GpuCase:
    """One thing that is run on the GPU and compared; `check` raises where it differs."""

    kind: str
    name: str
    check: Callable[[], None]


def gpu_cases(few: bool = False) -> Iterator[GpuCase]:
    """Give ONNX's own cases, the gradients of all samples, the models exported by torch.

    `few`: leave out ONNX's expanded cases, every other way of asking for sizes, most models.
    """
    listed = ROUNDED | tomllib.loads(LISTED.read_text()).keys()
    for case in load_cases():
        if case.name not in listed and not (
            few and ("expanded" in case.name or case.kind != "node")
        ):
            yield GpuCase("kernel", case.name, partial(check_kernel, case))
    for k, sample in enumerate(SAMPLES):
        for symbolic in [bool(k % 2)] if few else [False, True]:
            name = f"{k}-{sample}-{'symbolic' if symbolic else 'static'}"
            yield GpuCase("gradient", name, partial(check_gradient, sample, symbolic))
    for path in MODELS[:: 5 if few else 1]:
        yield GpuCase("model", path.stem, partial(check_model, path))


def check_all(kind: str, few: bool = False) -> None:
    """Check every case of a kind, then fail once, with all that went wrong."""
    wrong = []
    for case in gpu_cases(few):
        if case.kind == kind:
            try:
                case.check()
            except Exception as error:
                wrong.append(f"{case.name}: {type(error).__name__}: {str(error)[:300]}")
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong)


def check_kernel(case: Case) -> None:
    """Run one of ONNX's cases."""
    check_case(case, "cupy")


def check_gradient(sample: Sample, symbolic: bool) -> None:
    """Compare an operator's gradient in float32 with NumPy's."""
    forward = graph_of(sample, symbolic, dtype=np.float32)
    feeds = feeds_of(forward, sample)
    names = float_outputs(forward)
    results = og.compile(forward).run(feeds)
    agree(og.vjp(forward, names, wrt_of(sample)), feeds | cotangents(results, names))


def check_model(path: Path) -> None:
    """Compare a model's outputs and gradients by inputs and parameters with NumPy's."""
    graph = og.load(path)
    arrays = np.load(path.with_suffix(".npz"))
    names = [v.name for v in graph.outputs]
    feeds = {v.name: arrays[f"input/{v.name}"] for v in graph.inputs}
    feeds |= {f"{name}.grad": arrays[f"cotangent/{name}"] for name in names}
    parameters = [v.name for v in graph.values() if v.parameter]
    known = {key.removeprefix("grad/") for key in arrays if key.startswith("grad/")}
    wrt = [n for n in [*(v.name for v in graph.inputs), *parameters] if n in known]
    agree(og.vjp(graph, names, wrt), feeds)


def agree(graph: og.Graph, feeds: dict[str, Any]) -> None:
    """Assert that NumPy and CuPy give the same."""
    report = og.validate(graph, feeds, ["numpy", "cupy"])
    assert report, str(report)
