"""What each form of a convolution's gradient costs: arithmetic, bytes moved, bytes held at once.

The counts follow the bodies in composites/. Only what differs between forms is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

from ..graph.dims import typical_size
from ..graph.ir import Node
from ..inference.shapes import elements_of

_ITEM = 4
"""Bytes of a float32."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one form does: multiplications and additions, bytes read and written, most bytes held
    besides inputs and outputs, operators run."""

    flops: float
    moved: float
    held: float
    calls: int


@dataclass(frozen=True, slots=True)
class Machine:
    """A runtime on a processor: what a second does in matrix products, in copies, in calls.

    `held` is the cost of a byte held, as if so many were moved: memory that is new is slow.
    """

    flops: float
    moved: float
    calls: float
    held: float

    def seconds(self, cost: Cost) -> float:
        """Estimate the time of a form."""
        moved = cost.moved + self.held * cost.held
        return cost.flops / self.flops + moved / self.moved + cost.calls / self.calls


ONNXRUNTIME = Machine(flops=180e9, moved=30e9, calls=200e3, held=1)
"""Fitted to what tests/benchmarks/convolution_forms.py prints with one thread."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """The sizes of a convolution: of an image in all, of its channels, and of what comes out."""

    batch: int
    channels: int
    maps: int
    taps: int
    size: int
    positions: int
    group: int

    @property
    def flops(self) -> float:
        """What the product alone takes."""
        pairs = self.channels * self.maps / self.group
        return 2.0 * self.batch * self.positions * self.taps * pairs

    @property
    def windows(self) -> float:
        """Bytes of all windows of the image."""
        return float(_ITEM * self.batch * self.channels * self.taps * self.positions)

    @property
    def image(self) -> float:
        """Bytes of X."""
        return float(_ITEM * self.batch * self.channels * self.size)

    @property
    def outcome(self) -> float:
        """Bytes of Y."""
        return float(_ITEM * self.batch * self.maps * self.positions)

    @property
    def weight(self) -> float:
        """Bytes of W."""
        return _ITEM * self.channels * self.maps * self.taps / self.group


def convolution_of(node: Node) -> Convolution | None:
    """Read the sizes of a gradient's convolution; None if its kernel is unknown or it is empty."""
    dy, other, shape = node.required(3)
    by_weight = node.op_type == "ConvWeightGrad"
    image = other.shape if by_weight else elements_of(shape)
    kernel = elements_of(shape) if by_weight else other.shape
    if dy.shape is None or image is None or kernel is None:
        return None
    known = [d for d in kernel if isinstance(d, int)]
    if len(known) < len(kernel) or 0 in (*known, *dy.shape, *image):
        return None
    return Convolution(
        batch=typical_size(dy.shape[:1]),
        channels=known[1] * node.attributes["group"],
        maps=known[0],
        taps=prod(known[2:]),
        size=typical_size(image[2:]),
        positions=typical_size(dy.shape[2:]),
        group=node.attributes["group"],
    )


def _unfold(c: Convolution) -> Cost:
    """An identity convolution computes 16 channels at once; a weight comes for each image."""
    padded = c.windows * ceil(c.taps / 16) * 16 / c.taps if c.taps > 1 else 0
    weights = c.weight * c.batch if c.batch > 1 else 0
    return Cost(c.flops, 2 * padded + 2 * c.windows + 2 * weights, padded + c.windows + weights, 8)


def _taps(c: Convolution) -> Cost:
    """For each tap a part of X is copied, and all of dY read."""
    part = c.windows / c.taps
    moved = 4 * c.image + 2 * c.outcome + c.taps * (2 * part + c.outcome) + 4 * c.weight
    return Cost(c.flops, moved, c.image + c.outcome + 2 * part, 4 * c.taps + 8)


def _rows(c: Convolution) -> Cost:
    """All windows are copied, then joined."""
    moved = 4 * c.image + 2 * c.outcome + 5 * c.windows
    return Cost(c.flops, moved, 2 * c.windows + c.image + c.outcome, 2 * c.taps + 8)


def _columns_of_gradient(c: Convolution) -> Cost:
    """Shares of all windows; where images are small they are put in another order."""
    passes = 2 if c.positions >= 64 else 4
    return Cost(_narrow(c), passes * c.windows, c.windows * passes / 2, 4)


def _stuffed(c: Convolution) -> Cost:
    """The windows of dY are unfolded piece by piece, the weight is turned around."""
    unfolded = c.outcome * c.taps * c.size / c.positions
    return Cost(c.flops * c.size / c.positions, unfolded + 3 * c.weight, c.weight, 6)


def _transposed(c: Convolution) -> Cost:
    """As columns, image by image: little is held, but less of it runs side by side."""
    pieces = c.flops * (1 + 26 / c.positions)
    return Cost(pieces, 2.5 * c.windows, c.windows / c.batch, 1)


def _narrow(c: Convolution) -> float:
    """A product with few columns is slower; few positions of many images are joined."""
    return c.flops * (1 + 26 / c.positions) if c.positions >= 64 else c.flops


COSTS: dict[str, dict[str, Callable[[Convolution], Cost]]] = {
    "ConvWeightGrad": {"unfold": _unfold, "taps": _taps, "rows": _rows},
    "ConvInputGrad": {
        "transposed": _transposed,
        "stuffed": _stuffed,
        "columns": _columns_of_gradient,
    },
}
