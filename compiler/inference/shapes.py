"""Shape arithmetic: follow integer tensors that hold dimensions, symbols too (Value.elements).

It refines what ONNX's inference gave and never contradicts it; numbers alone are folded.
"""

from collections.abc import Callable

import numpy as np

from ..graph.dims import add, divide, multiply, negate, sum_of
from ..graph.ir import Node, Value
from ..graph.types import ANONYMOUS, Dim, Shape, TensorType, fresh_dim, numpy_dtype
from ..standard.schemas import attribute
from ..standard.traits import REDUCTIONS
from .exact_moves import sliced
from .ml_shapes import ML_SHAPES
from .window_shapes import WINDOW_SHAPES

Elements = tuple[Dim, ...]

LIMIT = 1024
"""Most elements of an integer tensor that are followed."""

_FAR = 2**31 - 1
"""A slice that ends here or later ends at the end."""


def elements_of(value: Value | None) -> Elements | None:
    """Give what an integer tensor of rank 0 or 1 holds, None where unknown."""
    if value is None:
        return None
    constant = value.constant
    if constant is None or value.parameter or constant.dtype.kind not in "iub":
        return value.elements
    if constant.ndim > 1 or constant.size > LIMIT:
        return None
    return tuple(int(v) for v in constant.ravel())


def infer_elements(node: Node) -> Elements | None:
    """Give the elements of a node's first output where its inputs' are known."""
    rule = _ELEMENTS.get(node.op_type) if not node.domain else None
    return rule(node) if rule is not None else None


def infer_shape(node: Node) -> Shape | None:
    """Give the shape of a node's first output where known elements determine it."""
    rule = _SHAPES.get(node.operator)
    return rule(node) if rule is not None else None


def refine(inferred: Shape | None, known: Shape | None) -> Shape | None:
    """Merge two true statements about a shape; numbers win over names, names over made-up."""
    if inferred is None or known is None or len(inferred) != len(known):
        return known if inferred is None else inferred
    return tuple(_better(a, b) for a, b in zip(inferred, known, strict=True))


def _better(a: Dim, b: Dim) -> Dim:
    return b if isinstance(a, str) and (isinstance(b, int) or ANONYMOUS in a) else a


# Elements of integer tensors


def _shape(node: Node) -> Elements | None:
    x = node.inputs[0]
    if x is None or not isinstance(x.type, TensorType) or x.shape is None:
        return None
    end = node.attributes.get("end")
    return x.shape[slice(attribute(node, "start"), end)]


def _size(node: Node) -> Elements | None:
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    return None if shape is None else (multiply(shape),)


def _gather(node: Node) -> Elements | None:
    x, indices = elements_of(node.inputs[0]), elements_of(node.inputs[1])
    if x is None or indices is None:
        return None
    if not all(isinstance(i, int) and -len(x) <= i < len(x) for i in indices):
        return None
    return tuple(x[i] for i in indices if isinstance(i, int))


def _slice(node: Node) -> Elements | None:
    x, *bounds = (elements_of(v) for v in node.inputs)
    starts, ends, axes, steps = [*bounds, None, None][:4]
    axes, steps = axes or (0,), steps or (1,)
    if x is None or starts is None or ends is None or axes[0] not in (0, -1):
        return None
    numbers = [b[0] for b in (starts, ends, steps) if len(b) == 1 and isinstance(b[0], int)]
    if len(numbers) != 3:
        return None
    return tuple(x[k] for k in sliced(len(x), *numbers))


def _concat(node: Node) -> Elements | None:
    parts = [elements_of(v) for v in node.inputs]
    if any(p is None for p in parts):
        return None
    return tuple(d for p in parts if p is not None for d in p)


def _same(node: Node) -> Elements | None:
    """Identity, Reshape, Squeeze, Unsqueeze: the elements stay where the rank is 0 or 1."""
    return elements_of(node.inputs[0])


def _cast(node: Node) -> Elements | None:
    to = numpy_dtype(node.attributes["to"])
    return elements_of(node.inputs[0]) if to in (np.int32, np.int64) else None


def _expand(node: Node) -> Elements | None:
    x, shape = elements_of(node.inputs[0]), elements_of(node.inputs[1])
    if x is None or shape is None or len(shape) > 1:
        return None
    count = shape[0] if shape else 1
    if len(x) == 1 and isinstance(count, int) and count <= LIMIT:
        return x * count
    return x if count in (1, len(x)) else None


def _elementwise(combine: Callable[[Dim, Dim], Dim | None]) -> Callable[[Node], Elements | None]:
    """Combine two inputs element by element."""

    def both(a: Elements | None, b: Elements | None) -> Elements | None:
        if a is None or b is None or not (len(a) == len(b) or 1 in (len(a), len(b))):
            return None
        size = len(a) if len(b) == 1 else len(b)
        pairs = zip(a * size if len(a) == 1 else a, b * size if len(b) == 1 else b, strict=False)
        results = [combine(p, q) for p, q in pairs]
        if any(r is None for r in results):
            return None
        return tuple(r for r in results if r is not None)[:size]

    return lambda node: both(*(elements_of(v) for v in node.inputs))


def _quotient(a: Dim, b: Dim) -> Dim | None:
    if isinstance(a, int) and isinstance(b, int):
        return None if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return divide(a, b)


def _equal(a: Dim, b: Dim) -> Dim | None:
    if a == b:
        return 1
    if isinstance(a, int) and isinstance(b, int):
        return 0
    number, symbol = (a, b) if isinstance(a, int) else (b, a)
    # a symbol is a size, so it is never negative; that decides the exporters' "is it −1?"
    return 0 if isinstance(number, int) and number < 0 and _is_size(symbol) else None


def _is_size(dim: Dim) -> bool:
    return isinstance(dim, str) and "-" not in dim


def _where(node: Node) -> Elements | None:
    condition, a, b = (elements_of(v) for v in node.inputs)
    if condition is None or a is None or b is None:
        return None
    size = max(len(condition), len(a), len(b))
    condition, a, b = (v * size if len(v) == 1 else v for v in (condition, a, b))
    if not len(condition) == len(a) == len(b) or any(isinstance(c, str) for c in condition):
        return None
    return tuple(p if c else q for c, p, q in zip(condition, a, b, strict=True))


def _product(node: Node) -> Elements | None:
    x, axes = elements_of(node.inputs[0]), elements_of((*node.inputs, None)[1])
    whole = len(node.inputs) < 2 and not attribute(node, "noop_with_empty_axes")
    return None if x is None or not (axes or whole) else (multiply(x),)


def _negate(node: Node) -> Elements | None:
    x = elements_of(node.inputs[0])
    return None if x is None else tuple(negate(d) for d in x)


_ELEMENTS: dict[str, Callable[[Node], Elements | None]] = {
    "Shape": _shape,
    "Size": _size,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Cast": _cast,
    "Identity": _same,
    "Reshape": _same,
    "Squeeze": _same,
    "Unsqueeze": _same,
    "Expand": _expand,
    "Add": _elementwise(add),
    "Sub": _elementwise(lambda a, b: add(a, negate(b))),
    "Mul": _elementwise(lambda a, b: multiply([a, b])),
    "Div": _elementwise(_quotient),
    "Equal": _elementwise(_equal),
    "Where": _where,
    "ReduceProd": _product,
    "Neg": _negate,
}


# Shapes of outputs


def _reshape(node: Node) -> Shape | None:
    x, target = node.inputs[0], elements_of(node.inputs[1])
    if x is None or target is None:
        return None
    zero_means_copy = not attribute(node, "allowzero")
    dims: list[Dim] = []
    for i, dim in enumerate(target):
        if dim == 0 and zero_means_copy:
            if x.shape is None or i >= len(x.shape):
                return None
            dim = x.shape[i]
        dims.append(dim)
    if -1 not in dims:
        return tuple(dims)
    if x.shape is None or 0 in dims:
        return None
    rest = divide(multiply(x.shape), multiply(d for d in dims if d != -1))
    return None if rest is None else tuple(rest if d == -1 else d for d in dims)


def _from_elements(index: int) -> Callable[[Node], Shape | None]:
    return lambda node: elements_of(node.inputs[index]) if len(node.inputs) > index else None


def _as_input(node: Node) -> Shape | None:
    return node.inputs[0].shape if node.inputs[0] is not None else None


def _broadcast(node: Node) -> Shape | None:
    x, target = node.inputs[0], elements_of(node.inputs[1])
    if x is None or x.shape is None or target is None:
        return None
    rank = max(len(x.shape), len(target))
    a = (1,) * (rank - len(x.shape)) + x.shape
    b = (1,) * (rank - len(target)) + target
    dims: list[Dim] = []
    for p, q in zip(a, b, strict=True):
        if isinstance(p, str) and isinstance(q, str) and p != q:
            return None
        dims.append(q if p == 1 else p if q == 1 or isinstance(p, int) else q)
    return tuple(dims)


def _tile(node: Node) -> Shape | None:
    x, repeats = node.inputs[0], elements_of(node.inputs[1])
    if x is None or x.shape is None or repeats is None or len(repeats) != len(x.shape):
        return None
    return tuple(multiply(pair) for pair in zip(x.shape, repeats, strict=True))


def _range(node: Node) -> Shape | None:
    start, limit, delta = (elements_of(v) for v in node.inputs)
    if start is None or limit is None or delta != (1,):
        return None
    count = add(limit[0], negate(start[0]))
    if isinstance(count, int):
        return (max(count, 0),)
    return (count,) if _is_size(count) else None


def _resize(node: Node) -> Shape | None:
    x, sizes = node.first_input, _from_elements(3)(node)
    if not sizes or x.shape is None or attribute(node, "keep_aspect_ratio_policy") != "stretch":
        return None
    axes = [axis % len(x.shape) for axis in node.attributes.get("axes") or range(len(x.shape))]
    after = dict(zip(axes, sizes, strict=True))
    return tuple(after.get(axis, dim) for axis, dim in enumerate(x.shape))


def dft_shape(node: Node) -> Shape | None:
    """Give the shape of a DFT's output; ONNX's inference overlooks run-time lengths."""
    x, length, axis = [*node.inputs, None, None][:3]
    if x is None or x.shape is None:
        return None
    inverse, onesided = (node.attributes.get(name, 0) for name in ("inverse", "onesided"))
    places = elements_of(axis) if axis is not None else (-2,)
    if places is None or not isinstance(places[0], int):
        return (*(fresh_dim() for _ in x.shape[:-1]), 1 if inverse and onesided else 2)
    at = places[0] % len(x.shape)
    if length is not None:
        given = elements_of(length)
        size = fresh_dim() if given is None else given[0]
    else:
        size = multiply([2, add(x.shape[at], -1)]) if inverse and onesided else x.shape[at]
    if onesided and not inverse:
        size = size // 2 + 1 if isinstance(size, int) else fresh_dim()
    return (*x.shape[:at], size, *x.shape[at + 1 : -1], 1 if inverse and onesided else 2)


def _stft(node: Node) -> Shape | None:
    x = node.inputs[0]
    return (x.shape[0], fresh_dim(), fresh_dim(), 2) if x is not None and x.shape else None


def _gather_nd(node: Node) -> Shape | None:
    """Where one element is gathered, ONNX's inference leaves the rank open."""
    x, indices = node.inputs
    if x is None or x.shape is None or indices is None or not indices.shape:
        return None
    depth = indices.shape[-1]
    if not isinstance(depth, int):
        return None
    return indices.shape[:-1] + x.shape[attribute(node, "batch_dims") + depth :]


def _uncut(node: Node) -> Shape | None:
    """Axes of which a slice takes all keep their size, be it a name."""
    x, starts, ends = node.inputs[0], *(elements_of(v) for v in node.inputs[1:3])
    given, steps = [*(elements_of(v) for v in node.inputs[3:]), None, None][:2]
    if x is None or x.shape is None or starts is None or ends is None:
        return None
    rank = len(x.shape)
    axes = range(len(starts)) if len(node.inputs) < 4 else given
    if axes is None or len(node.inputs) > 4 and (steps is None or set(steps) != {1}):
        return None
    dims = list(x.shape)
    for axis, start, end in zip(axes, starts, ends, strict=True):
        if not isinstance(axis, int):
            return None
        to_end = end == dims[axis % rank] or isinstance(end, int) and end >= _FAR
        if start != 0 or not to_end:
            dims[axis % rank] = fresh_dim()
    return tuple(dims)


def _window(node: Node) -> Shape | None:
    size = elements_of(node.inputs[0])
    return (fresh_dim(),) if size is None else size


def _flatten(node: Node) -> Shape | None:
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    if shape is None:
        return None
    axis = attribute(node, "axis")
    axis += len(shape) if axis < 0 else 0
    return multiply(shape[:axis]), multiply(shape[axis:])


def _whole_reduction(node: Node) -> Shape | None:
    """A reduction over all axes, none of which is kept, gives a scalar whatever the rank."""
    whole = len(node.inputs) < 2 and not attribute(node, "noop_with_empty_axes")
    return () if whole and not attribute(node, "keepdims") else None


def _concatenation(node: Node) -> Shape | None:
    shapes = [v.shape for v in node.inputs if v is not None]
    if not shapes or any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    axis = int(np.arange(len(known[0]))[node.attributes["axis"]])
    total = sum_of(shape[axis] for shape in known)
    return (*known[0][:axis], total, *known[0][axis + 1 :])


_SHAPES: dict[str, Callable[[Node], Shape | None]] = {
    "Reshape": _reshape,
    "Expand": _broadcast,
    "ConstantOfShape": _from_elements(0),
    "Tile": _tile,
    "Range": _range,
    "GatherND": _gather_nd,
    "Resize": _resize,
    "MaxUnpool": _from_elements(2),
    "GroupNormalization": _as_input,
    "MeanVarianceNormalization": _as_input,
    "Flatten": _flatten,
    "Slice": _uncut,
    "Concat": _concatenation,
    "STFT": _stft,
    **dict.fromkeys(["BlackmanWindow", "HammingWindow", "HannWindow"], _window),
    **dict.fromkeys(REDUCTIONS, _whole_reduction),
    **WINDOW_SHAPES,
    **ML_SHAPES,
}
