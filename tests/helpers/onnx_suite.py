"""ONNX's own conformance suite: its cases, and one run of a case on a backend of ours."""

import functools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TypeProto, ValueInfoProto, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner
from onnx.reference import ReferenceEvaluator

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype

FILES = ("simple", "pytorch-operator", "pytorch-converted")
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

DRAWN = ("test_bernoulli", "test_training_dropout")
"""The cases of these names expect what was drawn once; they are judged by their distribution."""

DRAWS = 100

ROUNDED = ("test_attention_4d_causal_fp16", "test_attention_4d_causal_fp16_expanded")
"""Cases that expect float16 to be rounded after each step of Softmax.

The standard prescribes Exp(x)/ReduceSum(Exp(x)), not where its numbers are rounded. Who rounds once
is up to two units in the last place away from what is expected, and closer to the exact result:
such outputs may be no farther from that than what is expected is.
"""

STEEP = "test_squeezenet"
"""A case with dummy weights, whose logits are near 10¹⁰: one unit of float32 is 1,024 there.

What additions round to decides whether Softmax gives 0, and that differs from processor to
processor. The logits are compared instead: what is expected of Softmax says how far apart they are.
"""


@dataclass(frozen=True)
class Case:
    """One model with inputs and the outputs that they must give."""

    name: str
    kind: str
    rtol: float
    atol: float
    source: Any

    def model(self) -> ModelProto:
        """Give the model."""
        if self.kind == "node":
            model: ModelProto = self.source.model
            return model
        if self.kind == "light":
            return onnx.load(LIGHT / f"light_{self.source.model_name}.onnx")
        return onnx.load(Path(self.source.model_dir) / "model.onnx")

    def data(self, model: ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
        """Yield inputs and expected outputs, in the model's order."""
        if self.kind == "node":
            for inputs, outputs in self.source.data_sets:
                yield [_array(v) for v in inputs], [_array(v) for v in outputs]
        elif self.kind == "light":
            yield _light_data(self.source.model_name, model)
        else:
            for folder in sorted(Path(self.source.model_dir).glob("test_data_set_*")):
                yield (
                    _read_all(folder, "input", model.graph.input),
                    _read_all(folder, "output", model.graph.output),
                )


@functools.cache
def load_cases() -> tuple[Case, ...]:
    """Give every case; the first call takes ten seconds."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # ONNX's generators overflow on purpose
        loaded = {kind: load_model_tests(kind=kind) for kind in ("node", *FILES, "real")}
    return tuple(
        Case(c.name, "light" if kind == "real" else kind, c.rtol, c.atol, c)
        for kind, cases in loaded.items()
        for c in cases
    )


def check_case(case: Case, backend: str) -> None:
    """Load, compile and run a case; raise where an output is not what the suite expects."""
    model = case.model()
    if case.name.startswith(DRAWN):
        _check_distribution(case, model, backend)
        return
    if case.name in ROUNDED:
        _check_accuracy(case, model, backend)
        return
    graph = og.load(model)
    if case.name == STEEP:
        _check_logits(case, graph, backend)
        return
    compiled = og.compile(graph, backend)
    for inputs, expected in case.data(model):
        results = compiled.run(named_feeds(model, graph, inputs))
        actual = [results[o.name] for o in model.graph.output]
        compare_outputs(actual, expected, case)


def named_feeds(model: ModelProto, graph: og.Graph, inputs: Sequence[Any]) -> dict[str, Any]:
    fed = {v.name for v in graph.inputs}  # old models list their weights as inputs, too
    pairs = zip(model.graph.input, inputs, strict=False)
    return {i.name: a for i, a in pairs if i.name in fed}


def _check_logits(case: Case, graph: og.Graph, backend: str) -> None:
    """Compare the differences of logits, which are the logarithms of what Softmax gives."""
    (output,) = graph.outputs
    (softmax,) = (n for n in graph.nodes() if n.op_type == "Softmax")
    graph.outputs.append(softmax.first_input)
    model = case.model()
    for inputs, (expected,) in case.data(model):
        results = og.compile(graph, backend).run(named_feeds(model, graph, inputs))
        y, logits = results[output.name], results[softmax.first_input.name]
        assert y.shape == expected.shape and y.dtype == expected.dtype
        wanted = np.log(expected).reshape(logits.shape)
        off = (logits - logits.max()) - (wanted - wanted.max())
        assert np.abs(off).max() <= 1e-6 * np.abs(logits).max()


def _check_distribution(case: Case, model: ModelProto, backend: str) -> None:
    """Draw often: what is kept must be right, and how often within five standard deviations."""
    inputs, expected = next(case.data(model))
    feeds = {i.name: a for i, a in zip(model.graph.input, inputs, strict=True)}
    x = feeds["x"]
    probability = x if "bernoulli" in case.name else 1 - feeds.get("r", 0.5)
    if case.name.startswith("test_bernoulli") and case.name.endswith("_expanded"):
        # the operator gives 1 with probability p, but ONNX's body of it, which is executed here as
        # it is written, gives 1 where a uniform number is greater than p
        assert "Greater" in {n.op_type for n in model.graph.node}
        probability = 1 - x
    total = np.zeros(x.shape)
    for compiled in _reseeded(model, backend):
        results = compiled.run(feeds)
        for info, b in zip(model.graph.output, expected, strict=True):
            drawn = results[info.name]
            assert drawn.dtype == b.dtype and drawn.shape == b.shape
        y = results["y"]
        kept = y != 0
        wanted = np.where(kept, 1 if "bernoulli" in case.name else x / probability, 0)
        np.testing.assert_allclose(y, wanted, rtol=1e-5)
        np.testing.assert_array_equal(results.get("z", kept), kept)
        total += kept
    deviation = np.sqrt(probability * (1 - probability) / DRAWS) + 1e-9
    np.testing.assert_array_less(np.abs(total / DRAWS - probability), 5 * deviation)


def _check_accuracy(case: Case, model: ModelProto, backend: str) -> None:
    """Compare with the reference in float64; in the largest and in the mean error."""
    graph = og.load(model)
    exact = ReferenceEvaluator(og.to_onnx(with_dtype(graph, np.dtype(np.float64)), opset=23))
    for inputs, expected in case.data(model):
        feeds = {i.name: a for i, a in zip(model.graph.input, inputs, strict=True)}
        results = og.compile(graph, backend).run(feeds)
        truth: Any = exact.run(None, {n: a.astype(np.float64) for n, a in feeds.items()})
        for info, wanted, right in zip(model.graph.output, expected, truth, strict=True):
            ours = results[info.name]
            assert ours.dtype == wanted.dtype and ours.shape == wanted.shape
            ours_off, wanted_off = (np.abs(np.float64(a) - right) for a in (ours, wanted))
            assert ours_off.max() <= wanted_off.max() and ours_off.mean() <= wanted_off.mean()


def _reseeded(model: ModelProto, backend: str) -> Iterator[Any]:
    """Yield the compiled model for each draw, with another seed each time if it has one."""
    seeds = [a for n in model.graph.node for a in n.attribute if a.name == "seed"]
    compiled = og.compile(og.load(model), backend)
    for seed in np.random.default_rng(0).integers(1 << 24, size=DRAWS):
        for attribute in seeds:
            attribute.f, attribute.i = float(seed), int(seed)
        yield og.compile(og.load(model), backend) if seeds else compiled


def compare_outputs(actual: Sequence[Any], expected: Sequence[Any], case: Case) -> None:
    """Compare as the suite does; it knows no empty optional and no 4-bit or 8-bit floats."""
    assert len(actual) == len(expected), f"{len(actual)} outputs, expected {len(expected)}"
    for a, b in zip(actual, expected, strict=True):
        if b is None:
            assert a is None, f"expected an empty optional, got {a!r}"
        elif isinstance(b, list):
            assert isinstance(a, list), f"expected a sequence, got {type(a).__name__}"
            compare_outputs(a, b, case)
        else:
            Runner.assert_similar_outputs([b], [a], case.rtol, case.atol)


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _read_all(folder: Path, role: str, infos: Sequence[ValueInfoProto]) -> list[Any]:
    files = (folder / f"{role}_{k}.pb" for k in range(len(infos)))
    return [
        _read(file, info.type) for file, info in zip(files, infos, strict=True) if file.exists()
    ]


def _read(file: Path, type_: TypeProto) -> Any:
    data = file.read_bytes()
    if type_.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if type_.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def _light_data(name: str, model: ModelProto) -> tuple[list[Any], list[Any]]:
    """Give the suite's dummy inputs, in whose order the model's weights come after, or between."""
    weights = {i.name for i in model.graph.initializer}
    inputs = [
        numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == i.name))
        if i.name in weights
        else Runner.generate_dummy_data(i, name=name)
        for i in model.graph.input
    ]
    files = (LIGHT / f"light_{name}_output_{k}.pb" for k in range(len(model.graph.output)))
    infos = model.graph.output
    return inputs, [_read(f, i.type) for f, i in zip(files, infos, strict=True)]
