"""Where the windows of convolutions and pools lie; nothing here multiplies or compares."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .blocks import copy_into
from .registry import Array


class Windows(NamedTuple):
    """The windows over an array: one number per spatial axis in each field.

    `begins` and `ends` is the padding. Window o covers the padded positions
    o·stride + tap·dilation for every tap below the kernel size.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    outputs: tuple[int, ...]

    def taps(self) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Yield each tap in row-major order with what it meets in the padded array."""
        axes = [
            [(i, slice(i * d, i * d + max(s * (o - 1) + 1, 0), s)) for i in range(k)]
            for k, s, d, o in zip(
                self.kernel, self.strides, self.dilations, self.outputs, strict=True
            )
        ]
        for tap in itertools.product(*axes):
            yield tuple(i for i, _ in tap), tuple(part for _, part in tap)


def windows(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> Windows:
    """Place windows over spatial axes of the given sizes, as Conv and the pools define it.

    In ceil mode a last window may hang over the padding's end; `ends` then reaches its end.
    """
    rank = len(sizes)
    strides = strides or [1] * rank
    dilations = dilations or [1] * rank
    pads = pads or [0] * (2 * rank)
    begins, ends, outputs = [], [], []
    for i, size in enumerate(sizes):
        reach, stride = (kernel[i] - 1) * dilations[i] + 1, strides[i]
        begin, end = (pads[i], pads[i + rank]) if auto_pad == "NOTSET" else (0, 0)
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            begin = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            end = total - begin
        room = size + begin + end - reach
        output = room // stride + 1
        if ceil_mode and auto_pad == "NOTSET":
            output = -(-room // stride) + 1
            if (output - 1) * stride >= size + begin:
                output -= 1  # it would start in the padding at the end
            end = max(end, (output - 1) * stride + reach - size - begin)
        begins.append(begin)
        ends.append(end)
        outputs.append(max(output, 0))
    fields = (kernel, strides, dilations, begins, ends, outputs)
    return Windows(*(tuple(field) for field in fields))


def padded(xp: Any, x: Array, begins: Sequence[int], ends: Sequence[int], fill: Any = 0) -> Array:
    """Return x with `fill` around the axes after the first, cropped where a number is negative.

    The result has the memory layout of x, and is x itself where there is nothing to add.
    """
    crop = tuple(
        slice(max(-b, 0), n - max(-e, 0)) for n, b, e in zip(x.shape[1:], begins, ends, strict=True)
    )
    x = x[(slice(None), *crop)]
    begins, ends = [max(b, 0) for b in begins], [max(e, 0) for e in ends]
    if not any(begins) and not any(ends):
        return x
    shape = [n + b + e for n, b, e in zip(x.shape[1:], begins, ends, strict=True)]
    y = xp.empty_like(x, shape=(x.shape[0], *shape))
    inside = tuple(slice(b, b + n) for n, b in zip(x.shape[1:], begins, strict=True))
    for axis, within in enumerate(inside, 1):
        before = (slice(None),) * axis
        y[(*before, slice(within.start))] = fill
        y[(*before, slice(within.stop, None))] = fill
    copy_into(xp, y[(slice(None), *inside)], x)
    return y
