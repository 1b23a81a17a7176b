"""Give numbers to the sizes that a model leaves open, by symbol or input by input."""

from collections.abc import Mapping, Sequence

from onnx import GraphProto, ValueInfoProto

from ..errors import GraphError
from ..graph.dims import is_name
from ..graph.type_reader import TypeReader
from ..graph.types import ANONYMOUS, Dim, TensorType, Type, fresh_dim
from ..graph.wording import counted

Sizes = Sequence[Dim | None]
"""The sizes of one input; None leaves one open."""

Shapes = Mapping[str, Dim | Sizes]
"""A size by symbol, or the sizes of an input by its name."""


class Pins:
    """What `shapes` says of a model: its reader of types, and the types of the inputs.

    A size that an input has by name is pinned wherever that name stands.

    Raises:
        GraphError: there is no such input, or it cannot have these sizes.
    """

    def __init__(self, proto: GraphProto, shapes: Shapes) -> None:
        weights = {tensor.name for tensor in proto.initializer}
        self._inputs = {i.name: i for i in proto.input if i.name not in weights}
        self._names = [name for info in proto.input for name in _dim_params(info)]
        self._symbols: dict[str, Dim] = {}
        self._given: dict[str, Sizes] = {}
        for name, given in shapes.items():
            if isinstance(given, int | str):
                self._symbols[name] = given
            else:
                self._given[name] = given
        self._asked = set(self._symbols)
        for name, sizes in self._given.items():
            self._bind(name, sizes)
        self.reader = TypeReader(self._symbols, self._names)
        self.types = [self._type(info) for info in proto.input]

    def check_used(self) -> None:
        """Refuse symbols that nothing in the model has, once it is read."""
        if missing := sorted(self._asked - self.reader.symbols):
            named = sorted(s for s in self.reader.symbols if ANONYMOUS not in s)
            known = ", ".join(f"'{s}'" for s in named) or "none"
            hint = "; for the sizes of an input give a tuple" if missing[0] in self._inputs else ""
            raise GraphError(
                f"the model has no symbolic dimension '{missing[0]}'; it has {known}{hint}"
            )

    def _bind(self, name: str, sizes: Sizes) -> None:
        """Note the numbers of the symbols that an input has."""
        info = self._inputs.get(name)
        if info is None:
            known = ", ".join(f"'{n}'" for n in self._inputs) or "none"
            raise GraphError(f"the model has no input '{name}'; it has {known}")
        if info.type.WhichOneof("value") != "tensor_type":
            raise GraphError(f"shapes['{name}']: only a tensor has sizes")
        if not info.type.tensor_type.HasField("shape"):
            return
        dims = info.type.tensor_type.shape.dim
        if len(dims) != len(sizes):
            raise GraphError(
                f"shapes['{name}'] gives {counted(len(sizes), 'size')}; the input has {len(dims)}"
            )
        for dim, size in zip(dims, sizes, strict=True):
            symbol = dim.dim_param
            if size is not None and is_name(symbol):
                other = self._symbols.setdefault(symbol, size)
                if other != size:
                    raise GraphError(f"shapes=… gives '{symbol}' the sizes {other} and {size}")

    def _type(self, info: ValueInfoProto) -> Type | None:
        """Give the type of an input that is pinned, None for another."""
        if info.name not in self._given:
            return None
        type_, sizes = self.reader(info), self._given[info.name]
        assert isinstance(type_, TensorType)
        dims = [fresh_dim() for _ in sizes] if type_.shape is None else type_.shape
        pairs = zip(dims, sizes, strict=True)
        return TensorType(type_.dtype, tuple(_pinned(info.name, *pair) for pair in pairs))


def _pinned(name: str, dim: Dim, size: Dim | None) -> Dim:
    if size is None:
        return dim
    if isinstance(dim, int) and dim != size:
        raise GraphError(f"shapes['{name}'] says {size} where the model says {dim}")
    return size


def _dim_params(info: ValueInfoProto) -> list[str]:
    return [dim.dim_param for dim in info.type.tensor_type.shape.dim]
