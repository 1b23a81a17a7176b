"""Read the types that a file declares, and tell which names prove that sizes are equal."""

from collections.abc import Iterable, Mapping

import onnx
from onnx import TypeProto

from ..errors import GraphError
from .dims import is_name, is_sum, substitute, symbols
from .types import Dim, OptionalType, SequenceType, TensorType, Type, fresh_dim, from_proto


class TypeReader:
    """Reads types; `shapes` gives numbers to their symbols.

    By the standard a name stands for one size in all of a model. Exporters also write "?" or "None"
    for what they do not know, at several places: what is not a name proves nothing, each is a size
    of its own. Sums and products are what they say where their names are among `names`, the sizes
    that the model's inputs have.
    """

    def __init__(self, shapes: Mapping[str, Dim] | None = None, names: Iterable[str] = ()) -> None:
        self._shapes = dict(shapes or {})
        self._names = {name for name in names if is_name(name)}
        self.symbols: set[str] = set()

    def __call__(self, info: onnx.ValueInfoProto) -> Type:
        """Read the type of a named value."""
        try:
            return self.read(info.type)
        except GraphError as error:
            raise GraphError(f"'{info.name}': {error}") from None

    def read(self, proto: TypeProto) -> Type:
        """Read a type."""
        return self._pinned(from_proto(proto, fresh_dim))

    def _pinned(self, type_: Type, repeated: bool = False) -> Type:
        """Pin what is pinned; in a sequence each element may have sizes of its own."""
        if isinstance(type_, SequenceType):
            return SequenceType(self._pinned(type_.element, repeated=True))
        if isinstance(type_, OptionalType):
            return OptionalType(self._pinned(type_.element, repeated))
        if type_.shape is None:
            return type_
        return TensorType(type_.dtype, tuple(self._dim(d, repeated) for d in type_.shape))

    def _dim(self, dim: Dim, repeated: bool) -> Dim:
        if isinstance(dim, int):
            return dim if dim >= 0 else fresh_dim()  # −1 is how some exporters write "unknown"
        self.symbols.add(dim)
        if dim in self._shapes:
            return self._shapes[dim]
        if repeated:
            return fresh_dim()
        if is_name(dim):
            return dim
        if is_sum(dim) and symbols(dim) <= self._names:
            return substitute(dim, self._shapes)
        return fresh_dim()
