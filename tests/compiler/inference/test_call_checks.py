"""Calls whose attributes and sizes do not fit: refused while building, or as they run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

CASES: dict[str, tuple[str, list[tuple[int, ...]], dict[str, Any], str]] = {
    "kernel": ("Conv", [(1, 2, 5), (3, 2, 3)], {"kernel_shape": [2]}, "kernel_shape is not that"),
    "strides": ("Conv", [(1, 2, 5, 5), (3, 2, 3, 3)], {"strides": [2]}, "must have 2 entries"),
    "pads": ("MaxPool", [(1, 2, 5)], {"kernel_shape": [2], "pads": [1]}, "a begin and an end"),
    "both pads": (
        "AveragePool",
        [(1, 2, 5)],
        {"kernel_shape": [2], "pads": [1, 0], "auto_pad": "SAME_UPPER"},
        "auto_pad chooses the pads",
    ),
    "window": ("MaxPool", [(1, 2, 2)], {"kernel_shape": [3]}, "larger by 1 than axis 2, of size 2"),
    "image": ("Conv", [(1, 2, 2, 9), (3, 2, 3, 3)], {}, "larger by 1 than axis 2, of size 2"),
    "group": ("Conv", [(1, 4, 5), (3, 2, 3)], {"group": 2}, "3 maps cannot be shared by group=2"),
    "channels": ("ConvTranspose", [(1, 4, 5), (3, 2, 3)], {}, "x has 4 channels, w wants 3"),
    "transposed pads": ("ConvTranspose", [(1, 1, 2), (1, 1, 1)], {"pads": [2, 1]}, "of size -1"),
    "output padding": (
        "ConvTranspose",
        [(1, 1, 2), (1, 1, 2)],
        {"strides": [2], "output_padding": [2]},
        "output_padding must be less",
    ),
    "depth": ("DepthToSpace", [(1, 3, 2, 2)], {"blocksize": 2}, "3 channels are not a multiple of"),
    "space": ("SpaceToDepth", [(1, 3, 2, 3)], {"blocksize": 2}, "size 3 is not a multiple"),
    "groups": ("GroupNormalization", [(1, 3, 2), (3,), (3,)], {"num_groups": 2}, "num_groups=2"),
    "scale": ("InstanceNormalization", [(1, 3, 2), (2,), (3,)], {}, "scale must have the shape"),
    "axis": ("Softmax", [(2, 3)], {"axis": 2}, "axis must lie from -2 to 1, for rank 2"),
    "axes": ("MeanVarianceNormalization", [(2, 3)], {"axes": [0, -2]}, "axes must differ"),
    "perm": ("Transpose", [(2, 3)], {"perm": [0, 0]}, "perm must hold each of .0, 1. once"),
    "softcap": ("Attention", [(1, 2, 2, 4)] * 3, {"softcap": -1.0}, "softcap must be 0, for none"),
    "pairs": ("RotaryEmbedding", [(1, 1, 2, 3), *[(1, 2, 1)] * 2], {}, "turned in pairs"),
    "hidden": (
        "LSTM",
        [(2, 1, 3), (1, 8, 3), (1, 8, 2)],
        {"hidden_size": 3},
        r"W must have the shape \(1, 12, 3\)",
    ),
    "activations": (
        "GRU",
        [(2, 1, 3), (1, 6, 3), (1, 6, 2)],
        {"hidden_size": 2, "activations": ["Tanh"]},
        "activations must hold 2",
    ),
    "wide scale": (
        "LayerNormalization",
        [(2, 3), (4,)],
        {},
        "scale of the shape .* must broadcast",
    ),
    "slope": ("PRelu", [(3,), (4, 1)], {}, "slope of the shape .* must broadcast"),
    "stretched": ("RMSNormalization", [(2, 1), (4,)], {}, "scale of the shape .* must broadcast"),
    "one for two": ("Gemm", [(1, 2), (2, 3), (4, 3)], {}, "C must broadcast to"),
}

every_case = pytest.mark.parametrize("name", CASES)


def built(name: str, shape_of: Callable[[int, tuple[int, ...]], Any]) -> og.Graph:
    op_type, shapes, attributes, _ = CASES[name]
    b = og.Builder()
    inputs = [b.input(f"x{k}", "float32", shape_of(k, s)) for k, s in enumerate(shapes)]
    b.output(getattr(b.op, op_type)(*inputs, **attributes), "y")
    return b.build()


@every_case
def test_what_does_not_fit_is_refused_while_building(name: str) -> None:
    with pytest.raises(og.GraphError, match=CASES[name][3]):
        built(name, lambda k, shape: shape)


@every_case
@pytest.mark.parametrize("ranks", [True, False], ids=["symbolic", "unknown"])
def test_what_only_running_tells_is_refused_then(name: str, ranks: bool) -> None:
    feeds = {f"x{k}": np.ones(s, np.float32) for k, s in enumerate(CASES[name][1])}
    with pytest.raises(og.GraphError, match=CASES[name][3]):  # some fit no rank, or no size
        graph = built(
            name, lambda k, s: [f"d{k}_{axis}" for axis, _ in enumerate(s)] if ranks else None
        )
        og.compile(graph).run(feeds)


def test_sizes_are_looked_at_anew_when_they_change() -> None:
    f = og.compile(built("depth", lambda k, shape: ("N", "C", "H", "W")))
    for channels in (4, 8, 4):
        x = np.ones((1, channels, 2, 2), np.float32)
        assert f.run({"x0": x})["y"].shape == (1, channels // 4, 4, 4)
    with pytest.raises(og.GraphError, match="not a multiple of blocksize"):
        f.run({"x0": np.ones((1, 6, 2, 2), np.float32)})


@pytest.mark.parametrize("shape", [(2,), ("N",), None])
def test_a_condition_is_one_bool(shape: Any) -> None:
    b = og.Builder()
    condition, x = b.input("c", "bool", shape), b.input("x", "float32", (3,))
    branches = {"then_branch": b.subgraph(lambda: x), "else_branch": b.subgraph(lambda: -x)}
    if shape == (2,):
        with pytest.raises(og.GraphError, match="the condition must be one bool"):
            b.op.If(condition, **branches)
        return
    b.output(b.op.If(condition, **branches), "y")
    f = og.compile(b.build())
    ones = np.ones(3, np.float32)
    assert f.run({"c": np.array([False]), "x": ones})["y"][0] == -1
    with pytest.raises(og.GraphError, match="the condition must be one bool"):
        f.run({"c": np.array([True, True]), "x": ones})


@pytest.mark.parametrize("known", [True, False])
def test_sizes_that_are_values_must_fit_too(known: bool) -> None:
    for op_type, numbers, outputs in (
        ("Reshape", [4], None),
        ("Split", [1, 3], 2),
        ("Pad", [-2, 1, -2, -1], None),
        ("TopK", [4], 2),
    ):
        b = og.Builder()
        x = b.input("x", "float32", (2, 3) if known else ("N", "M"))
        call = getattr(b.op, op_type)
        if known:
            with pytest.raises(og.GraphError, match=op_type):
                call(x, numbers, outputs=outputs)
            continue
        given = b.input("given", "int64", (len(numbers),))
        found = call(x, given, outputs=outputs)
        b.output(found[0] if outputs else found, "y")
        with pytest.raises(og.GraphError, match=op_type):
            og.compile(b.build()).run(
                {"x": np.ones((2, 3), np.float32), "given": np.array(numbers)}
            )


def test_a_number_of_outputs_that_no_call_has_is_refused() -> None:
    """BatchNormalization gives one output, or three"""
    b = og.Builder()
    x = b.input("x", "float32", (1, 2, 3))
    each = np.ones(2, np.float32)
    with pytest.raises(og.GraphError, match="BatchNormalization.* does not fit: .*output size 2"):
        b.op.BatchNormalization(x, each, each, each, each, outputs=2)


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ([(2, 1, 3, 4), (0, 1, 5, 4), (2, 1, 5, 4)], "Q holds 2 examples, K holds 0"),
        ([(2, 1, 3, 4), (2, 1, 5, 4), (1, 1, 5, 4)], "Q holds 2 examples, V holds 1"),
        ([(2, 1, 3, 4), (2, 1, 5, 4), (2, 1, 4, 4)], "there are 5 keys, but 4 values"),
    ],
)
def test_attention_takes_as_many_examples_and_keys_as_values(shapes: Any, reason: str) -> None:
    b = og.Builder()
    q, k, v = (b.input(n, "float32", s) for n, s in zip("qkv", shapes, strict=True))
    with pytest.raises(og.GraphError, match=f"Attention.*{reason}"):
        b.op.Attention(q, k, v)


def test_parts_conditions_and_weights_that_cannot_be_are_refused() -> None:
    b = og.Builder()
    x, scores = b.input("x", "float32", (4,)), b.input("scores", "float32", (2, 3))
    with pytest.raises(og.GraphError, match="a part cannot have -1 elements"):
        b.op.Split(x, [-1, 5], outputs=2)
    with pytest.raises(og.GraphError, match="5 conditions for 4 elements"):
        b.op.Compress(x, np.ones(5, bool))
    labels, weights = np.array([0, 2]), np.ones(2, np.float32)
    for op_type in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"):
        with pytest.raises(og.GraphError, match="weights of the classes must have the shape"):
            getattr(b.op, op_type)(scores, labels, weights)
    with pytest.raises(og.GraphError, match="min must be one number"):
        b.op.Clip(x, np.zeros(2, np.float32))
    q, k = (b.input(n, "float32", (1, heads, 2, 4)) for n, heads in (("q", 3), ("k", 2)))
    with pytest.raises(og.GraphError, match="cannot share q_num_heads=3"):
        b.op.Attention(q, k, k, outputs=1)


@pytest.mark.parametrize("ranks", [(0, 0), (1, 1), (2, 2), (0, None), (None, 0), (None, 1)])
@pytest.mark.parametrize("op", ["Conv", "ConvInteger", "ConvTranspose", "DeformConv"])
def test_a_convolution_without_spatial_axes_is_refused(op: str, ranks: Any) -> None:
    b = og.Builder()
    dtype = "uint8" if op == "ConvInteger" else "float32"
    given = [b.input(f"x{k}", dtype, None if r is None else (1,) * r) for k, r in enumerate(ranks)]
    offsets = [b.input("offset", dtype, (1, 2, 1, 1))] if op == "DeformConv" else []
    with pytest.raises(og.GraphError, match="needs spatial axes behind its first two"):
        getattr(b.op, op)(*given, *offsets)


@pytest.mark.parametrize(("wanted", "fits"), [(8, True), (11, True), (12, False), (20, False)])
def test_an_output_shape_that_windows_cannot_reach_is_refused(wanted: int, fits: bool) -> None:
    """onnxruntime refuses the same; PyTorch's output_padding is less than the stride, too."""
    b = og.Builder()
    x, w = b.input("x", "float32", (1, 1, 3)), b.input("w", "float32", (1, 1, 3))
    if fits:
        assert b.op.ConvTranspose(x, w, strides=[3], output_shape=[wanted]).shape == (1, 1, wanted)
        return
    with pytest.raises(og.GraphError, match=f"asks for {wanted} where windows reach 9"):
        b.op.ConvTranspose(x, w, strides=[3], output_shape=[wanted])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_beyond_all_memory_are_refused(dtype: str) -> None:
    b = og.Builder()
    x = b.input("x", dtype, (1, 2, 4))
    calls: list[Callable[[], Any]] = [
        lambda: b.op.Resize(x, None, np.array([1, 1, 1e30], np.float32)),
        lambda: b.op.Tile(x, [2**40, 2**40, 1]),
        lambda: b.op.Expand(x, [2**62, 2, 4]),
        lambda: b.op.ConstantOfShape([2**62, 2]),
        lambda: b.op.Range(np.int64(0), np.int64(2**62), np.int64(1)),
        lambda: b.op.CenterCropPad(x, [1, 2, 2**62]),
    ]
    for call in calls:
        with pytest.raises(og.GraphError, match="its output would have the shape"):
            call()


def test_a_sequence_is_no_condition_of_a_loop() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2,))
    body = b.subgraph(
        lambda i, going, state: (b.op.SequenceConstruct(state), state),
        ("int64", ()),
        ("bool", ()),
        x,
    )
    with pytest.raises(og.GraphError, match="must be the bool that says whether to go on"):
        b.op.Loop(np.int64(3), True, x, body=body)
