"""Windows lie where the standard has them, in onnxruntime and in saved files, whatever the padding.

The values, slopes and Indices are those of loops over each window's elements, written here.
"""

import itertools
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxgrad as og

PLACES = {
    "dilated": ((8,), (3,), (2,), (2,), (0, 1)),
    "stride longer than the kernel": ((3, 6), (2, 2), (4, 3), (1, 1), (0, 0, 0, 0)),
    "padded by more than the kernel": ((10,), (3,), (4,), (3,), (4, 3)),
    "in three axes": ((4, 5, 3), (2, 2, 2), (2, 1, 3), (1, 2, 1), (1, 0, 0, 0, 1, 1)),
}
Place = tuple[tuple[int, ...], ...]


def windows(place: Place, mode: str, ceil: int) -> Any:
    """Give each window's position, its elements' positions, and how many count with padding."""
    sizes, kernel, strides, dilations, pads = place
    rank, begins, ends, counts = len(sizes), [], [], []
    for k, size in enumerate(sizes):
        reach = (kernel[k] - 1) * dilations[k] + 1
        if mode == "NOTSET":
            begin, end = pads[k], pads[rank + k]
            room = size + begin + end - reach
            count = (-(-room // strides[k]) if ceil else room // strides[k]) + 1
            count -= ceil and (count - 1) * strides[k] >= size + begin
        else:
            count = -(-size // strides[k])
            total = max(0, (count - 1) * strides[k] + reach - size)
            begin = total // 2 if mode == "SAME_UPPER" else total - total // 2
            end = total - begin
        begins.append(begin)
        ends.append(end)
        counts.append(count)
    for at in itertools.product(*map(range, counts)):
        taps = [
            [o * s + t * d - b for t in range(k)]
            for o, s, d, b, k in zip(at, strides, dilations, begins, kernel, strict=True)
        ]
        inside = [[p for p in t if 0 <= p < n] for t, n in zip(taps, sizes, strict=True)]
        padded = [
            [p for p in t if -b <= p < n + e]
            for t, n, b, e in zip(taps, sizes, begins, ends, strict=True)
        ]
        elements = [tuple(p) for p in itertools.product(*inside)]
        yield at, elements, len(list(itertools.product(*padded)))


def graph_of(op_type: str, place: Place, mode: str, symbolic: bool, **settings: int) -> og.Graph:
    sizes, kernel, strides, dilations, pads = place
    b = og.Builder("pool")
    shape = tuple(f"n{k}" for k in range(len(sizes))) if symbolic else sizes
    x = b.input("x", "float32", (1, 1, *shape))
    named: dict[str, Any] = {"auto_pad": mode} if mode != "NOTSET" else {"pads": pads}
    named |= {"kernel_shape": kernel, "strides": strides, "dilations": dilations} | settings
    two = 2 if op_type == "MaxPool" else 1
    results = getattr(b.op, op_type)(x, outputs=two, **named)
    for value, name in zip(results if two == 2 else [results], ("y", "indices"), strict=False):
        b.output(value, name)
    return og.vjp(b.build(), of="y", wrt="x")


def run_everywhere(graph: og.Graph, feeds: Any) -> Any:
    yield og.compile(graph).run(feeds)
    yield og.compile(graph, "onnxruntime").run(feeds)
    model = og.to_onnx(graph)
    onnx.checker.check_model(model, full_check=True)
    session: Any = onnxruntime.InferenceSession(model.SerializeToString())
    yield dict(zip([v.name for v in graph.outputs], session.run(None, feeds), strict=True))


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "NOTSET", "ceil"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "AveragePool, pads count", "LpPool"])
def test_windows_lie_where_the_standard_has_them(
    op_type: str, place: str, mode: str, symbolic: bool
) -> None:
    ceil, mode = int(mode == "ceil"), mode.replace("ceil", "NOTSET")
    if ceil and symbolic and "more" in place:
        return  # onnxruntime refuses it, for where the last window begins only run time tells
    op_type, _, counting = op_type.partition(", ")
    settings = {"ceil_mode": ceil} | ({"count_include_pad": 1} if counting else {})
    graph = graph_of(op_type, PLACES[place], mode, symbolic, **settings)
    rng = np.random.default_rng(3)
    x = rng.permutation(np.prod(PLACES[place][0])).reshape(PLACES[place][0]) / 7 + 0.1
    listed = list(windows(PLACES[place], mode, ceil))
    shape = tuple(np.max([at for at, _, _ in listed], 0) + 1)
    y, dx, dy = np.zeros(shape), np.zeros(x.shape), rng.normal(size=shape)
    indices = np.zeros(shape, np.int64)
    for at, elements, count in listed:
        values = np.array([x[e] for e in elements])
        if op_type == "MaxPool":
            best = elements[int(values.argmax())]
            y[at], indices[at] = x[best], np.ravel_multi_index(best, x.shape)
            dx[best] += dy[at]
            continue
        share = count if counting else len(values)
        y[at] = values.sum() / share if op_type == "AveragePool" else np.sqrt((values**2).sum())
        for e in elements:
            dx[e] += dy[at] / share if op_type == "AveragePool" else dy[at] * x[e] / y[at]
    feeds = {"x": x[None, None].astype(np.float32), "y.grad": dy[None, None].astype(np.float32)}
    for found in run_everywhere(graph, feeds):
        np.testing.assert_allclose(found["y"][0, 0], y, rtol=1e-5)
        np.testing.assert_allclose(found["x.grad"][0, 0], dx, rtol=1e-4, atol=1e-5)
        if op_type == "MaxPool":
            np.testing.assert_array_equal(found["indices"][0, 0], indices)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("op_type", ["Conv", "ConvInteger", "QLinearConv"])
def test_a_dilated_convolution_pads_to_the_same_size(
    op_type: str, mode: str, symbolic: bool
) -> None:
    """Of integers the zero point is what is padded with: it counts as nothing."""
    rng = np.random.default_rng(4)
    x, w = rng.integers(3, 9, 8), rng.integers(0, 5, 3)
    zero = 0 if op_type == "Conv" else 3
    expected = np.array(
        [
            sum((x[at] - zero) * w[t] for t, at in enumerate(taps) if 0 <= at < 8)
            for taps in np.arange(0, 8, 2)[:, None]
            + np.arange(3) * 2
            - (1 + (mode != "SAME_UPPER"))
        ]
    )
    b = og.Builder("dilated")
    dtype: Any = np.float32 if op_type == "Conv" else np.uint8
    given = b.input("x", dtype, (1, 1, "n" if symbolic else 8))
    weight = b.constant(w.astype(dtype)[None, None])
    settings: Any = {"auto_pad": mode, "dilations": [2], "strides": [2]}
    one, none = np.float32(1), np.uint8(0)
    match op_type:
        case "Conv":
            y = b.op.Conv(given, weight, **settings)
        case "ConvInteger":
            y = b.op.ConvInteger(given, weight, np.uint8(zero), **settings)
        case _:
            quantized = given, one, np.uint8(zero), weight, one, none, one, none
            y = b.op.QLinearConv(*quantized, **settings)
    b.output(y, "y")
    for found in run_everywhere(b.build(), {"x": x.astype(dtype)[None, None]}):
        np.testing.assert_array_equal(found["y"][0, 0], expected)
