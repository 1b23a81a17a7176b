"""Which inputs are lists or single numbers, and the check that they are; it reads no elements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..graph.dims import may_equal
from ..graph.ir import Node
from ..graph.types import Shape, is_static
from ..standard.schemas import get_schema
from ..standard.traits import REDUCTIONS
from .layer_checks import shape_of
from .refusal import require


@dataclass(frozen=True)
class _Form:
    """What an input must be.

    Args:
        words: the same in words, behind "must be".
        ranks: which ranks it may have.
        single: whether it holds one element.
        checked: whether its numbers are checked, by any check, where they are known.
    """

    words: str
    ranks: tuple[int, ...]
    single: bool = False
    checked: bool = False

    def takes(self, shape: Shape) -> bool:
        """Tell whether a shape may be of this form; sizes without a number may be any."""
        fits = not self.single or all(may_equal(d, 1) for d in shape)
        return len(shape) in self.ranks and fits


_LIST = _Form("a list, of rank 1", (1,))
_LIST_OR_NUMBER = replace(_LIST, ranks=(0, 1))  # as runtimes have it
_NUMBER = _Form("one number", (0, 1), single=True)  # of rank 0 or, as runtimes have it, 1
_SCALAR = _Form("one number, of rank 0", (0,))
_CHECKED_LIST = replace(_LIST, checked=True)
_CHECKED_NUMBER = replace(_NUMBER, checked=True)
_CHECKED_SCALAR = replace(_SCALAR, checked=True)

_FORMS: dict[str, Mapping[int, _Form]] = {
    "AffineGrid": {1: _CHECKED_LIST},
    "Attention": {6: _CHECKED_LIST},
    "CenterCropPad": {1: _CHECKED_LIST},
    "Clip": {1: _NUMBER, 2: _NUMBER},
    "Col2Im": {1: _CHECKED_LIST, 2: _CHECKED_LIST},
    "Compress": {1: _LIST},
    "ConstantOfShape": {0: _LIST},
    "CumProd": {1: _CHECKED_NUMBER},
    "CumSum": {1: _CHECKED_NUMBER},
    "DFT": {1: _CHECKED_SCALAR, 2: _CHECKED_SCALAR},
    "Dropout": {1: _CHECKED_NUMBER, 2: _CHECKED_NUMBER},
    "Expand": {1: _CHECKED_LIST},
    "MaxUnpool": {2: _CHECKED_LIST},
    "OneHot": {1: _CHECKED_NUMBER},
    "Pad": {1: _CHECKED_LIST, 3: _CHECKED_LIST},
    "Range": {0: _NUMBER, 1: _NUMBER, 2: _NUMBER},
    "Reshape": {1: _CHECKED_LIST},
    "Resize": {1: _LIST, 2: _LIST, 3: _CHECKED_LIST},
    "ReverseSequence": {1: _CHECKED_LIST},
    "RoiAlign": {2: _LIST},
    "STFT": {1: _CHECKED_NUMBER, 3: _CHECKED_SCALAR},
    "Slice": {1: _LIST, 2: _LIST, 3: _CHECKED_LIST, 4: _LIST},
    "Split": {1: _CHECKED_LIST},
    "SplitToSequence": {1: _LIST_OR_NUMBER},
    "Squeeze": {1: replace(_LIST_OR_NUMBER, checked=True)},
    "TensorScatter": {2: _CHECKED_LIST},
    "Tile": {1: _LIST},
    "TopK": {1: _CHECKED_LIST},
    "Trilu": {1: _NUMBER},
    "Unsqueeze": {1: _LIST_OR_NUMBER},
    **dict.fromkeys(["GRU", "LSTM", "RNN"], {4: _CHECKED_LIST}),
    **dict.fromkeys(REDUCTIONS, {1: _CHECKED_LIST}),
}
"""Inputs that are lists or single numbers, by operator and place."""


def check_lists(node: Node) -> None:
    """Refuse an input that is not a list, or no single number, where its operator takes one.

    Raises:
        GraphError: its rank or its size does not fit.
    """
    for index, form in _forms(node).items():
        shape = shape_of(node, index)
        name = get_schema(node.op_type).inputs[index].name
        reason = f"{name} must be {form.words}, not of the shape {shape}"
        require(node, shape is None or form.takes(shape), reason)


def has_open_lists(node: Node) -> bool:
    """Tell whether run time may give a node something else where it takes a list or a number."""
    given = [index for index in _forms(node) if node.input(index) is not None]
    return any(not is_static(shape_of(node, index)) for index in given)


def checked_places(node: Node) -> Iterable[int]:
    """Give the places of the inputs whose numbers are checked where they are known."""
    return [index for index, form in _forms(node).items() if form.checked]


def _forms(node: Node) -> Mapping[int, _Form]:
    return _FORMS.get(node.operator, {})
