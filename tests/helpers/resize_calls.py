"""Random calls of Resize and their gradients, each beside the matrix that the forward pass is."""

from typing import Any

import numpy as np
from exact_calls import Array, Call, Random
from folded_and_fed import feeds_of, graph_of
from op_samples.resize import PLACES as PLACES_BY_SCALE

import onnxgrad as og

PLACES = (*PLACES_BY_SCALE, "tf_crop_and_resize")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SCALES = (0.5, 0.6, 1.0, 1.5, 2.0)


def draw(random: Random) -> Call:
    """Draw x, of float64, and how it is resized, every attribute among it."""
    rank = int(random.integers(1, 5))
    shape = [int(n) for n in random.integers(1, 7, rank)]
    shape[: rank - 2] = [int(n) for n in random.integers(1, 3, max(rank - 2, 0))]
    axes, attributes = list(range(rank)), _attributes(random)
    if random.integers(2):
        axes = [int(k) for k in random.permutation(rank)[: random.integers(1, rank + 1)]]
        attributes["axes"] = [axis - rank * int(random.integers(2)) for axis in axes]
    kept = [rank == 4 and axis < 2 and random.random() < 0.8 for axis in axes]
    before = np.array([shape[axis] for axis in axes])
    scales = sizes = roi = None
    if random.integers(2):
        drawn = np.where(
            kept, 1, [random.choice([*SCALES, random.uniform(0.3, 2.6)]) for _ in axes]
        )
        scales = np.maximum(drawn, 1.001 / before).astype(np.float32)
    else:
        sizes = np.where(kept, before, random.integers(1, 9, len(axes)))
        if random.integers(3) == 0:
            policy = str(random.choice(["not_larger", "not_smaller"]))
            attributes["keep_aspect_ratio_policy"] = policy
    if attributes["coordinate_transformation_mode"] == "tf_crop_and_resize":
        ends = (random.uniform(low, low + 0.6, len(axes)) for low in (-0.2, 0.6))
        roi = np.concatenate([*ends])
        attributes["extrapolation_value"] = float(random.choice([0, 10]))
    return Call("Resize", [random.uniform(-1, 1, shape), roi, scales, sizes], attributes)


def _attributes(random: Random) -> dict[str, Any]:
    mode = str(random.choice(["nearest", "linear", "cubic"]))
    attributes: dict[str, Any] = {"mode": mode}
    attributes["coordinate_transformation_mode"] = str(random.choice(PLACES))
    if mode == "nearest":
        return attributes | {"nearest_mode": str(random.choice(ROUNDINGS))}
    for name in ("antialias", "exclude_outside"):
        if random.integers(3) == 0:
            attributes[name] = 1
    if mode == "cubic":
        attributes["cubic_coeff_a"] = float(random.choice([-0.75, -0.6, -0.5]))
    return attributes


def in_single(call: Call) -> Call:
    """Give the call in float32."""
    inputs = [
        a.astype(np.float32) if a is not None and a.dtype.kind == "f" else a for a in call.inputs
    ]
    return Call(call.op, inputs, call.attributes)


def forward(call: Call, backend: str) -> tuple[Array, Array]:
    """Give y where x is zero, and the matrix (y, x) that what is added to x is multiplied by.

    It is found by resizing the elements of x one by one.
    """
    (x,) = call.inputs[:1]
    assert x is not None
    run = og.compile(graph_of(call, [0]), backend).run
    start = run({"x0": np.zeros_like(x)})["y0"]
    columns = []
    for place in range(x.size):
        one = np.zeros(x.size, x.dtype)
        one[place] = 1
        columns.append((run({"x0": one.reshape(x.shape)})["y0"] - start).ravel())
    return start, np.stack(columns, -1)


def gradient(call: Call, backend: str, fed: "range | list[int]", dy: Array) -> Array:
    """Give the gradient by x, with the inputs `fed` given at run time."""
    graph = graph_of(call, fed)
    backward = og.compile(og.vjp(graph, "y0", "x0"), backend)
    return np.asarray(backward.run({**feeds_of(graph, call), "y0.grad": dy})["x0.grad"])


def disagreement(call: Call, backend: str) -> str:
    """Say how the gradient on a backend differs from the transposed matrix of a forward pass.

    That is the backend's own; where onnxruntime resizes in another way than the standard, NumPy's
    will do. Empty where they agree, and where the backend has no kernel for the call.
    """
    call, tolerance = (call, 1e-9) if backend == "numpy" else (in_single(call), 2e-4)
    try:
        passes = [forward(call, name) for name in dict.fromkeys([backend, "numpy"])]
    except og.OnnxgradError:
        return ""
    y, _ = passes[-1]
    dy = np.random.default_rng(7).uniform(0.5, 1.5, y.shape).astype(y.dtype)
    shape = np.shape(call.inputs[0])  # type: ignore[arg-type]
    right = [(m.T @ dy.ravel()).reshape(shape) for own, m in passes if own.shape == y.shape]
    for fed in ([0], range(4)):
        try:
            actual = gradient(call, backend, fed, dy)
        except og.OnnxgradError:
            if fed == [0]:
                raise
            continue  # which axes are resized only run time tells, and there is no kernel for all
        error = tolerance * max(1, np.abs(dy).sum())
        if not any(np.allclose(actual, expected, tolerance, error) for expected in right):
            return f"{call}: {actual} with {len(fed)} inputs fed, right is {right[0]}"
    return ""
