"""One call with its inputs as constants and as inputs at run time: both must give the same.

Stock onnxruntime, with every input fed, is the judge from outside.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from exact_calls import Call

import onnxgrad as og

Array = np.ndarray
Results = list[Array]


def disagreements(call: Call) -> list[str]:
    """Say in which ways a call with known inputs differs from the same call at run time."""
    every = range(len(call.inputs))
    known, fed, stock = on_numpy(call, []), on_numpy(call, every), on_onnxruntime(call, every)
    found = []
    if known is None or fed is None:
        if known is not None or (fed is not None and not _nothing_is_left_to_infer(call)):
            found.append("runs only with its inputs " + ("fed" if known is None else "known"))
        elif stock is not None and not may_differ(call) and not _nothing_is_left_to_infer(call):
            found.append("runs on onnxruntime alone")
        return found
    if not all(map(same, known, fed)):
        found.append(f"known {known}, fed {fed}")
    if stock is not None and is_folded(call) and not may_differ(call):
        alike = same if call.op != "Where" else equal  # whose kernel loses the sign of −0
        if not all(map(alike, known, stock)):
            found.append(f"known {known}, on onnxruntime {stock}")
    return found


def graph_of(call: Call, fed: Sequence[int] = ()) -> og.Graph:
    """Build the graph of a call; the inputs `fed` are given at run time, the others constants."""
    b = og.Builder("call")
    values = [
        None if a is None else b.input(f"x{k}", a.dtype, a.shape) if k in fed else b.constant(a)
        for k, a in enumerate(call.inputs)
    ]
    results = getattr(b.op, call.op)(*values, outputs=call.outputs, **call.attributes)
    for k, y in enumerate(results if isinstance(results, tuple) else [results]):
        b.output(y, f"y{k}")
    return b.build()


def feeds_of(graph: og.Graph, call: Call) -> dict[str, Array]:
    """Give the arrays of the inputs that a graph of the call has."""
    arrays = {f"x{k}": a for k, a in enumerate(call.inputs) if a is not None}
    return {v.name: arrays[v.name] for v in graph.inputs}


def is_folded(call: Call) -> bool:
    """Tell whether the results are known before the graph runs."""
    try:
        return all(v.constant is not None for v in graph_of(call).outputs)
    except og.OnnxgradError:
        return False


def on_numpy(call: Call, fed: Sequence[int]) -> Results | None:
    """Run a call on NumPy; None where it is refused."""
    try:
        graph = graph_of(call, fed)
        return list(og.compile(graph).run(feeds_of(graph, call)).values())
    except og.OnnxgradError:
        return None


def on_onnxruntime(call: Call, fed: Sequence[int]) -> Results | None:
    """Run a call on stock onnxruntime; None where it has no kernel for it, or refuses it."""
    if _traps(call):
        return None
    try:
        graph = graph_of(call, fed)
        content = og.to_onnx(graph).SerializeToString()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        found: Any = session.run(None, feeds_of(graph, call))
    except Exception:  # its own exceptions derive from nothing else
        return None
    return [_as_typed(np.asarray(y), v.dtype) for y, v in zip(found, graph.outputs, strict=True)]


def _as_typed(array: Array, dtype: np.dtype) -> Array:
    """Read what onnxruntime gives as plain bytes where NumPy has no such dtype of its own."""
    alike = array.dtype != dtype and array.dtype.itemsize == dtype.itemsize
    return array.view(dtype) if alike else array


def _traps(call: Call) -> bool:
    """Tell whether onnxruntime would divide integers where the processor traps."""
    if call.op not in ("Div", "Mod"):
        return False
    x, y = call.inputs
    assert x is not None and y is not None
    if x.dtype.kind not in "iu":
        return False
    lowest = np.any(x == np.iinfo(x.dtype).min) and x.dtype.kind == "i"
    return not y.all() or bool(lowest and np.any(y == -1))


def may_differ(call: Call) -> bool:
    """Tell whether onnxruntime is known to do otherwise than the standard says.

    Gather moves one text of each slice. GatherND looks at no index where its slices have no
    elements: it gives as many of them. Squeeze takes an empty list of axes for none given. Slice
    takes the largest integer for the far end, backwards too. Sums and products of integers are
    computed in double, some of them. ReduceProd of an int32 that does not fit saturates.
    """
    first = call.inputs[0] if call.inputs else None
    match call.op:
        case "Gather":
            return first is not None and first.dtype.kind == "O"
        case "GatherND":
            return first is not None and not first.size
        case "Squeeze":
            return len(call.inputs) > 1 and not np.size(call.inputs[1])  # type: ignore[arg-type]
        case "Slice":
            ends = call.inputs[2]
            return ends is not None and np.iinfo(ends.dtype).max in ends
        case "ReduceSum" | "ReduceProd":
            return first is not None and bool(np.any(np.abs(first.astype(np.float64)) > 2**31))
    return False


def _nothing_is_left_to_infer(call: Call) -> bool:
    """Tell whether a Reshape asks for what is left of no elements: it is refused where known."""
    if call.op != "Reshape":
        return False
    x, shape = call.inputs
    return x is not None and shape is not None and not x.size and -1 in shape


def same(a: Array, b: Array) -> bool:
    """Tell whether arrays agree in dtype, shape, numbers, and the signs of zeros."""
    if not equal(a, b):
        return False
    if a.dtype.kind in "OUSbiu":
        return True
    zeros = a == 0
    return bool(np.array_equal(np.signbit(a[zeros]), np.signbit(b[zeros])))


def equal(a: Array, b: Array) -> bool:
    """Tell whether arrays agree in dtype, shape and numbers; NaN is NaN."""
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.shape != b.shape:
        return False
    if a.dtype.kind in "OUS":
        return a.tolist() == b.tolist()
    return a.dtype == b.dtype and bool(np.all((a == b) | ((a != a) & (b != b))))
