"""What flows between the nodes of a graph."""

from dataclasses import dataclass

import numpy as np

from ..errors import GraphError
from .types import Dim, Shape, TensorType, Type


@dataclass(eq=False, slots=True)
class Value:
    """What flows between nodes: a named tensor, sequence or optional.

    `constant` holds the array where it is known while compiling; `parameter` marks the constants
    that the model owns (initializers: two equal ones are still two). `elements` are the numbers and
    symbols that a small integer tensor of rank 0 or 1 is known to hold, such as a shape.
    """

    name: str
    type: Type
    constant: np.ndarray | None = None
    parameter: bool = False
    elements: tuple[Dim, ...] | None = None

    @property
    def dtype(self) -> np.dtype:
        """Element dtype of a tensor; an error for sequences and optionals."""
        return self._tensor().dtype

    @property
    def shape(self) -> Shape | None:
        """Dimensions of a tensor, None where even the rank is unknown."""
        return self._tensor().shape

    @property
    def rank(self) -> int | None:
        """Number of dimensions of a tensor, None where unknown."""
        shape = self._tensor().shape
        return None if shape is None else len(shape)

    @property
    def known_rank(self) -> int:
        """Number of dimensions of a tensor; an error where it is unknown."""
        if self.rank is None:
            raise GraphError(
                f"the rank of '{self.name}' is not known, and what is asked for needs it; give its "
                "shape where the model is built, or load the file with shapes={…}"
            )
        return self.rank

    def _tensor(self) -> TensorType:
        if not isinstance(self.type, TensorType):
            raise GraphError(f"'{self.name}' is {self.type}, not a tensor")
        return self.type

    def __repr__(self) -> str:
        return f"Value({self.name!r}: {self.type})"
