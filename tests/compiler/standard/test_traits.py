"""Every operator of the standard has a trait, or stands in the list of those that have none."""

import numpy as np
import onnx
import pytest

import onnxgrad as og
from onnxgrad.compiler.standard import traits
from onnxgrad.compiler.standard.schemas import find_schema

SETS = {name: found for name, found in vars(traits).items() if isinstance(found, frozenset)}

WITHOUT = {
    "AffineGrid", "ArgMax", "ArgMin", "Attention", "AveragePool", "BatchNormalization",
    "CausalConvWithState", "Col2Im", "ConcatFromSequence", "Conv", "ConvInteger", "ConvTranspose",
    "CumProd", "CumSum", "DFT", "DeformConv", "Det", "Dropout", "Einsum", "GRU", "Gemm",
    "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GridSample", "GroupNormalization",
    "Hardmax", "InstanceNormalization", "LRN", "LSTM", "LayerNormalization", "LinearAttention",
    "LogSoftmax", "LpNormalization", "LpPool", "MatMul", "MatMulInteger", "MaxPool", "MaxRoiPool",
    "MaxUnpool", "MeanVarianceNormalization", "NegativeLogLikelihoodLoss", "Optional",
    "OptionalGetElement", "OptionalHasElement", "RMSNormalization", "RNN", "RandomNormal",
    "RandomUniform", "RegexFullMatch", "RoiAlign", "RotaryEmbedding", "STFT", "ScatterElements",
    "ScatterND", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase",
    "SequenceInsert", "SequenceLength", "Softmax", "SoftmaxCrossEntropyLoss", "SplitToSequence",
    "StringNormalizer", "TfIdfVectorizer", "TopK",
}  # fmt: skip
"""Operators that none of the sets says anything of."""


def test_every_operator_is_spoken_of() -> None:
    live = {s.name for s in onnx.defs.get_all_schemas() if not s.domain and not s.deprecated}
    named = frozenset().union(*SETS.values())
    assert live - named == WITHOUT - named
    assert not named - live - {"Upsample"}, "no operator of the standard"


@pytest.mark.parametrize("name", sorted(traits.REDUCTIONS))
def test_reductions_are_called_alike(name: str) -> None:
    schema = find_schema(name)
    assert schema is not None and len(schema.inputs) == 2
    assert set(schema.attributes) == {"keepdims", "noop_with_empty_axes"}


@pytest.mark.parametrize("name", sorted(traits.ELEMENTWISE))
def test_elementwise_operators_get_a_batch_without_a_loop(name: str) -> None:
    schema = find_schema(name)
    assert schema is not None
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    count = max(schema.min_input, min(schema.max_input, 2))
    b = og.Builder()
    inputs = []
    for k in range(count):
        types = allowed[schema.inputs[min(k, len(schema.inputs) - 1)].type_str]
        kinds = {"float": "float32", "bool": "bool", "uint8": "uint8", "string": "str"}
        dtype = next(d for t, d in kinds.items() if f"tensor({t})" in types)
        scalar = name == "Clip" and k
        inputs.append(b.input(f"x{k}", dtype, () if scalar else (3,)))
    settings = {"BitShift": {"direction": "LEFT"}, "Cast": {"to": "float64"}}
    b.output(getattr(b.op, name)(*inputs, **settings.get(name, {})), "y")
    batched = og.vmap(b.build())
    assert "Loop" not in [n.op_type for n in batched.nodes()]


SLOPES = np.array([1.0, 10.0], np.float32)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_a_slope_of_its_own_for_each_example(backend: str) -> None:
    """PRelu broadcasts the slope to x only, so that x has to be repeated"""
    b = og.Builder()
    x = b.constant(-np.ones((2, 3), np.float32))
    slope = b.input("slope", "float32", ())
    b.output(b.op.ReduceSum(b.op.PRelu(x, slope), keepdims=0), "y")
    batched = og.compile(og.vmap(b.build()), backend)
    np.testing.assert_array_equal(batched.run({"slope": SLOPES})["y"], [-6, -60])


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_bounds_of_their_own_for_each_example(backend: str) -> None:
    """Clip takes scalars, so that those of a batch cannot be its inputs"""
    b = og.Builder()
    x, low, high = b.input("x", "float32", (3,)), *(b.input(n, "float32", ()) for n in "ab")
    b.output(b.op.Clip(x, low, high), "y")
    batched = og.compile(og.vmap(b.build(), inputs=["a", "b"]), backend)
    feeds = {"x": [-2, 0, 2], "a": [-1, 1], "b": [1, 0.5]}
    result = batched.run({k: np.array(v, np.float32) for k, v in feeds.items()})["y"]
    np.testing.assert_array_equal(result, [[-1, 0, 1], [0.5, 0.5, 0.5]])
