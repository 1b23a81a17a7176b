"""What sizes and lists cannot be is refused where they are fed, as where they are known."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

X = np.arange(6, dtype=np.float32).reshape(3, 2)
ROOM = np.ones((1, 2, 2, 2), np.float32)
ROOM_PLACES = np.arange(8).reshape(ROOM.shape)
CROP = {"coordinate_transformation_mode": "tf_crop_and_resize"}
WIDE = np.zeros((2, 3), np.int64)

CALLS: list[tuple[str, list[Any], dict[str, Any], str]] = [
    ("Split", [X, [4, -1]], {"outputs": 2}, "a part cannot have -1 elements"),
    ("Tile", [X, [2]], {}, "repeats must have the shape (2,)"),
    ("Pad", [X, [1, 1], None, [2]], {}, "axes names 2"),
    ("Pad", [X, [1, 1], None, [-3]], {}, "axes names -3"),
    ("OneHot", [[0, 1], -2, [0.0, 1.0]], {}, "depth must be 0 or more, not -2"),
    ("OneHot", [[0, 1], 2, [0.0, 1.0, 2.0]], {}, "values must have the shape (2,)"),
    ("GatherElements", [X, WIDE], {}, "indices have the size 3 along axis 1, where data has 2"),
    ("GatherElements", [X, WIDE.T + np.zeros((4, 3, 2), np.int64)[0]], {"axis": 1}, ""),
    ("ScatterElements", [X, WIDE, WIDE.astype(np.float32)], {}, "along axis 1, where data has 2"),
    ("ReverseSequence", [X, [4, 1]], {}, "sequence_lens must be from 0 to 3, not 4"),
    ("TopK", [X, [3]], {"outputs": 2}, "K must be from 0 to 2, not 3"),
    ("CumSum", [X, 2], {}, "axis must be from -2 to 1, not 2"),
    ("Reshape", [X, [-1, -1]], {}, "only one size can be −1"),
    ("Reshape", [X, [-2, 3]], {}, "-2 is not a size"),
    ("Reshape", [X, [6, 1, 0]], {}, "0 keeps axis 2, but x has rank 2"),
    ("Reshape", [X[:0], [0, -1]], {"allowzero": 1}, "beside a size of 0"),
    ("Reshape", [X, [4, 2]], {}, "6 elements cannot take the shape (4, 2)"),
    ("Expand", [X, [-1, 2]], {}, "has a negative size"),
    ("Slice", [X, [0, 0], [1, 1], [1, -1]], {}, "axes must differ from each other"),
    ("Pad", [X, [1, 1, 1, 1], None, [1, -1]], {}, "axes names an axis twice: [1, -1]"),
    ("Concat", [X, X[:, :1]], {"axis": 0}, "input 1 must have the shape (any, 2)"),
    ("CenterCropPad", [X, [2]], {}, "shape must have the shape (2,)"),
    ("CenterCropPad", [X, [2, -1]], {}, "shape must be 0 or more, not -1"),
    ("AffineGrid", [X.reshape(1, 2, 3), [1, 1, 2, -1]], {}, "size must be 0 or more, not -1"),
    ("TensorScatter", [ROOM, ROOM[:, :1], [0]], {"axis": 2}, "update must have the shape"),
    ("MaxRoiPool", [ROOM, np.ones((1, 4))], {"pooled_shape": [1, 1]}, "the shape (regions, 5)"),
    ("RoiAlign", [ROOM, np.ones((1, 5)), [0]], {}, "rois must have the shape (regions, 4)"),
    ("MaxUnpool", [ROOM, ROOM_PLACES, [4]], {"kernel_shape": [1, 1]}, "the shape (4,)"),
    ("MaxUnpool", [ROOM, ROOM_PLACES, [1, 2, 2, 1]], {"kernel_shape": [1, 1]}, "reach 2"),
    ("Resize", [X, None, [2.0]], {}, "scales has 1 entries, for 2 axes"),
    ("Resize", [X, None, np.ones(0)], {}, "scales has 0 entries, for 2 axes"),
    ("Resize", [X, None, None, np.array([], int)], {}, "sizes has 0 entries, for 2 axes"),
    ("Resize", [X, np.ones(0), [2.0, 1.0]], CROP, "roi has 0 entries, for 2 axes"),
    ("Slice", [X, [0, 0], [1]], {}, "ends must have the shape (2,)"),
    ("Slice", [X, [0, 0], [1, 1], [1]], {}, "axes must have the shape (2,)"),
    ("Slice", [X, [0], [1], [1], [1, 1]], {}, "steps must have the shape (1,)"),
    ("TopK", [X, [1, 2]], {}, "K must have the shape (1,)"),
    ("Resize", [X, None, None, [6, 4, 2]], {}, "sizes has 3 entries, for 2 axes"),
    ("Resize", [X, np.ones(3), [2.0, 1.0]], CROP, "roi has 3 entries, for 2 axes"),
    ("STFT", [X.reshape(1, 6, 1), -1, None, 4], {}, "frame_step must be 1 or more, not -1"),
    ("STFT", [X.reshape(1, 3, 2), 1, None, 3], {}, "a complex signal has no onesided transform"),
    ("Squeeze", [X[:, None], [1, -2]], {}, "axes must differ from each other"),
    ("Einsum", [X[:, :1]], {"equation": "ii->i"}, "its index i has the sizes 1 and 3 in 'ii'"),
    ("Attention", [ROOM, ROOM[:, :1], ROOM], {}, "K has 1 heads, V has 2"),
    ("Conv", [ROOM, ROOM[..., :0]], {}, "a kernel has elements along each axis, w has [2, 0]"),
    ("ConvTranspose", [ROOM, np.ones((2, 1, 0, 2))], {"auto_pad": "SAME_UPPER"}, "w has [0, 2]"),
    ("Attention", [*[ROOM] * 3, None, ROOM[..., :0], ROOM], {}, "past_key must have the shape"),
    ("Attention", [*[ROOM] * 3, None, ROOM, ROOM[:, :1]], {}, "past_value must have the shape"),
    ("Attention", [*[ROOM] * 3, None, ROOM, ROOM[:, :, :1]], {}, "past_key holds 2 keys, past"),
    ("GridSample", [ROOM, ROOM[..., :1]], {}, "grid must have the shape (1, any, any, 2)"),
    ("GridSample", [ROOM, ROOM[:0]], {}, "grid must have the shape (1, any, any, 2)"),
    ("GatherND", [X[:0], [[0]]], {}, "indices point into axes of [0], without elements"),
]


def fed(op: str, given: list[Any], attributes: dict[str, Any]) -> tuple[og.Graph, dict[str, Any]]:
    """Build a call of which nothing is known but the ranks."""
    b = og.Builder("fed")
    feeds: dict[str, Any] = {}
    for k, v in enumerate(given):
        if v is not None:
            array = np.asarray(v)
            feeds[f"x{k}"] = array.astype(np.float32) if array.dtype.kind == "f" else array
    inputs = [
        None
        if v is None
        else b.input(f"x{k}", feeds[f"x{k}"].dtype, [f"d{k}{a}" for a in range(np.ndim(v))])
        for k, v in enumerate(given)
    ]
    results = getattr(b.op, op)(*inputs, **attributes)
    for k, y in enumerate(results if isinstance(results, tuple) else [results]):
        b.output(y, f"y{k}")
    return b.build(), feeds


@pytest.mark.parametrize(("op", "given", "attributes", "reason"), CALLS)
def test_what_is_fed_is_checked(
    op: str, given: list[Any], attributes: dict[str, Any], reason: str
) -> None:
    graph, feeds = fed(op, given, attributes)
    compiled = og.compile(graph)
    if not reason:
        compiled.run(feeds)
        return
    for _ in range(2):  # the second run knows the sizes of the first
        with pytest.raises(og.GraphError) as caught:
            compiled.run(feeds)
        assert reason in str(caught.value)


def test_what_is_fed_is_checked_anew() -> None:
    graph, feeds = fed("Split", [X, [1, 2]], {"outputs": 2})
    compiled = og.compile(graph)
    assert compiled.run(feeds)["y0"].shape == (1, 2)
    with pytest.raises(og.GraphError, match="a part cannot have -1 elements"):
        compiled.run(feeds | {"x1": np.array([4, -1])})
    assert compiled.run(feeds | {"x1": np.array([2, 1])})["y0"].shape == (2, 2)


@pytest.mark.parametrize("axis", [2, -3])
def test_no_axis_is_taken_for_another_in_a_file(axis: int) -> None:
    """Pads of chosen axes are saved as pads of all axes."""
    graph, feeds = fed("Pad", [X, [1, 1], None, [axis]], {})
    session: Any = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    with pytest.raises(Exception, match="out of data bounds"):
        session.run(None, feeds)
    (y,) = session.run(None, feeds | {"x3": np.array([-2])})
    np.testing.assert_array_equal(y, np.pad(X, [(1, 1), (0, 0)]))


def test_a_loop_goes_on_by_one_bool() -> None:
    b = og.Builder("flags")
    x = b.input("x", "float32", (2,))
    body = b.subgraph(lambda i, keep, s: (s > 0.0, s), ("int64", ()), ("bool", ()), x)
    with pytest.raises(og.GraphError, match="must be one bool"):
        b.op.Loop(2, None, x, body=body)
